import { MAP_HEADER } from "@tsbpf/abi";
import type { LiveMap } from "../ir/lowered.ts";
import { OP, TYPE } from "../wasm/opcodes.ts";
import type { Emitter } from "./emitter.ts";
import { pushSwappedWord } from "./swap.ts";

/** Offsets in a node and in a key, as `packages/maps/LAYOUT.md` states them. */
const NODE = { children: 0, prefixBits: 8, isInner: 12, data: 16 } as const;
const KEY = { prefixBits: 0, data: 4 } as const;

/**
 * Leaves the node whose prefix is the longest that matches the key at the address in `word`, or 0, in `word3`. The
 * address bits are kept in `wide` and `wide2`, most significant first.
 */
export function emitTrieFind(e: Emitter, map: LiveMap): void {
  const { code } = e;
  const bytes = map.spec.keyBytes - KEY.data;
  code.i32(0);
  code.set(e.word3);
  code.get(e.word);
  code.memory(OP.i32Load, KEY.prefixBits);
  code.tee(e.word4);
  code.i32(8 * bytes);
  code.op(OP.i32LeU);
  code.if();
  keepAddress(e, bytes);
  code.i32(map.address);
  code.memory(OP.i32Load, MAP_HEADER.extra);
  code.set(e.word2);
  emitWalk(e, bytes);
  code.end();
}

/** Keeps the address bits of the key. */
function keepAddress(e: Emitter, bytes: number): void {
  if (bytes === 4) {
    pushBig32(e, e.word, KEY.data);
    e.code.op(OP.i64ExtendI32U);
  } else pushBig64(e, e.word, KEY.data);
  e.code.set(e.wide);
  if (bytes !== 16) return;
  pushBig64(e, e.word, KEY.data + 8);
  e.code.set(e.wide2);
}

/** Walks from the node in `word2` down; the last node with a value that matches is in `word3`. */
function emitWalk(e: Emitter, bytes: number): void {
  const { code } = e;
  code.block();
  code.loop();
  code.get(e.word2);
  code.op(OP.i32Eqz);
  code.brIf(1);
  code.get(e.word2);
  code.memory(OP.i32Load, NODE.prefixBits);
  code.tee(e.value);
  code.get(e.word4);
  code.op(OP.i32GtU);
  code.brIf(1);
  pushCommonBits(e, bytes);
  code.get(e.value);
  code.op(OP.i32LtU);
  code.brIf(1);
  code.get(e.word2);
  code.memory(OP.i32Load, NODE.isInner);
  code.op(OP.i32Eqz);
  code.if();
  code.get(e.word2);
  code.set(e.word3);
  code.end();
  code.get(e.value);
  code.i32(8 * bytes);
  code.op(OP.i32Eq);
  code.brIf(1);
  code.get(e.word2);
  pushNextBit(e, bytes);
  code.i32(2);
  code.op(OP.i32Shl);
  code.op(OP.i32Add);
  code.memory(OP.i32Load, NODE.children);
  code.set(e.word2);
  code.br(0);
  code.end();
  code.end();
}

/** Pushes how many bits of the key and of the node's prefix agree. */
function pushCommonBits(e: Emitter, bytes: number): void {
  const { code } = e;
  if (bytes === 4) {
    pushBig32(e, e.word2, NODE.data);
    code.get(e.wide);
    code.op(OP.i32WrapI64);
    code.op(OP.i32Xor);
    code.op(OP.i32Clz);
    return;
  }
  const pushCommon = (offset: number, key: number): void => {
    pushBig64(e, e.word2, NODE.data + offset);
    code.get(key);
    code.op(OP.i64Xor);
    code.op(OP.i64Clz);
    code.op(OP.i32WrapI64);
  };
  pushCommon(0, e.wide);
  if (bytes === 8) return;
  code.tee(e.spare);
  code.i32(64);
  code.op(OP.i32Eq);
  code.if(TYPE.i32);
  pushCommon(8, e.wide2);
  code.i32(64);
  code.op(OP.i32Add);
  code.else();
  code.get(e.spare);
  code.end();
}

/** Pushes the bit of the key behind the prefix, whose length is in `value` and less than the key's. */
function pushNextBit(e: Emitter, bytes: number): void {
  const { code } = e;
  if (bytes === 4) {
    code.get(e.wide);
    code.op(OP.i32WrapI64);
    code.get(e.value);
    code.op(OP.i32Shl);
    code.i32(31);
    code.op(OP.i32ShrU);
    return;
  }
  code.get(e.wide);
  if (bytes === 16) {
    code.get(e.wide2);
    code.get(e.value);
    code.i32(64);
    code.op(OP.i32LtU);
    code.op(OP.select);
  }
  // Shifts take the low six bits of their amount.
  code.get(e.value);
  code.op(OP.i64ExtendI32U);
  code.op(OP.i64Shl);
  code.i64(63, 0);
  code.op(OP.i64ShrU);
  code.op(OP.i32WrapI64);
}

/** Pushes four bytes of memory as a number, the first being the most significant. */
function pushBig32(e: Emitter, address: number, offset: number): void {
  e.code.get(address);
  e.code.memory(OP.i32Load, offset);
  pushSwappedWord(e, e.spare);
}

function pushBig64(e: Emitter, address: number, offset: number): void {
  const { code } = e;
  pushBig32(e, address, offset);
  code.op(OP.i64ExtendI32U);
  code.i64(32, 0);
  code.op(OP.i64Shl);
  pushBig32(e, address, offset + 4);
  code.op(OP.i64ExtendI32U);
  code.op(OP.i64Or);
}
