import { OP, TYPE } from "./opcodes.ts";
import { ByteWriter } from "./writer.ts";

/** Writes the instructions of one function body; a thin layer that knows the immediates. */
export class CodeWriter extends ByteWriter {
  op(opcode: number): void {
    this.u8(opcode);
  }
  get(local: number): void {
    this.u8(OP.localGet);
    this.u32(local);
  }
  set(local: number): void {
    this.u8(OP.localSet);
    this.u32(local);
  }
  tee(local: number): void {
    this.u8(OP.localTee);
    this.u32(local);
  }
  globalGet(global: number): void {
    this.u8(OP.globalGet);
    this.u32(global);
  }
  i32(value: number): void {
    this.u8(OP.i32Const);
    this.s32(value);
  }
  /** Pushes a 64-bit constant, given by its halves. */
  i64(lo: number, hi: number): void {
    this.u8(OP.i64Const);
    this.s64(lo, hi);
  }
  /** Pushes a whole number below 2^53 as a 64-bit constant. */
  i64n(value: number): void {
    this.i64((value % 0x1_0000_0000) | 0, Math.floor(value / 0x1_0000_0000));
  }
  call(index: number): void {
    this.u8(OP.call);
    this.u32(index);
  }
  br(depth: number): void {
    this.u8(OP.br);
    this.u32(depth);
  }
  brIf(depth: number): void {
    this.u8(OP.brIf);
    this.u32(depth);
  }
  block(): void {
    this.u8(OP.block);
    this.u8(TYPE.empty);
  }
  loop(): void {
    this.u8(OP.loop);
    this.u8(TYPE.empty);
  }
  if(type: number = TYPE.empty): void {
    this.u8(OP.if);
    this.u8(type);
  }
  else(): void {
    this.u8(OP.else);
  }
  end(): void {
    this.u8(OP.end);
  }
  /**
   * Writes a load or store; no alignment is promised, x86 and arm64 do not care.
   *
   * @param offset - static, not negative.
   */
  memory(opcode: number, offset: number): void {
    this.u8(opcode);
    this.u32(0);
    this.u32(offset);
  }
  /** Writes an atomic access, whose natural alignment is part of its encoding. */
  atomic(opcode: number, alignLog2: number, offset = 0): void {
    this.u8(OP.prefixAtomic);
    this.u32(opcode);
    this.u32(alignLog2);
    this.u32(offset);
  }
  callIndirect(opcode: number, typeIdx: number, tableIdx: number): void {
    this.u8(opcode);
    this.u32(typeIdx);
    this.u32(tableIdx);
  }
}
