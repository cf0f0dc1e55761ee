import { SHIFT_MAX } from "../../insn.ts";
import { CBPF, type CbpfAluOp, type CbpfLoadBytes } from "../../rows.ts";
import { fault } from "../errors.ts";
import { both, type Condition, not, type Stmt, stmt, test } from "../ir.ts";
import type { Arithmetic, Relation } from "../text/tree.ts";
import type { Protocol } from "../text/words.ts";
import { carries, ETHER_TYPE } from "./link-type.ts";
import { equals, IP6_HEADER_BYTES, loadHeaderLength, loadVariablePart } from "./load.ts";
import { isFirstFragment } from "./port.ts";
import { protocolIs } from "./protocol.ts";
import { IP_PROTOCOL } from "./protocol-numbers.ts";
import type { Offset, State } from "./state.ts";

/** Code that leaves a value in a word of scratch memory. */
export interface Value {
  readonly stmts: Stmt[];
  readonly register: number;
  /** What must hold for the value to exist: the packet has the header that it comes from. */
  readonly guard: Condition | undefined;
}

const toX = ({ register }: Value): Stmt => stmt(CBPF.ldxMem, register);
const toA = ({ register }: Value): Stmt => stmt(CBPF.ldMem, register);

const bothGuards = (a: Condition | undefined, b: Condition | undefined): Condition | undefined =>
  a === undefined ? b : b === undefined ? a : both(a, b);

/** Generates code that works a value out. */
export function evaluate(state: State, node: Arithmetic): Value {
  // A chain of operators leans to the left, so it is walked along its spine instead of in depth.
  const spine: (Arithmetic & { readonly kind: "binary" })[] = [];
  let first = node;
  while (first.kind === "binary") {
    spine.push(first);
    first = first.left;
  }
  let value = evaluateOperand(state, first);
  for (let i = spine.length - 1; i >= 0; i--) {
    const one = spine[i];
    if (one !== undefined) value = combine(state, one.op, value, evaluate(state, one.right), one.right);
  }
  return value;
}

function evaluateOperand(state: State, node: Exclude<Arithmetic, { kind: "binary" }>): Value {
  switch (node.kind) {
    case "number":
    case "length": {
      const register = state.registers.allocate();
      const source = node.kind === "number" ? stmt(CBPF.ldImm, node.value) : stmt(CBPF.ldLen);
      return { stmts: [source, stmt(CBPF.st, register)], register, guard: undefined };
    }
    case "negate": {
      const value = evaluate(state, node.of);
      value.stmts.push(toA(value), stmt(CBPF.neg), stmt(CBPF.st, value.register));
      return value;
    }
    case "load":
      return loadIndexed(state, node.protocol, evaluate(state, node.index), node.bytes as CbpfLoadBytes);
  }
}

function combine(state: State, op: CbpfAluOp, left: Value, right: Value, place: Arithmetic): Value {
  const [first] = right.stmts;
  if (first !== undefined && first.code === CBPF.ldImm) {
    const { k } = first;
    if (op === "div" && k === 0) fault("FILTER_ARITHMETIC", "division by zero", place);
    if (op === "mod" && k === 0) fault("FILTER_ARITHMETIC", "modulus by zero", place);
    if ((op === "lsh" || op === "rsh") && k > SHIFT_MAX) {
      fault("FILTER_ARITHMETIC", "shift by more than 31 bits", place);
    }
  }
  const { stmts } = left;
  for (const one of right.stmts) stmts.push(one);
  stmts.push(toX(right), toA(left), stmt(CBPF.alu(op, "x")));
  state.registers.free(left.register);
  state.registers.free(right.register);
  const register = state.registers.allocate();
  stmts.push(stmt(CBPF.st, register));
  // What the right operand needs is not asked for: libpcap forgets it, and so packets match that should not.
  return { stmts, register, guard: left.guard };
}

/** How a load finds the header that its index counts from. */
type IndexKind = "link" | "network" | "transport" | "icmp6";

const INDEX_KINDS: Readonly<Partial<Record<Protocol, IndexKind>>> = {
  link: "link",
  ip: "network",
  arp: "network",
  rarp: "network",
  atalk: "network",
  decnet: "network",
  sca: "network",
  lat: "network",
  moprc: "network",
  mopdl: "network",
  ip6: "network",
  sctp: "transport",
  tcp: "transport",
  udp: "transport",
  icmp: "transport",
  igmp: "transport",
  igrp: "transport",
  pim: "transport",
  vrrp: "transport",
  carp: "transport",
  icmp6: "icmp6",
};

function loadIndexed(state: State, protocol: Protocol, index: Value, bytes: CbpfLoadBytes): Value {
  const register = state.registers.allocate();
  state.registers.free(index.register);
  const { stmts } = index;
  const { payload, network } = state;
  const from = payload.constant + network;
  let { guard } = index;
  switch (INDEX_KINDS[protocol]) {
    case "link":
      stmts.push(...offsetToX(state, state.linkHeader, index));
      stmts.push(stmt(CBPF.ldInd(bytes), state.linkHeader.constant));
      break;
    case "network":
      stmts.push(...offsetToX(state, payload, index), stmt(CBPF.ldInd(bytes), from));
      guard = bothGuards(guard, protocolIs(state, protocol));
      break;
    case "transport":
      stmts.push(...loadHeaderLength(state), toA(index), stmt(CBPF.alu("add", "x")), stmt(CBPF.tax));
      stmts.push(stmt(CBPF.ldInd(bytes), from));
      guard = bothGuards(guard, both(protocolIs(state, protocol), isFirstFragment(state)));
      guard = bothGuards(protocolIs(state, "ip"), guard);
      break;
    case "icmp6":
      guard = bothGuards(guard, carries(state, ETHER_TYPE.ip6));
      guard = bothGuards(guard, equals(state, { base: "payload", at: 6, bytes: 1 }, IP_PROTOCOL.icmp6));
      stmts.push(...offsetToX(state, payload, index), stmt(CBPF.ldInd(bytes), from + IP6_HEADER_BYTES));
      break;
    case undefined:
      return fault(
        "FILTER_QUALIFIER",
        protocol === "radio" ? "radio information not present in capture" : "unsupported index operation",
      );
  }
  stmts.push(stmt(CBPF.st, register));
  return { stmts, register, guard };
}

/** Puts into X an index and the variable part of an offset. */
function offsetToX(state: State, offset: Offset, index: Value): Stmt[] {
  const before = loadVariablePart(state, offset);
  if (before === undefined) return [toX(index)];
  return [...before, toA(index), stmt(CBPF.alu("add", "x")), stmt(CBPF.tax)];
}

const BRANCHES = {
  ">": { condition: "jgt", isNegated: false },
  ">=": { condition: "jge", isNegated: false },
  "=": { condition: "jeq", isNegated: false },
  "<=": { condition: "jgt", isNegated: true },
  "<": { condition: "jge", isNegated: true },
  "!=": { condition: "jeq", isNegated: true },
} as const satisfies Record<Relation, unknown>;

/** Asks how two values compare. */
export function valuesRelate(state: State, relation: Relation, left: Value, right: Value): Condition {
  const { condition, isNegated } = BRANCHES[relation];
  const stmts = [...left.stmts, ...right.stmts, toX(right), toA(left)];
  const isEquality = condition === "jeq";
  if (isEquality) stmts.push(stmt(CBPF.alu("sub", "x")));
  const asked = test(stmts, CBPF.branch(condition, isEquality ? "k" : "x"));
  state.registers.free(left.register);
  state.registers.free(right.register);
  const guard = bothGuards(left.guard, right.guard);
  const question = isNegated ? not(asked) : asked;
  return guard === undefined ? question : both(guard, question);
}
