import { LIMITS } from "@tsbpf/base";
import type { Action, Insn, SizeBytes } from "@tsbpf/isa";
import { PERM } from "@tsbpf/memory";
import { FRAME_STRIDE_BYTES } from "@tsbpf/runtime";
import type { Frame } from "../ir/graph.ts";
import { BOUNDS, BOUNDS_OF, CELL } from "../run/cell.ts";
import { OP, TYPE } from "../wasm/opcodes.ts";
import { pushCountAt } from "./count-code.ts";
import type { Emitter } from "./emitter.ts";
import type { Place } from "./place.ts";

type LoadAction = Extract<Action, { kind: "load" }>;
type StoreAction = Extract<Action, { kind: "store" }>;

const FRAME_POINTER = 10;

const LOAD: Readonly<Record<SizeBytes, number>> = {
  1: OP.i64Load8U,
  2: OP.i64Load16U,
  4: OP.i64Load32U,
  8: OP.i64Load,
};
const LOAD_SIGNED: Readonly<Record<SizeBytes, number>> = {
  1: OP.i64Load8S,
  2: OP.i64Load16S,
  4: OP.i64Load32S,
  8: OP.i64Load,
};
const STORE: Readonly<Record<SizeBytes, number>> = {
  1: OP.i64Store8,
  2: OP.i64Store16,
  4: OP.i64Store32,
  8: OP.i64Store,
};

/** Opcode that stores the low bytes of 64 bits. */
export const storeOp = (size: SizeBytes): number => STORE[size];
/** Opcode that loads bytes, zero-extended to 64 bits. */
export const loadOp = (size: SizeBytes): number => LOAD[size];

/** An access of an instruction. */
export interface Access {
  readonly base: number;
  readonly off: number;
  readonly size: SizeBytes;
  /** Bits of `PERM`. */
  readonly perm: number;
  readonly isAtomic?: boolean;
}

/** Bytes from the lowest address of the function's own frame to an access through r10. */
const frameOffset = (frame: Frame, off: number): number =>
  frame.level * FRAME_STRIDE_BYTES + LIMITS.stackBytes + off;

const isInFrame = ({ base, off, size }: Access): boolean =>
  base === FRAME_POINTER && off >= -LIMITS.stackBytes && off + size <= 0;

/** Pushes an address without any check; returns the static offset that belongs to it. */
function pushPlain(e: Emitter, frame: Frame, base: number, off: number): number {
  if (base === FRAME_POINTER) {
    const offset = frameOffset(frame, off);
    if (offset >= 0) return e.pushFrameSlot(offset);
  }
  e.pushLow(frame, base);
  if (off >= 0) return off;
  e.code.i32(off);
  e.code.op(OP.i32Add);
  return 0;
}

/** What a verified access may find that is no memory: kernel objects read as 0, arena pages that are not there. */
export const mayMiss = (e: Emitter, slot: number): boolean => {
  if (e.mode.isChecked) return false;
  const region = e.plan.prog.facts?.accessRegion.get(slot);
  return region === "btf" || region === "arena";
};

/**
 * Pushes the address of an access, checked when the mode asks for it.
 *
 * A program without proofs gets an access only where `canAccess` of the memory would allow it: its own frame by the
 * offset alone, everything else by comparing with the bounds that this instruction met last, and by asking the
 * memory when these do not hold it. Bounds hold 64 bits, so an address with high bits set is never inside.
 *
 * @returns the static offset that belongs to the pushed address.
 */
export function pushAddress(e: Emitter, place: Place, access: Access): number {
  const { frame } = place.node;
  if (!e.mode.isChecked || isFree(e, place, access)) {
    return pushPlain(e, frame, access.base, access.off);
  }
  pushWide(e, frame, access);
  e.code.set(e.wide);
  emitCheck(e, place, access);
  e.code.get(e.wide);
  e.code.op(OP.i32WrapI64);
  return 0;
}

function pushWide(e: Emitter, frame: Frame, { base, off }: Access): void {
  e.push(frame, base);
  if (off === 0) return;
  e.code.i64(off, off >> 31);
  e.code.op(OP.i64Add);
}

/** Whether an access needs no check: atomics need one for their alignment, unless that is known as well. */
function isFree(e: Emitter, { node, slot }: Place, access: Access): boolean {
  if (isInFrame(access)) return access.isAtomic !== true || access.off % access.size === 0;
  return access.isAtomic !== true && e.accesses?.kindAt(node, slot) === "free";
}

/** Which bounds an access looks at first. */
const boundsOf = (e: Emitter, { slot, node }: Place, perm: number): number =>
  e.accesses?.kindAt(node, slot) === "packet" ? BOUNDS_OF.packet : e.boundsOrder.next(perm);

const LOG2: Readonly<Record<SizeBytes, number>> = { 1: 0, 2: 1, 4: 2, 8: 3 };

/** Compares the address in the wide local with bounds and asks the memory when they do not hold it. */
function emitCheck(e: Emitter, place: Place, { size, perm, isAtomic }: Access): void {
  const { code } = e;
  const idx = boundsOf(e, place, perm);
  pushIsOutside(e, idx, size);
  if (isAtomic === true && size > 1) {
    code.get(e.wide);
    code.op(OP.i32WrapI64);
    code.i32(size - 1);
    code.op(OP.i32And);
    code.op(OP.i32Or);
  }
  code.if();
  // Packets of a batch have the first bounds alone: no others may hold those of a packet before.
  const isPacketToo = e.mode.isBatch && idx !== BOUNDS_OF.packet && isAtomic !== true;
  if (isPacketToo) {
    pushIsOutside(e, BOUNDS_OF.packet, size);
    code.if();
  }
  callCheck(e, place, idx);
  code.op(OP.drop);
  if (isPacketToo) code.end();
  code.end();
}

/** Pushes whether an access at the address in the wide local leaves bounds. */
function pushIsOutside(e: Emitter, idx: number, size: SizeBytes): void {
  const { code } = e;
  const bounds = CELL.bounds + BOUNDS.bytes * idx;
  code.get(e.wide);
  e.pushCell();
  code.memory(OP.i64Load, bounds + BOUNDS.start);
  code.op(OP.i64Sub);
  e.pushCell();
  code.memory(OP.i64Load, bounds + BOUNDS.places + 8 * LOG2[size]);
  code.op(OP.i64GeU);
}

/**
 * Asks the memory about the address in the wide local; pushes 0 when the access must not touch anything.
 *
 * @param idx - of the bounds that do not hold it.
 */
function callCheck(e: Emitter, place: Place, idx: number): void {
  e.code.get(e.wide);
  pushCountAt(e, place);
  e.code.i32(place.slot);
  e.code.i32(idx);
  e.code.call(e.links.checkAccess);
}

/** Writes a load (reference isa.md §6). */
export function emitLoad(e: Emitter, place: Place, insn: Insn, { size, isSigned }: LoadAction): void {
  const { frame } = place.node;
  const opcode = (isSigned ? LOAD_SIGNED : LOAD)[size];
  const access: Access = { base: insn.src, off: insn.off, size, perm: PERM.read };
  if (mayMiss(e, place.slot)) {
    pushIfReal(e, place, access, () => {
      e.code.get(e.wide);
      e.code.op(OP.i32WrapI64);
      e.code.memory(opcode, 0);
    });
  } else {
    const offset = pushAddress(e, place, access);
    e.code.memory(opcode, offset);
  }
  e.pop(frame, insn.dst);
}

/** Pushes what `read` pushes, or 0 when there is no memory at the address. */
export function pushIfReal(e: Emitter, place: Place, access: Access, read: () => void): void {
  pushWide(e, place.node.frame, access);
  e.code.set(e.wide);
  callCheck(e, place, BOUNDS_OF.packet);
  e.code.if(TYPE.i64);
  read();
  e.code.else();
  e.code.i64(0, 0);
  e.code.end();
}

/** Does what `act` does when there is memory at the address, which is in the wide local. */
export function emitIfReal(e: Emitter, place: Place, access: Access, act: () => void): void {
  pushWide(e, place.node.frame, access);
  e.code.set(e.wide);
  callCheck(e, place, BOUNDS_OF.packet);
  e.code.if();
  act();
  e.code.end();
}

/** Writes a store. */
export function emitStore(e: Emitter, place: Place, insn: Insn, { size, source }: StoreAction): void {
  const { frame } = place.node;
  const access: Access = { base: insn.dst, off: insn.off, size, perm: PERM.write };
  const pushValue = (): void => {
    if (source === "k") e.code.i64(insn.imm, insn.imm >> 31);
    else e.push(frame, insn.src);
  };
  if (mayMiss(e, place.slot)) {
    emitIfReal(e, place, access, () => {
      e.code.get(e.wide);
      e.code.op(OP.i32WrapI64);
      pushValue();
      e.code.memory(STORE[size], 0);
    });
    return;
  }
  const offset = pushAddress(e, place, access);
  pushValue();
  e.code.memory(STORE[size], offset);
}
