import { type Endian, printHex } from "@tsbpf/base";
import type { BtfEnum, BtfEnum64, BtfInt } from "../types.ts";
import { quote, type ValueNode } from "./node.ts";

const scalar = (text: string, json: null | boolean | number | string = text): ValueNode => ({
  kind: "scalar",
  text,
  json,
});

/** Reads an unsigned integer of any width. */
function readUnsigned(bytes: Uint8Array, endian: Endian): bigint {
  let value = 0n;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[endian === "little" ? bytes.length - 1 - i : i] ?? 0;
    value = (value << 8n) | BigInt(byte);
  }
  return value;
}

/** Reads a run of bits; bit 0 is the lowest of the first byte, or in big-endian data the highest. */
export function readBits(bytes: Uint8Array, offsetBits: number, sizeBits: number, endian: Endian): bigint {
  const first = Math.floor(offsetBits / 8);
  const part = bytes.subarray(first, Math.ceil((offsetBits + sizeBits) / 8));
  const start = offsetBits - 8 * first;
  const shift = endian === "little" ? start : 8 * part.length - start - sizeBits;
  return BigInt.asUintN(sizeBits, readUnsigned(part, endian) >> BigInt(Math.max(0, shift)));
}

/** Bit-fields and integers of 128 bits read as hex, signed or not, as bpftool has them. */
export function hexNode(value: bigint): ValueNode {
  const text = printHex(value);
  return scalar(text);
}

/** Integers of 64 bits are hex strings in JSON, because readers lose digits of large numbers. */
function decimalNode(value: bigint, sizeBytes: number): ValueNode {
  return scalar(value.toString(), sizeBytes > 4 ? printHex(value) : Number(value));
}

const FIRST_PRINTABLE = 0x20;
const LAST_PRINTABLE = 0x7e;
/** Says whether a byte is a printable ASCII character. */
export const isPrintable = (byte: number): boolean => byte >= FIRST_PRINTABLE && byte <= LAST_PRINTABLE;

function charNode(byte: number): ValueNode {
  if (isPrintable(byte)) {
    const text = String.fromCharCode(byte);
    return scalar(quote(text), text);
  }
  return scalar(printHex(byte), String.fromCharCode(byte));
}

const PLAIN_SIZES: readonly number[] = [8, 16, 32, 64];

/** Formats an integer that starts on a byte. */
export function intNode(type: BtfInt, bytes: Uint8Array, endian: Endian): ValueNode {
  const { sizeBits, sizeBytes } = type;
  if (type.offsetBits !== 0 || sizeBits % 8 !== 0) {
    return hexNode(readBits(bytes, type.offsetBits, sizeBits, endian));
  }
  const value = readUnsigned(bytes, endian);
  if (type.encoding === "bool") return scalar(value === 0n ? "false" : "true", value !== 0n);
  if (type.encoding === "char") return charNode(bytes[0] ?? 0);
  if (!PLAIN_SIZES.includes(sizeBits)) return hexNode(BigInt.asUintN(sizeBits, value));
  return decimalNode(
    type.encoding === "signed" ? BigInt.asIntN(sizeBits, value) : BigInt.asUintN(sizeBits, value),
    sizeBytes,
  );
}

/** Formats an enumeration by name, or as a signed number that has none. */
export function enumNode(type: BtfEnum | BtfEnum64, bytes: Uint8Array, endian: Endian): ValueNode {
  const value = BigInt.asIntN(8 * type.sizeBytes, readUnsigned(bytes, endian));
  const bits = type.kind === "enum" ? 32 : 64;
  const found = type.values.find((candidate) => BigInt.asIntN(bits, candidate.value) === value);
  if (found !== undefined) return scalar(quote(found.name), found.name);
  if (type.sizeBytes <= 4 || type.isSigned) return decimalNode(value, type.sizeBytes);
  return scalar(value.toString(), printHex(BigInt.asUintN(8 * type.sizeBytes, value)));
}

/** Formats a pointer. */
export function pointerNode(bytes: Uint8Array, endian: Endian): ValueNode {
  const value = readUnsigned(bytes, endian);
  return scalar(value === 0n ? "(nil)" : printHex(value), printHex(value));
}

/** Formats a floating-point number, which bpftool cannot. */
export function floatNode(bytes: Uint8Array, endian: Endian): ValueNode {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLittle = endian === "little";
  if (bytes.length !== 4 && bytes.length !== 8) return hexNode(readUnsigned(bytes, endian));
  const value = bytes.length === 4 ? view.getFloat32(0, isLittle) : view.getFloat64(0, isLittle);
  return scalar(String(value), Number.isFinite(value) ? value : String(value));
}

/** Formats characters up to their NUL; undefined when they are no printable string. */
export function stringNode(bytes: Uint8Array): ValueNode | undefined {
  const end = bytes.indexOf(0);
  if (end < 0) return undefined;
  const part = bytes.subarray(0, end);
  if (!part.every(isPrintable)) return undefined;
  const text = String.fromCharCode(...part);
  return scalar(quote(text), text);
}

export const NOTHING: ValueNode = scalar("null", null);
