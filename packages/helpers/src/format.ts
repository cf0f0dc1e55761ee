import { type FormatPart, type FormatSpec, parseFormat } from "@tsbpf/abi";
import type { LinearMemory } from "@tsbpf/memory";
import {
  asciiOf,
  type FormatArgs,
  joinHalves,
  printHexHalves,
  type StoredArgs,
  storeArgs,
} from "./format-args.ts";
import { FormatWriter } from "./format-writer.ts";

const SPACE = 32;
const ZERO = 48;
const POINTER_DIGITS = 16;

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
 * @source linux kernel/bpf bpf_bprintf_prepare, lib/vsprintf bstr_printf; HP-1..HP-7
 */
export function formatText(
  memory: LinearMemory,
  format: Uint8Array,
  args: FormatArgs,
  sizeBytes: number,
): Formatted | "EINVAL" | "ENOSPC" {
  const parts = parseFormat(format);
  if (parts === undefined || countSpecs(parts) > args.count) return "EINVAL";
  const stored = storeArgs(memory, parts, args);
  if (stored === undefined) return "ENOSPC";
  const writer = new FormatWriter(sizeBytes);
  for (const part of parts) {
    if ("literal" in part) writer.putBytes(part.literal);
    else print(writer, part.spec, stored);
  }
  return { text: writer.text(), length: writer.length };
}

const countSpecs = (parts: readonly FormatPart[]): number => parts.filter((part) => "spec" in part).length;

function print(writer: FormatWriter, spec: FormatSpec, stored: StoredArgs): void {
  const { conversion } = spec;
  switch (conversion.kind) {
    case "string":
      if (conversion.isPointerForm) printStored(writer, stored);
      else printPadded(writer, stored.takeText(), spec);
      break;
    case "ip":
      printStored(writer, stored);
      break;
    case "char":
      printPadded(writer, Uint8Array.of(stored.takeByte()), spec);
      break;
    case "integer":
      printInteger(writer, spec, integerText(stored.takeNumber(conversion.isLong), conversion));
      break;
    case "pointer":
      if (conversion.form === "frame") printStored(writer, stored);
      else printPointer(writer, spec, stored.takeNumber(true), conversion.form);
  }
}

/** Prints text that was formatted beforehand; once the buffer is full, the kernel leaves it where it is. */
function printStored(writer: FormatWriter, stored: StoredArgs): void {
  if (!writer.isFull) writer.putBytes(stored.takeText());
}

interface Halves {
  readonly lo: number;
  readonly hi: number;
}

interface Digits {
  readonly text: string;
  readonly isNegative: boolean;
}

type Integer = Extract<FormatSpec["conversion"], { kind: "integer" }>;

function integerText({ lo, hi }: Halves, conversion: Integer): Digits {
  let value: bigint;
  if (conversion.isLong) {
    value = joinHalves(lo, hi);
    if (conversion.isSigned) value = BigInt.asIntN(64, value);
  } else {
    value = BigInt(conversion.isSigned ? lo | 0 : lo >>> 0);
  }
  const isNegative = value < 0n;
  const text = (isNegative ? -value : value).toString(conversion.base);
  return { text: conversion.isUpper ? text.toUpperCase() : text, isNegative };
}

function printInteger(writer: FormatWriter, spec: FormatSpec, digits: Digits): void {
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

function printPadded(writer: FormatWriter, bytes: Uint8Array, spec: FormatSpec): void {
  const padding = spec.width - bytes.length;
  if (!spec.isLeft) writer.putRepeated(SPACE, padding);
  writer.putBytes(bytes);
  if (spec.isLeft) writer.putRepeated(SPACE, padding);
}

function printPointer(
  writer: FormatWriter,
  spec: FormatSpec,
  { lo, hi }: Halves,
  form: "hashed" | "raw" | "symbol",
): void {
  if (form === "symbol") {
    printPadded(writer, asciiOf(printHexHalves(lo, hi)), spec);
    return;
  }
  const value = joinHalves(lo, hi);
  const shown = form === "raw" || value === 0n ? value : hashPointer(lo, hi);
  const width = spec.width === 0 ? { width: POINTER_DIGITS, isZeroPadded: true } : {};
  printInteger(writer, { ...spec, ...width }, { text: shown.toString(16), isNegative: false });
}

const HASH_PRIME = 0x9e37_79b1;
const HASH_ROUNDS = 3;

/** Hides an address as the kernel's hashed pointers do: 32 bits that are the same for the same address. */
function hashPointer(lo: number, hi: number): bigint {
  let hash = lo ^ Math.imul(hi, HASH_PRIME);
  for (let i = 0; i < HASH_ROUNDS; i++) hash = Math.imul(hash ^ (hash >>> 15), HASH_PRIME);
  return BigInt((hash ^ (hash >>> 13)) >>> 0);
}
