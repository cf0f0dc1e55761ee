import { hiOf, invariant, joinU64, loOf, printHex } from "@tsbpf/base";
import type { AtomicOp } from "@tsbpf/isa";
import { PERM } from "@tsbpf/memory";
import { type Machine, trap } from "@tsbpf/runtime";
import { addressOf, atomicAt, checkSlow, offsetAt, rememberBounds } from "./access.ts";
import type { BoundsCache } from "./bounds.ts";
import { registers as r } from "./loop.gen.ts";
import { type Code, dstOf, SLOT_SHIFT, srcOf, WORD } from "./predecode.ts";

/** Views of one buffer in every size that an atomic touches. */
interface AtomicViews {
  readonly 1: Uint8Array;
  readonly 2: Uint16Array;
  readonly 4: Int32Array;
  readonly 8: BigInt64Array;
}

const VIEWS = new WeakMap<ArrayBufferLike, AtomicViews>();

function viewsOf(buffer: ArrayBufferLike): AtomicViews {
  let views = VIEWS.get(buffer);
  if (views === undefined) {
    views = {
      1: new Uint8Array(buffer),
      2: new Uint16Array(buffer),
      4: new Int32Array(buffer),
      8: new BigInt64Array(buffer),
    };
    VIEWS.set(buffer, views);
  }
  return views;
}

const permOf = (atomicOp: AtomicOp): number =>
  atomicOp === "load_acquire" ? PERM.read : atomicOp === "store_release" ? PERM.write : PERM.readWrite;

/**
 * Executes the atomic at word index `p` after the loop left it, with real atomics: on shared memory always, on
 * other memory until the instruction remembers its region. Reference isa.md §7.
 *
 * @throws RUN_UNALIGNED, RUN_BOUNDS and its kin (TrapError).
 */
export function atomicSlow(machine: Machine, code: Code, bounds: BoundsCache, p: number): void {
  const shape = atomicAt(code, p);
  invariant(shape !== undefined, "the slot holds an atomic", { p });
  const { atomicOp, size } = shape;
  const word = code.words[p + WORD.op] as number;
  const isLoad = atomicOp === "load_acquire";
  const { lo, hi } = addressOf(isLoad ? srcOf(word) : dstOf(word), offsetAt(code, p));
  const isReal = checkSlow(machine, code, p >> SLOT_SHIFT, { lo, hi, size, perm: permOf(atomicOp) });
  if (!isReal) {
    if (isLoad) put(dstOf(word), 0n);
    return;
  }
  const at = lo >>> 0;
  if (at % size !== 0) {
    throw trap(
      "RUN_UNALIGNED",
      `atomic of ${size} bytes at ${printHex(at)}, a multiple of ${size} is needed`,
      {
        lo: at,
        sizeBytes: size,
      },
    );
  }
  const views = viewsOf(machine.env.memory.wasm.buffer);
  const index = at / size;
  if (size === 8) run64(atomicOp, views[8], index, word);
  else if (size === 4) run32(atomicOp, views[4], index, word);
  else if (isLoad) putLow(dstOf(word), Atomics.load(views[size], index));
  else Atomics.store(views[size], index, r[srcOf(word)] as number);
  if (!isLoad && atomicOp !== "store_release") rememberBounds(machine, code, bounds, p, lo);
}

function put(reg: number, value: bigint): void {
  r[reg] = loOf(value);
  r[reg + 1] = hiOf(value);
}

/** Puts a number of at most 32 bits, zero-extended. */
function putLow(reg: number, value: number): void {
  r[reg] = value;
  r[reg + 1] = 0;
}

/** Executes 32 bits; what is fetched is zero-extended (ISA-70, ISA-71). */
function run32(atomicOp: AtomicOp, cells: Int32Array, index: number, word: number): void {
  const old = swap32(atomicOp, cells, index, r[srcOf(word)] as number);
  const reg = fetchReg(atomicOp, word);
  if (reg !== undefined) putLow(reg, old);
}

function run64(atomicOp: AtomicOp, cells: BigInt64Array, index: number, word: number): void {
  const src = srcOf(word);
  const old = swap64(atomicOp, cells, index, joinU64(r[src] as number, r[src + 1] as number));
  const reg = fetchReg(atomicOp, word);
  if (reg !== undefined) put(reg, old);
}

/** Returns the register that gets the old value; undefined when none does. */
function fetchReg(atomicOp: AtomicOp, word: number): number | undefined {
  switch (atomicOp) {
    case "add":
    case "or":
    case "and":
    case "xor":
    case "store_release":
      return undefined;
    case "cmpxchg":
      return 0;
    case "load_acquire":
      return dstOf(word);
    default:
      return srcOf(word);
  }
}

function swap32(atomicOp: AtomicOp, cells: Int32Array, index: number, value: number): number {
  switch (atomicOp) {
    case "add":
    case "fetch_add":
      return Atomics.add(cells, index, value);
    case "or":
    case "fetch_or":
      return Atomics.or(cells, index, value);
    case "and":
    case "fetch_and":
      return Atomics.and(cells, index, value);
    case "xor":
    case "fetch_xor":
      return Atomics.xor(cells, index, value);
    case "xchg":
      return Atomics.exchange(cells, index, value);
    case "cmpxchg":
      return Atomics.compareExchange(cells, index, r[0] as number, value);
    case "load_acquire":
      return Atomics.load(cells, index);
    case "store_release":
      return Atomics.store(cells, index, value);
  }
}

function swap64(atomicOp: AtomicOp, cells: BigInt64Array, index: number, value: bigint): bigint {
  switch (atomicOp) {
    case "add":
    case "fetch_add":
      return Atomics.add(cells, index, value);
    case "or":
    case "fetch_or":
      return Atomics.or(cells, index, value);
    case "and":
    case "fetch_and":
      return Atomics.and(cells, index, value);
    case "xor":
    case "fetch_xor":
      return Atomics.xor(cells, index, value);
    case "xchg":
      return Atomics.exchange(cells, index, value);
    case "cmpxchg":
      return Atomics.compareExchange(cells, index, joinU64(r[0] as number, r[1] as number), value);
    case "load_acquire":
      return Atomics.load(cells, index);
    case "store_release":
      return Atomics.store(cells, index, value);
  }
}
