import { canAccess, type LinearMemory, PERM } from "@tsbpf/memory";
import { type FormatPart, parseFormat, type Spec } from "./format-spec.ts";
import { FormatWriter } from "./format-writer.ts";

/** Where the arguments of a format come from. */
export interface FormatArgs {
  readonly count: number;
  /** Returns the low and high half of an argument. */
  lo(idx: number): number;
  hi(idx: number): number;
}

/** Bytes that strings and numbers of one format may take together. @source linux kernel/bpf MAX_BPRINTF_BIN_ARGS */
const ARG_BYTES_MAX = 512;
const SPACE = 32;
const ZERO = 48;
const POINTER_DIGITS = 16;
const BYTE_MASK = 255;

/** The text of a format and the length it would have without a limit. */
export interface Formatted {
  readonly text: Uint8Array;
  readonly length: number;
}

/**
 * Formats as `bpf_trace_printk` and its kin do.
 *
 * @param format - bytes without the NUL.
 * @param sizeBytes - bytes of the buffer, its NUL included.
 * @returns an error name when the format, or the number of arguments, is not allowed.
 * @source linux kernel/bpf bpf_bprintf_prepare, lib/vsprintf; HP-1..HP-7
 */
export function formatText(
  memory: LinearMemory,
  format: Uint8Array,
  args: FormatArgs,
  sizeBytes: number,
): Formatted | "EINVAL" | "ENOSPC" {
  const parts = parseFormat(format);
  if (parts === undefined || countSpecs(parts) > args.count) return "EINVAL";
  const prepared = prepare(memory, parts, args);
  if (prepared === undefined) return "ENOSPC";
  const writer = new FormatWriter(sizeBytes);
  let idx = 0;
  for (const part of parts) {
    if ("literal" in part) writer.putBytes(part.literal);
    else print(writer, part.spec, prepared[idx++] as Prepared);
  }
  return { text: writer.text(), length: writer.length };
}

const countSpecs = (parts: readonly FormatPart[]): number => parts.filter((part) => "spec" in part).length;

/** An argument as it is stored before printing. */
type Prepared = { readonly lo: number; readonly hi: number } | { readonly bytes: Uint8Array };

/** Reads what the arguments point to, as long as it fits the kernel's buffer. */
function prepare(
  memory: LinearMemory,
  parts: readonly FormatPart[],
  args: FormatArgs,
): readonly Prepared[] | undefined {
  const prepared: Prepared[] = [];
  let used = 0;
  for (const part of parts) {
    if (!("spec" in part)) continue;
    const { conversion } = part.spec;
    const lo = args.lo(prepared.length);
    const hi = args.hi(prepared.length);
    const room = ARG_BYTES_MAX - used;
    switch (conversion.kind) {
      case "string": {
        if (room === 0) return undefined;
        const bytes = readString(memory, lo, hi, room);
        used += Math.min(room, bytes.length + 1);
        prepared.push({ bytes });
        break;
      }
      case "ip": {
        if (room < conversion.bytes) return undefined;
        const bytes = asciiOf(printIp(readOrZero(memory, lo, hi, conversion.bytes), conversion.isPadded));
        used += bytes.length + 1;
        prepared.push({ bytes });
        break;
      }
      case "char":
        if (room === 0) return undefined;
        used++;
        prepared.push({ lo, hi });
        break;
      default: {
        const isWide = conversion.kind === "pointer" || conversion.isLong;
        used = (used + 3) & ~3;
        if (ARG_BYTES_MAX - used < (isWide ? 8 : 4)) return undefined;
        used += isWide ? 8 : 4;
        prepared.push({ lo, hi });
      }
    }
  }
  return prepared;
}

function print(writer: FormatWriter, spec: Spec, arg: Prepared): void {
  const { conversion } = spec;
  if ("bytes" in arg) {
    if (conversion.kind === "string" && !conversion.isPointerForm) printPadded(writer, arg.bytes, spec);
    // What a pointer form printed beforehand is dropped whole once the buffer is full.
    else if (!writer.isFull) writer.putBytes(arg.bytes);
  } else if (conversion.kind === "char") printPadded(writer, Uint8Array.of(arg.lo & BYTE_MASK), spec);
  else if (conversion.kind === "integer") printInteger(writer, spec, integerText(arg, conversion));
  else if (conversion.kind === "pointer") printPointer(writer, spec, arg, conversion.form);
}

interface Digits {
  readonly text: string;
  readonly isNegative: boolean;
}

type Integer = Extract<Spec["conversion"], { kind: "integer" }>;

function integerText(arg: { readonly lo: number; readonly hi: number }, conversion: Integer): Digits {
  let value: bigint;
  if (conversion.isLong) {
    value = (BigInt(arg.hi >>> 0) << 32n) | BigInt(arg.lo >>> 0);
    if (conversion.isSigned) value = BigInt.asIntN(64, value);
  } else {
    value = BigInt(conversion.isSigned ? arg.lo | 0 : arg.lo >>> 0);
  }
  const isNegative = value < 0n;
  const text = (isNegative ? -value : value).toString(conversion.base);
  return { text: conversion.isUpper ? text.toUpperCase() : text, isNegative };
}

function printInteger(writer: FormatWriter, spec: Spec, digits: Digits): void {
  const isSigned = spec.conversion.kind === "integer" && spec.conversion.isSigned;
  const sign = digits.isNegative
    ? "-"
    : isSigned && spec.hasPlus
      ? "+"
      : isSigned && spec.hasSpace
        ? " "
        : "";
  const padding = spec.width - digits.text.length - sign.length;
  const hasZeros = spec.isZeroPadded && !spec.isLeft;
  if (!spec.isLeft && !hasZeros) writer.putRepeated(SPACE, padding);
  writer.putText(sign);
  if (hasZeros) writer.putRepeated(ZERO, padding);
  writer.putText(digits.text);
  if (spec.isLeft) writer.putRepeated(SPACE, padding);
}

function printPadded(writer: FormatWriter, bytes: Uint8Array, spec: Spec): void {
  const padding = spec.width - bytes.length;
  if (!spec.isLeft) writer.putRepeated(SPACE, padding);
  writer.putBytes(bytes);
  if (spec.isLeft) writer.putRepeated(SPACE, padding);
}

function printPointer(
  writer: FormatWriter,
  spec: Spec,
  arg: { readonly lo: number; readonly hi: number },
  form: "hashed" | "raw" | "symbol" | "frame",
): void {
  const value = (BigInt(arg.hi >>> 0) << 32n) | BigInt(arg.lo >>> 0);
  if (form === "symbol" || form === "frame") {
    const text = asciiOf(`0x${value.toString(16)}`);
    if (form === "symbol") printPadded(writer, text, spec);
    else if (!writer.isFull) writer.putBytes(text);
    return;
  }
  const shown = form === "raw" || value === 0n ? value : hashPointer(arg.lo, arg.hi);
  const digits = { text: shown.toString(16), isNegative: false };
  const width = spec.width === 0 ? { width: POINTER_DIGITS, isZeroPadded: true } : {};
  printInteger(writer, { ...spec, ...width }, digits);
}

const HASH_PRIME = 0x9e37_79b1;
const HASH_ROUNDS = 3;

/** Hides an address as the kernel's hashed pointers do: 32 bits that are the same for the same address. */
function hashPointer(lo: number, hi: number): bigint {
  let hash = lo ^ Math.imul(hi, HASH_PRIME);
  for (let i = 0; i < HASH_ROUNDS; i++) hash = Math.imul(hash ^ (hash >>> 15), HASH_PRIME);
  return BigInt((hash ^ (hash >>> 13)) >>> 0);
}

const asciiOf = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** Copies a string up to its NUL, at most `room` bytes with it; nothing when it cannot be read. */
function readString(memory: LinearMemory, lo: number, hi: number, room: number): Uint8Array {
  const from = lo >>> 0;
  const bytes: number[] = [];
  if (hi !== 0) return Uint8Array.of();
  while (bytes.length < room - 1) {
    if (!canAccess(memory, from + bytes.length, 1, PERM.read)) return Uint8Array.of();
    const byte = memory.u8[from + bytes.length] as number;
    if (byte === 0) break;
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

function readOrZero(memory: LinearMemory, lo: number, hi: number, size: number): Uint8Array {
  if (hi !== 0 || !canAccess(memory, lo, size, PERM.read)) return new Uint8Array(size);
  return memory.bytesAt(lo >>> 0, size);
}

const IPV4_BYTES = 4;

/** Prints an address: IPv4 with dots, IPv6 as eight groups that are never shortened; padded forms have leading zeros and no colons. */
function printIp(bytes: Uint8Array, isPadded: boolean): string {
  if (bytes.length === IPV4_BYTES) {
    return Array.from(bytes, (byte) => (isPadded ? String(byte).padStart(3, "0") : String(byte))).join(".");
  }
  const groups = Array.from({ length: bytes.length / 2 }, (_, i) =>
    [bytes[2 * i], bytes[2 * i + 1]].map((byte) => (byte as number).toString(16).padStart(2, "0")).join(""),
  );
  return groups.join(isPadded ? "" : ":");
}
