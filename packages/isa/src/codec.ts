import { type Endian, InputError } from "@tsbpf/base";
import type { Insn } from "./insn.ts";

/** Bytes of one slot. */
export const SLOT_BYTES = 8;

/**
 * Decodes slots; every bit pattern decodes, validity is the verifier's question.
 *
 * @param bytes - a whole number of 8-byte slots.
 * @param endian - byte order of the object; it also swaps the register nibbles.
 * @throws ISA_LENGTH (InputError) when the length is not a multiple of 8.
 * @source RFC 9669 §3.1
 */
export function decodeInsns(bytes: Uint8Array, endian: Endian = "little"): Insn[] {
  if (bytes.byteLength % SLOT_BYTES !== 0) {
    throw new InputError(
      "ISA_LENGTH",
      `code of ${bytes.byteLength} bytes, whole 8-byte slots needed, ${bytes.byteLength % SLOT_BYTES} bytes left over`,
      { details: { lengthBytes: bytes.byteLength } },
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLittle = endian === "little";
  const insns: Insn[] = [];
  for (let at = 0; at < bytes.byteLength; at += SLOT_BYTES) {
    const regs = view.getUint8(at + 1);
    const low = regs & 0xf;
    const high = regs >> 4;
    insns.push({
      op: view.getUint8(at),
      dst: isLittle ? low : high,
      src: isLittle ? high : low,
      off: view.getInt16(at + 2, isLittle),
      imm: view.getInt32(at + 4, isLittle),
    });
  }
  return insns;
}

function checkFields(insn: Insn, slot: number): void {
  if (insn.op >>> 8 === 0 && insn.dst >>> 4 === 0 && insn.src >>> 4 === 0) return;
  throw new InputError(
    "ISA_FIELD_RANGE",
    `op ${insn.op}, dst ${insn.dst}, src ${insn.src} at slot ${slot}, 0..255, 0..15, 0..15 allowed`,
    { details: { slot, insn } },
  );
}

/**
 * Encodes slots; the inverse of {@link decodeInsns}.
 *
 * @param insns - `off` and `imm` wrap to their 16 and 32 bits.
 * @throws ISA_FIELD_RANGE (InputError) when an opcode or register number does not fit its bits.
 * @source RFC 9669 §3.1
 */
export function encodeInsns(insns: readonly Insn[], endian: Endian = "little"): Uint8Array {
  const bytes = new Uint8Array(insns.length * SLOT_BYTES);
  const view = new DataView(bytes.buffer);
  const isLittle = endian === "little";
  insns.forEach((insn, slot) => {
    checkFields(insn, slot);
    const at = slot * SLOT_BYTES;
    view.setUint8(at, insn.op);
    view.setUint8(at + 1, isLittle ? (insn.src << 4) | insn.dst : (insn.dst << 4) | insn.src);
    view.setInt16(at + 2, insn.off, isLittle);
    view.setInt32(at + 4, insn.imm, isLittle);
  });
  return bytes;
}
