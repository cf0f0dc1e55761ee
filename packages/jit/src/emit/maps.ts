import { MAP_ELEMENT, MAP_HEADER } from "@tsbpf/abi";
import { alignUp } from "@tsbpf/base";
import type { LinkedProg } from "@tsbpf/runtime";
import { CELL } from "../run/cell.ts";
import { ALIGN_LOG2, ATOMIC_LOAD, BULK, OP, TYPE } from "../wasm/opcodes.ts";
import type { Emitter } from "./emitter.ts";
import { emitTrieFind } from "./lpm.ts";

type LiveMap = LinkedProg["maps"][number];

/** Constants of the hash function that `packages/maps/LAYOUT.md` states. */
const HASH = {
  wordFactor: 0x9e37_79b1 | 0,
  rotate: 15,
  endFactor: 0x85eb_ca6b | 0,
  endShift: 16,
  lastShift: 13,
} as const;

/** Values of up to this many bytes are copied word by word. */
const COPY_WORDS_MAX = 64;

const isArray = (map: LiveMap): boolean => map.spec.type.endsWith("array");
const isHash = (map: LiveMap): boolean => map.spec.type.endsWith("hash");
const isLru = (map: LiveMap): boolean => map.spec.type.startsWith("lru");

/** Pushes the address of the value for the key at the address in `word`, or 0, as 64 bits. Uses the other words. */
export function pushLookup(e: Emitter, map: LiveMap): void {
  const { code } = e;
  pushFound(e, map);
  code.if(TYPE.i64);
  pushValue(e, map);
  code.op(OP.i64ExtendI32U);
  code.else();
  code.i64(0, 0);
  code.end();
}

/**
 * Looks for the key at the address in `word`; pushes a word that is not 0 when it is there, or when it `isMissing`.
 * Engines put behind a branch what runs when its condition holds, so who jumps on null should ask for that.
 */
export function pushFound(e: Emitter, map: LiveMap, isMissing = false): void {
  const { code } = e;
  if (isArray(map)) {
    code.get(e.word);
    code.memory(OP.i32Load, 0);
    code.tee(e.word2);
    code.i32(map.spec.maxEntries);
    code.op(isMissing ? OP.i32GeU : OP.i32LtU);
    return;
  }
  if (isHash(map)) emitFind(e, map);
  else emitTrieFind(e, map);
  if (isLru(map)) {
    code.get(e.word3);
    code.if();
    emitMark(e);
    code.end();
  }
  code.get(e.word3);
  if (isMissing) code.op(OP.i32Eqz);
}

/** Pushes the address of the value that `pushFound` found; of nothing useful when it found none. */
export function pushValue(e: Emitter, map: LiveMap): void {
  const { code } = e;
  if (isArray(map)) {
    code.get(e.word2);
    code.i32(alignUp(map.spec.valueBytes, 8));
    code.op(OP.i32Mul);
    code.i32(e.readWord(map.address + MAP_HEADER.data));
  } else {
    code.get(e.word3);
    code.i32(e.readWord(map.address + MAP_HEADER.valueOffset));
  }
  code.op(OP.i32Add);
  pushCpuOffset(e, map);
}

function pushCpuOffset(e: Emitter, map: LiveMap): void {
  if (map.spec.type === "lpm_trie") return;
  const stride = e.readWord(map.address + MAP_HEADER.cpuStride);
  if (stride === 0) return;
  e.pushCell();
  e.code.memory(OP.i32Load, CELL.cpu);
  e.code.i32(stride);
  e.code.op(OP.i32Mul);
  e.code.op(OP.i32Add);
}

/** Marks the element in `word3` as used; writing only when it is not marked keeps the cache line clean. */
function emitMark(e: Emitter): void {
  const { code } = e;
  code.get(e.word3);
  code.memory(OP.i32Load8U, MAP_ELEMENT.lruRef);
  code.op(OP.i32Eqz);
  code.if();
  code.get(e.word3);
  code.i32(1);
  code.memory(OP.i32Store8, MAP_ELEMENT.lruRef);
  code.end();
}

export interface Find {
  /** Whether `word4` is to hold the address of the word that points to the element. */
  readonly keepsLink?: boolean;
  /**
   * Whether other threads may change the map meanwhile. All that they write is loaded atomically then: such loads
   * happen in order, so that the one which tells whether something has changed comes after them on every processor.
   */
  readonly isWatched?: boolean;
}

/** Leaves the element for the key at the address in `word`, or 0, in `word3`, and the hash in `word2`. */
export function emitFind(
  e: Emitter,
  map: LiveMap,
  { keepsLink = false, isWatched = false }: Find = {},
): void {
  const { code } = e;
  const load = (offset: number): void => loadWord(e, offset, isWatched);
  const { keyBytes } = map.spec;
  const buckets = e.readWord(map.address + MAP_HEADER.buckets);
  const mask = e.readWord(map.address + MAP_HEADER.mask);
  const keyOffset = e.readWord(map.address + MAP_HEADER.keyOffset);
  pushHash(e, keyBytes, e.readWord(map.address + MAP_HEADER.seed));
  code.tee(e.word2);
  code.i32(mask);
  code.op(OP.i32And);
  code.i32(2);
  code.op(OP.i32Shl);
  if (keepsLink) {
    code.i32(buckets);
    code.op(OP.i32Add);
    code.tee(e.word4);
    load(0);
  } else load(buckets);
  code.set(e.word3);
  code.block();
  code.loop();
  code.get(e.word3);
  code.op(OP.i32Eqz);
  code.brIf(1);
  // The whole key decides; comparing hashes first would only save work for long keys.
  if (keyBytes > 16) {
    code.get(e.word3);
    load(MAP_ELEMENT.hash);
    code.get(e.word2);
    code.op(OP.i32Eq);
    code.if();
    pushDifference(e, keyBytes, keyOffset, isWatched);
    code.op(OP.i32Eqz);
    code.brIf(2);
    code.end();
  } else {
    pushDifference(e, keyBytes, keyOffset, isWatched);
    code.op(OP.i32Eqz);
    code.brIf(1);
  }
  if (keepsLink) {
    code.get(e.word3);
    code.set(e.word4);
  }
  code.get(e.word3);
  load(MAP_ELEMENT.next);
  code.set(e.word3);
  code.br(0);
  code.end();
  code.end();
}

function loadWord({ code }: Emitter, offset: number, isAtomic: boolean): void {
  if (isAtomic) code.atomic(ATOMIC_LOAD.i32, ALIGN_LOG2[4], offset);
  else code.memory(OP.i32Load, offset);
}

/** Parts of `bytes` bytes as loads can take them. */
function* partsOf(bytes: number): Generator<{ readonly at: number; readonly size: 1 | 2 | 4 | 8 }> {
  let at = 0;
  for (const size of [8, 4, 2, 1] as const) {
    for (; at + size <= bytes; at += size) yield { at, size };
  }
}

const LOAD_64 = { 1: OP.i64Load8U, 2: OP.i64Load16U, 4: OP.i64Load32U, 8: OP.i64Load } as const;
const STORE_64 = { 1: OP.i64Store8, 2: OP.i64Store16, 4: OP.i64Store32, 8: OP.i64Store } as const;

/** Pushes a word that is 0 when the key at `word` is that of the element in `word3`. */
function pushDifference(e: Emitter, keyBytes: number, keyOffset: number, isAtomic: boolean): void {
  const { code } = e;
  let isFirst = true;
  for (const { at, size } of partsOf(keyBytes)) {
    code.get(e.word);
    code.memory(LOAD_64[size], at);
    code.get(e.word3);
    // Elements are aligned to 8 bytes and so are their keys, so each part is aligned to its size.
    if (isAtomic) code.atomic(ATOMIC_LOAD.i64[size], ALIGN_LOG2[size], keyOffset + at);
    else code.memory(LOAD_64[size], keyOffset + at);
    code.op(OP.i64Xor);
    if (!isFirst) code.op(OP.i64Or);
    isFirst = false;
  }
  code.i64(0, 0);
  code.op(OP.i64Ne);
}

/** Pushes the hash of the key at the address in `word`. */
function pushHash(e: Emitter, keyBytes: number, seed: number): void {
  const { code } = e;
  code.i32(seed ^ keyBytes);
  for (let at = 0; at < keyBytes; at += 4) {
    pushKeyWord(e, at, Math.min(4, keyBytes - at));
    code.op(OP.i32Xor);
    code.i32(HASH.wordFactor);
    code.op(OP.i32Mul);
    code.i32(HASH.rotate);
    code.op(OP.i32Rotl);
  }
  foldRight(e, HASH.endShift);
  code.i32(HASH.endFactor);
  code.op(OP.i32Mul);
  foldRight(e, HASH.lastShift);
}

/** Combines the pushed word with itself shifted right. */
function foldRight(e: Emitter, by: number): void {
  const { code } = e;
  code.tee(e.word2);
  code.get(e.word2);
  code.i32(by);
  code.op(OP.i32ShrU);
  code.op(OP.i32Xor);
}

function pushKeyWord(e: Emitter, at: number, bytes: number): void {
  const { code } = e;
  const load = (opcode: number, offset: number): void => {
    code.get(e.word);
    code.memory(opcode, offset);
  };
  if (bytes === 4) load(OP.i32Load, at);
  else if (bytes === 1) load(OP.i32Load8U, at);
  else load(OP.i32Load16U, at);
  if (bytes !== 3) return;
  load(OP.i32Load8U, at + 2);
  code.i32(16);
  code.op(OP.i32Shl);
  code.op(OP.i32Or);
}

/** Copies bytes from the address that `pushFrom` pushes to the one that `pushTo` pushes, plus an offset. */
function emitCopy(
  e: Emitter,
  bytes: number,
  to: { readonly local: number; readonly offset: number },
  from: { readonly local: number; readonly offset: number },
): void {
  const { code } = e;
  if (bytes > COPY_WORDS_MAX) {
    for (const { local, offset } of [to, from]) {
      code.get(local);
      code.i32(offset);
      code.op(OP.i32Add);
    }
    code.i32(bytes);
    code.op(OP.prefixBulk);
    code.u32(BULK.memoryCopy);
    code.u8(0);
    code.u8(0);
    return;
  }
  for (const { at, size } of partsOf(bytes)) {
    code.get(to.local);
    code.get(from.local);
    code.memory(LOAD_64[size], from.offset + at);
    code.memory(STORE_64[size], to.offset + at);
  }
}

/**
 * Writes an update of the key at `word` to the value at the address in `value` when the key is present and only
 * elements are swapped: the CPU's spare element takes the old one's place in its chain and in the order table, and
 * the old one becomes the spare. Everything else goes to the map itself.
 *
 * Leaves the status in `word4`.
 *
 * @param callMap - pushes the map's own answer.
 */
export function emitSwapUpdate(e: Emitter, map: LiveMap, value: number, callMap: () => void): void {
  const { code } = e;
  const { keyBytes, valueBytes } = map.spec;
  const keyOffset = e.readWord(map.address + MAP_HEADER.keyOffset);
  const valueOffset = e.readWord(map.address + MAP_HEADER.valueOffset);
  emitFind(e, map, { keepsLink: true });
  code.get(e.word3);
  code.if();
  pushSpareAddress(e, map);
  code.memory(OP.i32Load, 0);
  code.set(e.spare);
  // The spare is the CPU's own until it is linked, so the order of these stores is free.
  emitCopy(e, keyBytes, { local: e.spare, offset: keyOffset }, { local: e.word, offset: 0 });
  emitCopy(e, valueBytes, { local: e.spare, offset: valueOffset }, { local: value, offset: 0 });
  copyWord(e, MAP_ELEMENT.hash, () => code.get(e.word2));
  copyWord(e, MAP_ELEMENT.next, () => loadOld(e, MAP_ELEMENT.next));
  copyWord(e, MAP_ELEMENT.order, () => loadOld(e, MAP_ELEMENT.order));
  code.get(e.word4);
  code.get(e.spare);
  code.memory(OP.i32Store, 0);
  code.i32(map.address);
  code.memory(OP.i32Load, MAP_HEADER.order);
  loadOld(e, MAP_ELEMENT.order);
  code.i32(2);
  code.op(OP.i32Shl);
  code.op(OP.i32Add);
  code.get(e.spare);
  code.memory(OP.i32Store, 0);
  pushSpareAddress(e, map);
  code.get(e.word3);
  code.memory(OP.i32Store, 0);
  code.i32(0);
  code.set(e.word4);
  code.else();
  callMap();
  code.set(e.word4);
  code.end();
}

function loadOld(e: Emitter, offset: number): void {
  e.code.get(e.word3);
  e.code.memory(OP.i32Load, offset);
}

/** Stores a word in the spare element. */
function copyWord(e: Emitter, offset: number, push: () => void): void {
  e.code.get(e.spare);
  push();
  e.code.memory(OP.i32Store, offset);
}

function pushSpareAddress(e: Emitter, map: LiveMap): void {
  const { code } = e;
  e.pushCell();
  code.memory(OP.i32Load, CELL.cpu);
  code.i32(2);
  code.op(OP.i32Shl);
  code.i32(map.address + MAP_HEADER.extra);
  code.op(OP.i32Add);
}
