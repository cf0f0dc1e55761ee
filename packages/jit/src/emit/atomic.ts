import type { Action, AtomicOp, Insn } from "@tsbpf/isa";
import { PERM } from "@tsbpf/memory";
import { ALIGN_LOG2, ATOMIC_LOAD, OP } from "../wasm/opcodes.ts";
import type { Emitter } from "./emitter.ts";
import { type Access, emitIfReal, loadOp, mayMiss, pushAddress, pushIfReal, storeOp } from "./memory.ts";
import type { Place } from "./place.ts";

type AtomicAction = Extract<Action, { kind: "atomic" }>;

/** What an operation does to the old value and the source; undefined for those that only move. */
const COMBINE = {
  add: OP.i64Add,
  or: OP.i64Or,
  and: OP.i64And,
  xor: OP.i64Xor,
  fetch_add: OP.i64Add,
  fetch_or: OP.i64Or,
  fetch_and: OP.i64And,
  fetch_xor: OP.i64Xor,
  xchg: undefined,
  cmpxchg: undefined,
  load_acquire: undefined,
  store_release: undefined,
} as const satisfies Record<AtomicOp, number | undefined>;

/** Atomic opcodes on shared memory: 64 bits, then 32 bits extended. @source WebAssembly threads proposal */
const SHARED_RMW = {
  add: [0x1f, 0x24],
  or: [0x34, 0x39],
  and: [0x2d, 0x32],
  xor: [0x3b, 0x40],
  fetch_add: [0x1f, 0x24],
  fetch_or: [0x34, 0x39],
  fetch_and: [0x2d, 0x32],
  fetch_xor: [0x3b, 0x40],
  xchg: [0x42, 0x47],
  cmpxchg: [0x49, 0x4e],
} as const satisfies Partial<Record<AtomicOp, readonly [number, number]>>;
const SHARED_STORE = { 1: 0x1b, 2: 0x1c, 4: 0x1d, 8: 0x18 } as const;

const permOf = (op: AtomicOp): number =>
  op === "load_acquire" ? PERM.read : op === "store_release" ? PERM.write : PERM.readWrite;

/**
 * Writes an atomic (reference isa.md §7). Memory that nobody shares needs no atomic instructions, which cost thirty
 * times as much.
 */
export function emitAtomic(e: Emitter, place: Place, insn: Insn, action: AtomicAction): void {
  const { atomicOp, size } = action;
  const isLoad = atomicOp === "load_acquire";
  const access: Access = {
    base: isLoad ? insn.src : insn.dst,
    off: insn.off,
    size,
    perm: permOf(atomicOp),
    isAtomic: true,
  };
  const { frame } = place.node;
  if (isLoad) {
    if (mayMiss(e, place.slot)) pushIfReal(e, place, access, () => load(e, action, pushFound(e)));
    else load(e, action, pushAddress(e, place, access));
    e.pop(frame, insn.dst);
    return;
  }
  const act = (offset: number): void => {
    if (atomicOp === "store_release") store(e, place, insn, action, offset);
    else if (e.mode.isShared) shared(e, place, insn, action, offset);
    else plain(e, place, insn, action, offset);
  };
  if (mayMiss(e, place.slot)) emitIfReal(e, place, access, () => act(pushFound(e)));
  else act(pushAddress(e, place, access));
}

function pushFound(e: Emitter): number {
  e.code.get(e.wide);
  e.code.op(OP.i32WrapI64);
  return 0;
}

/** Turns an address with a static offset into one without. */
function foldOffset(e: Emitter, offset: number): void {
  if (offset === 0) return;
  e.code.i32(offset);
  e.code.op(OP.i32Add);
}

function load(e: Emitter, { size }: AtomicAction, offset: number): void {
  if (!e.mode.isShared) {
    e.code.memory(loadOp(size), offset);
    return;
  }
  foldOffset(e, offset);
  e.code.atomic(ATOMIC_LOAD.i64[size], ALIGN_LOG2[size]);
}

function store(e: Emitter, { node }: Place, insn: Insn, { size }: AtomicAction, offset: number): void {
  if (e.mode.isShared) foldOffset(e, offset);
  e.push(node.frame, insn.src);
  if (e.mode.isShared) e.code.atomic(SHARED_STORE[size], ALIGN_LOG2[size]);
  else e.code.memory(storeOp(size), offset);
}

/** Pushes the value that `cmpxchg` compares with: r0, or its low half. */
function pushExpected(e: Emitter, { node }: Place, size: number): void {
  e.push(node.frame, 0);
  if (size === 8) return;
  e.code.i64(-1, 0);
  e.code.op(OP.i64And);
}

function shared(
  e: Emitter,
  place: Place,
  insn: Insn,
  { atomicOp, size }: AtomicAction,
  offset: number,
): void {
  const opcodes = SHARED_RMW[atomicOp as keyof typeof SHARED_RMW];
  const { frame } = place.node;
  foldOffset(e, offset);
  if (atomicOp === "cmpxchg") pushExpected(e, place, size);
  e.push(frame, insn.src);
  e.code.atomic(opcodes[size === 8 ? 0 : 1], ALIGN_LOG2[size]);
  finish(e, place, insn, atomicOp);
}

/** Puts the old value on the stack where it belongs. */
function finish(e: Emitter, { node }: Place, insn: Insn, atomicOp: AtomicOp): void {
  if (atomicOp === "cmpxchg") e.pop(node.frame, 0);
  else if (atomicOp === "add" || atomicOp === "or" || atomicOp === "and" || atomicOp === "xor")
    e.code.op(OP.drop);
  else e.pop(node.frame, insn.src);
}

function plain(e: Emitter, place: Place, insn: Insn, { atomicOp, size }: AtomicAction, offset: number): void {
  const { code } = e;
  const { frame } = place.node;
  code.tee(e.word);
  code.memory(loadOp(size), offset);
  code.set(e.wide2);
  if (atomicOp === "cmpxchg") {
    code.get(e.wide2);
    pushExpected(e, place, size);
    code.op(OP.i64Eq);
    code.if();
  }
  code.get(e.word);
  const combine = COMBINE[atomicOp];
  if (combine !== undefined) code.get(e.wide2);
  e.push(frame, insn.src);
  if (combine !== undefined) code.op(combine);
  code.memory(storeOp(size), offset);
  if (atomicOp === "cmpxchg") code.end();
  code.get(e.wide2);
  finish(e, place, insn, atomicOp);
}
