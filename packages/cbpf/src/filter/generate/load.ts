import { HEADER_LENGTH_MASK } from "../../insn.ts";
import { CBPF, type CbpfCondition, type CbpfLoadBytes } from "../../rows.ts";
import { both, type Condition, not, type Stmt, stmt, test } from "../ir.ts";
import type { Offset, State } from "./state.ts";

/** What an offset counts from. */
export type Base =
  | "link"
  | "type"
  | "llc"
  | "label-before"
  | "payload"
  | "payload-no-snap"
  | "transport4"
  | "transport6";

export const IP6_HEADER_BYTES = 40;
const LABEL_BYTES = 4;

/** Puts the variable part of an offset into X; undefined when there is none. */
export function loadVariablePart(state: State, offset: Offset): Stmt[] | undefined {
  if (!offset.isVariable) return undefined;
  offset.register ??= state.registers.allocate();
  return [stmt(CBPF.ldxMem, offset.register)];
}

function loadAt(state: State, offset: Offset, at: number, bytes: CbpfLoadBytes): Stmt[] {
  const before = loadVariablePart(state, offset);
  const k = offset.constant + at;
  return before === undefined ? [stmt(CBPF.ldAbs(bytes), k)] : [...before, stmt(CBPF.ldInd(bytes), k)];
}

/** Puts into X the length of the IPv4 header and the variable part of where it starts. */
export function loadHeaderLength(state: State): Stmt[] {
  const { payload, network } = state;
  const before = loadVariablePart(state, payload);
  const k = payload.constant + network;
  if (before === undefined) return [stmt(CBPF.ldxMsh, k)];
  return [
    ...before,
    stmt(CBPF.ldInd(1), k),
    stmt(CBPF.alu("and", "k"), HEADER_LENGTH_MASK),
    stmt(CBPF.alu("lsh", "k"), 2),
    stmt(CBPF.alu("add", "x")),
    stmt(CBPF.tax),
  ];
}

/** Loads packet bytes into A. */
export function load(state: State, base: Base, at: number, bytes: CbpfLoadBytes): Stmt[] {
  const { payload, network } = state;
  switch (base) {
    case "link":
      return loadAt(state, state.linkHeader, at, bytes);
    case "type":
      return loadAt(state, state.linkType, at, bytes);
    case "llc":
      return loadAt(state, payload, at, bytes);
    case "label-before":
      return loadAt(state, payload, network - LABEL_BYTES + at, bytes);
    case "payload":
      return loadAt(state, payload, network + at, bytes);
    case "payload-no-snap":
      return loadAt(state, payload, state.networkNoSnap + at, bytes);
    case "transport4": {
      const before = loadHeaderLength(state);
      return [...before, stmt(CBPF.ldInd(bytes), payload.constant + network + at)];
    }
    case "transport6":
      return loadAt(state, payload, network + IP6_HEADER_BYTES + at, bytes);
  }
}

export interface Field {
  readonly base: Base;
  readonly at: number;
  readonly bytes: CbpfLoadBytes;
  /** Bits to look at; all when omitted. */
  readonly mask?: number;
}

const ALL_BITS = 0xffff_ffff;

/** Compares a field of the packet with a constant. */
export function compare(state: State, field: Field, condition: CbpfCondition, value: number): Condition {
  const stmts = load(state, field.base, field.at, field.bytes);
  const mask = (field.mask ?? ALL_BITS) >>> 0;
  if (mask !== ALL_BITS) stmts.push(stmt(CBPF.alu("and", "k"), mask));
  return test(stmts, CBPF.branch(condition, "k"), value);
}

export const equals = (state: State, field: Field, value: number): Condition =>
  compare(state, field, "jeq", value);

/** Asks whether bits of a field are set. */
export const hasBits = (state: State, field: Field, bits: number): Condition =>
  compare(state, field, "jset", bits);

export const isAtMost = (state: State, field: Field, value: number): Condition =>
  not(compare(state, field, "jgt", value));

/** Compares bytes of the packet, four at a time from the last on. */
export function equalsBytes(state: State, base: Base, at: number, bytes: readonly number[]): Condition {
  let found: Condition | undefined;
  let end = bytes.length;
  for (const size of [4, 2, 1] as const) {
    for (; end >= size; end -= size) {
      const value = bytes.slice(end - size, end).reduce((sum, byte) => sum * 256 + byte, 0);
      const one = equals(state, { base, at: at + end - size, bytes: size }, value);
      found = found === undefined ? one : both(found, one);
    }
  }
  return found ?? always();
}

/** A condition that holds for every packet. */
export const always = (): Condition => test([stmt(CBPF.ldImm, 0)], CBPF.branch("jeq", "k"));

/** A condition that holds for no packet. */
export const never = (): Condition => test([stmt(CBPF.ldImm, 1)], CBPF.branch("jeq", "k"));
