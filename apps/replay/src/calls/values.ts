import { errnoName, type RetSpec } from "@tsbpf/abi";
import { printHexBytes, toS64 } from "@tsbpf/base";
import { type Btf, resolveType } from "@tsbpf/btf";
import { type Machine, namePointer } from "@tsbpf/runtime";

const DATA_BYTES_SHOWN = 16;
const TEXT_BYTES_MAX = 64;
/** Larger numbers are easier to read in hex. */
const DECIMAL_LAST = 0xffff_ffffn;
const ERRNO_LAST = 133n;

/** Reads a register out of halves. */
export const registerOf = (regs: Int32Array, reg: number): bigint =>
  (BigInt((regs[2 * reg + 1] ?? 0) >>> 0) << 32n) | BigInt((regs[2 * reg] ?? 0) >>> 0);

/** Prints a number: signed and decimal where it is small enough, else hex. */
export function printNumber(value: bigint): string {
  const signed = toS64(value);
  return signed >= -DECIMAL_LAST && signed <= DECIMAL_LAST ? `${signed}` : `0x${value.toString(16)}`;
}

/** Prints a pointer by what it points to. */
export const printPointer = (value: bigint, machine: Machine): string =>
  value === 0n ? "NULL" : (namePointer(value, machine) ?? `0x${value.toString(16)}`);

/** Returns a copy of memory, or undefined where a program may not look. */
export function peekBytes(machine: Machine, address: bigint, sizeBytes: number): Uint8Array | undefined {
  const { memory } = machine.env;
  if (address > 0xffff_ffffn || memory.regions.at(Number(address)) === undefined) return undefined;
  const end = Number(address) + sizeBytes;
  return end > memory.u8.length ? undefined : memory.u8.slice(Number(address), end);
}

const isPrintable = (byte: number): boolean =>
  (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x09;

/** Returns the text of bytes that look like one: printable up to a NUL at their end. */
function textOf(bytes: Uint8Array): string | undefined {
  const nul = bytes.indexOf(0);
  if (nul < 1 || nul > TEXT_BYTES_MAX || !bytes.subarray(0, nul).every(isPrintable)) return undefined;
  if (!bytes.subarray(nul).every((byte) => byte === 0)) return undefined;
  return String.fromCharCode(...bytes.subarray(0, nul));
}

/** Prints memory as text where it is some, else as hex. */
export function printMemory(bytes: Uint8Array): string {
  const text = textOf(bytes);
  return text === undefined ? printElement(bytes) : JSON.stringify(text);
}

/** Prints a key or value as hex, cut to what fits a line. */
export function printElement(bytes: Uint8Array): string {
  const hex = printHexBytes(bytes.subarray(0, DATA_BYTES_SHOWN)).replace(/(..)(?=.)/g, "$1 ");
  return bytes.length > DATA_BYTES_SHOWN ? `${hex} … (${bytes.length} bytes)` : hex;
}

/** Prints what a helper returned. */
export function printReturn(value: bigint, ret: RetSpec, machine: Machine): string {
  if (ret.kind === "void") return "";
  if (ret.kind !== "int") return printPointer(value, machine);
  const signed = toS64(value);
  const name = signed < 0n && signed >= -ERRNO_LAST ? errnoName(Number(-signed)) : undefined;
  return name === undefined ? printNumber(value) : `${signed} (${name})`;
}

/** Prints a value as its BTF type says: pointers by target, numbers by sign and width. */
export function printTyped(value: bigint, typeId: number, btf: Btf, machine: Machine): string {
  const type = resolveType(btf, typeId);
  switch (type.kind) {
    case "ptr":
      return printPointer(value, machine);
    case "int": {
      const bits = Math.min(64, type.sizeBytes * 8);
      return type.encoding === "signed"
        ? `${BigInt.asIntN(bits, value)}`
        : printUnsigned(BigInt.asUintN(bits, value));
    }
    case "enum":
    case "enum64": {
      const bits = Math.min(64, type.sizeBytes * 8);
      const number = type.isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
      return type.values.find((one) => BigInt(one.value) === number)?.name ?? `${number}`;
    }
    default:
      return printNumber(value);
  }
}

const printUnsigned = (value: bigint): string =>
  value <= DECIMAL_LAST ? `${value}` : `0x${value.toString(16)}`;
