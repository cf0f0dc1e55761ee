import type { Action, Insn } from "@tsbpf/isa";
import type { Frame } from "../ir/graph.ts";
import { OP } from "../wasm/opcodes.ts";
import type { Emitter } from "./emitter.ts";

type EndAction = Extract<Action, { kind: "end" }>;

const EVEN_BYTES = 0x00ff_00ff;
const ODD_BYTES = 0xff00_ff00 | 0;

/** Writes `end` and `bswap` (reference isa.md §5) for a little-endian host. */
export function emitEnd(e: Emitter, frame: Frame, insn: Insn, { order, bits }: EndAction): void {
  if (order === "le") truncate(e, frame, insn.dst, bits);
  else SWAP[bits](e, frame, insn.dst);
}

function truncate(e: Emitter, frame: Frame, reg: number, bits: 16 | 32 | 64): void {
  if (bits === 64) return;
  e.push(frame, reg);
  e.code.i64(bits === 16 ? 0xffff : -1, 0);
  e.code.op(OP.i64And);
  e.pop(frame, reg);
}

const SWAP: Readonly<Record<16 | 32 | 64, (e: Emitter, frame: Frame, reg: number) => void>> = {
  16: (e, frame, reg) => {
    const { code } = e;
    e.pushLow(frame, reg);
    code.tee(e.word);
    code.i32(8);
    code.op(OP.i32Shl);
    code.i32(0xff00);
    code.op(OP.i32And);
    code.get(e.word);
    code.i32(8);
    code.op(OP.i32ShrU);
    code.i32(0xff);
    code.op(OP.i32And);
    code.op(OP.i32Or);
    e.popLow(frame, reg);
  },
  32: (e, frame, reg) => {
    e.pushLow(frame, reg);
    pushSwapped(e);
    e.popLow(frame, reg);
  },
  64: (e, frame, reg) => {
    const { code } = e;
    e.pushLow(frame, reg);
    pushSwapped(e);
    code.op(OP.i64ExtendI32U);
    code.i64(32, 0);
    code.op(OP.i64Shl);
    e.push(frame, reg);
    code.i64(32, 0);
    code.op(OP.i64ShrU);
    code.op(OP.i32WrapI64);
    pushSwapped(e);
    code.op(OP.i64ExtendI32U);
    code.op(OP.i64Or);
    e.pop(frame, reg);
  },
};

/** Swaps the four bytes of the pushed word. */
const pushSwapped = (e: Emitter): void => pushSwappedWord(e, e.word);

/** Swaps the four bytes of the pushed word by way of a local: two rotations, each of which puts two bytes in place. */
export function pushSwappedWord(e: Emitter, local: number): void {
  const { code } = e;
  code.tee(local);
  code.i32(8);
  code.op(OP.i32Rotl);
  code.i32(EVEN_BYTES);
  code.op(OP.i32And);
  code.get(local);
  code.i32(8);
  code.op(OP.i32Rotr);
  code.i32(ODD_BYTES);
  code.op(OP.i32And);
  code.op(OP.i32Or);
}
