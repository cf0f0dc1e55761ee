import { printHex } from "@tsbpf/base";
import { type AtomicOp, INSN_ROWS, type InsnRow } from "@tsbpf/isa";
import { checkRange, type LinearMemory, PERM, WASM_PAGE_BYTES } from "@tsbpf/memory";
import { type Machine, trap } from "@tsbpf/runtime";
import { type BoundsCache, ENTRY, isAllowed } from "./bounds.ts";
import { registers as r } from "./loop.gen.ts";
import { OP, type OpName } from "./ops.gen.ts";
import { patchCode } from "./placement.ts";
import { type Code, dstOf, OP_MASK, SLOT_SHIFT, srcOf, WORD } from "./predecode.ts";

/** What a load or store does, by case number. */
export interface AccessShape {
  readonly kind: "load" | "store";
  readonly size: 1 | 2 | 4 | 8;
  readonly isSigned: boolean;
  readonly source: "k" | "x";
}

function shapeOf({ action }: InsnRow): AccessShape | undefined {
  if (action.kind === "load") {
    return { kind: "load", size: action.size, isSigned: action.isSigned, source: "x" };
  }
  return action.kind === "store"
    ? { kind: "store", size: action.size, isSigned: false, source: action.source }
    : undefined;
}

const SHAPES: readonly (AccessShape | undefined)[] = (() => {
  const table: (AccessShape | undefined)[] = [];
  for (const row of INSN_ROWS) {
    const shape = shapeOf(row);
    if (shape === undefined) continue;
    table[OP[row.id as OpName]] = shape;
    table[OP[`${row.id}.open` as OpName]] = shape;
  }
  return table;
})();

/** An address as a register and an offset give it. */
export interface Address {
  lo: number;
  hi: number;
}

/** Adds an offset to the register at word index `base`, in 64 bits. */
export function addressOf(base: number, off: number): Address {
  const lo = ((r[base] as number) >>> 0) + off;
  const hi = r[base + 1] as number;
  return { lo: lo | 0, hi: (lo < 0 ? hi - 1 : lo > 0xffff_ffff ? hi + 1 : hi) | 0 };
}

/** The offset of an access as the instruction has it. */
export const offsetAt = (code: Code, p: number): number =>
  (code.words[p + WORD.off] as number) + WASM_PAGE_BYTES;

/** What an access touches and needs. */
export interface Wanted extends Address {
  readonly size: number;
  readonly perm: number;
}

/**
 * Checks an access that the loop's remembered bounds did not hold.
 *
 * @returns false when a load of a kernel object is to give 0, or a store to an arena to be dropped (ISA-65, ISA-66).
 * @throws RUN_BOUNDS and its kin (TrapError) naming region and offset.
 */
export function checkSlow(machine: Machine, code: Code, slot: number, wanted: Wanted): boolean {
  const { memory } = machine.env;
  if (code.isChecked) {
    if (isAllowed(memory, wanted.lo, wanted.hi, wanted.size, wanted.perm)) return true;
  } else if (isInMemory(memory, wanted)) return true;
  const proved = code.linked.facts?.accessRegion.get(slot);
  if (proved === "btf" && wanted.perm === PERM.read) return false;
  if (proved === "arena") return false;
  const fault = checkRange(memory, wanted, wanted.size, wanted.perm);
  const where = {
    lo: wanted.lo >>> 0,
    hi: wanted.hi >>> 0,
    sizeBytes: wanted.size,
    isWrite: (wanted.perm & PERM.write) !== 0,
  };
  if (fault === undefined) {
    throw trap(
      "RUN_BOUNDS",
      `${wanted.size} bytes at ${printHex(wanted.lo >>> 0)}, outside the memory`,
      where,
    );
  }
  const { region } = fault;
  throw trap(fault.code, fault.text, {
    ...where,
    ...(region === undefined ? {} : { region: region.name, offset: (wanted.lo >>> 0) - region.start }),
  });
}

const isInMemory = (memory: LinearMemory, { lo, hi, size }: Wanted): boolean =>
  hi === 0 && lo >>> 0 >= WASM_PAGE_BYTES && (lo >>> 0) + size <= memory.sizeBytes;

/** Lets the instruction remember the region it met, for its next execution. */
export function rememberBounds(
  machine: Machine,
  code: Code,
  bounds: BoundsCache,
  p: number,
  lo: number,
): void {
  if (!code.isChecked) return;
  const entry = bounds.remember(machine.env.memory, lo);
  if (entry !== ENTRY.never) patchCode(code, p + WORD.entry, entry);
}

/**
 * Executes the load or store at word index `p` after the loop left it.
 *
 * @throws RUN_BOUNDS and its kin (TrapError).
 */
export function accessSlow(machine: Machine, code: Code, bounds: BoundsCache, p: number): void {
  const { words } = code;
  const word = words[p + WORD.op] as number;
  const shape = SHAPES[word & OP_MASK] as AccessShape;
  const isLoad = shape.kind === "load";
  const { lo, hi } = addressOf(isLoad ? srcOf(word) : dstOf(word), offsetAt(code, p));
  const wanted = { lo, hi, size: shape.size, perm: isLoad ? PERM.read : PERM.write };
  const isReal = checkSlow(machine, code, p >> SLOT_SHIFT, wanted);
  const { view } = machine.env.memory;
  const at = lo >>> 0;
  if (isLoad) loadTo(dstOf(word), isReal ? readAt(view, at, shape) : [0, 0]);
  else if (isReal) {
    const imm = words[p + WORD.imm] as number;
    const value = shape.source === "k" ? [imm, imm >> 31] : [r[srcOf(word)], r[srcOf(word) + 1]];
    writeAt(view, at, shape.size, value as [number, number]);
  }
  if (isReal) rememberBounds(machine, code, bounds, p, lo);
}

function loadTo(dst: number, [lo, hi]: readonly [number, number]): void {
  r[dst] = lo;
  r[dst + 1] = hi;
}

function readAt(view: DataView, at: number, { size, isSigned }: AccessShape): [number, number] {
  switch (size) {
    case 1: {
      const value = isSigned ? view.getInt8(at) : view.getUint8(at);
      return [value, value >> 31];
    }
    case 2: {
      const value = isSigned ? view.getInt16(at, true) : view.getUint16(at, true);
      return [value, value >> 31];
    }
    case 4: {
      const value = view.getInt32(at, true);
      return [value, isSigned ? value >> 31 : 0];
    }
    case 8:
      return [view.getInt32(at, true), view.getInt32(at + 4, true)];
  }
}

/** Writes the low bytes of a value. */
export function writeAt(view: DataView, at: number, size: number, [lo, hi]: readonly [number, number]): void {
  if (size === 1) view.setInt8(at, lo);
  else if (size === 2) view.setInt16(at, lo, true);
  else {
    view.setInt32(at, lo, true);
    if (size === 8) view.setInt32(at + 4, hi, true);
  }
}

/** A memory access of an instruction, for hooks and watchpoints. */
export interface ExpectedAccess extends Address {
  readonly size: number;
  readonly kind: "load" | "store" | "atomic";
}

/** Says what the instruction at `p` is about to touch; undefined when it touches no memory of its own. */
export function accessAt(code: Code, p: number): ExpectedAccess | undefined {
  const word = code.words[p + WORD.op] as number;
  const off = offsetAt(code, p);
  const shape = SHAPES[word & OP_MASK];
  if (shape !== undefined) {
    const base = shape.kind === "load" ? srcOf(word) : dstOf(word);
    return { ...addressOf(base, off), size: shape.size, kind: shape.kind };
  }
  const atomic = atomicAt(code, p);
  if (atomic === undefined) return undefined;
  const base = atomic.atomicOp === "load_acquire" ? srcOf(word) : dstOf(word);
  return { ...addressOf(base, off), size: atomic.size, kind: "atomic" };
}

/** Returns the atomic operation at `p`. */
export function atomicAt(code: Code, p: number): { atomicOp: AtomicOp; size: 1 | 2 | 4 | 8 } | undefined {
  const insn = code.linked.insns[p >> SLOT_SHIFT];
  if (insn === undefined || (insn.op & ATOMIC_MASK) !== ATOMIC_OP) return undefined;
  const action = ATOMIC_ROWS.find(({ op, imm }) => op === insn.op && imm === insn.imm);
  return action?.action;
}

const ATOMIC_MASK = 0xe7;
const ATOMIC_OP = 0xc3;

const ATOMIC_ROWS = INSN_ROWS.flatMap(({ op, imm, action }) =>
  action.kind === "atomic" && Array.isArray(imm) ? [{ op, imm: imm[0] as number, action }] : [],
);
