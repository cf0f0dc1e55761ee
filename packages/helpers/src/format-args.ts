import type { FormatPart } from "@tsbpf/abi";
import { canAccess, type LinearMemory, PERM } from "@tsbpf/memory";

/** Where the arguments of a format come from. */
export interface FormatArgs {
  readonly count: number;
  /** Returns the low and high half of an argument. */
  lo(idx: number): number;
  hi(idx: number): number;
}

/** Bytes that strings and numbers of one format may take together. @source linux kernel/bpf MAX_BPRINTF_BIN_ARGS */
const ARG_BYTES_MAX = 512;
const WORD_BYTES = 4;
const LONG_BYTES = 8;
const IPV4_BYTES = 4;
const IPV4_DIGITS = 3;

/**
 * Arguments as the kernel stores them before it prints: numbers aligned to words, strings with their NUL. Reading them
 * back in another order than they were stored gives what the kernel would print.
 */
export class StoredArgs {
  private readonly bytes = new Uint8Array(ARG_BYTES_MAX);
  private readonly view = new DataView(this.bytes.buffer);
  private end = 0;
  private at = 0;

  get room(): number {
    return ARG_BYTES_MAX - this.end;
  }

  putByte(value: number): void {
    this.bytes[this.end++] = value;
  }
  /** Stores text and its NUL, cut to the room. */
  putText(text: Uint8Array): void {
    const cut = text.subarray(0, this.room - 1);
    this.bytes.set(cut, this.end);
    this.end += cut.length + 1;
  }
  /** Says whether a number fitted. */
  putNumber(lo: number, hi: number, isLong: boolean): boolean {
    this.end = Math.ceil(this.end / WORD_BYTES) * WORD_BYTES;
    if (this.room < (isLong ? LONG_BYTES : WORD_BYTES)) return false;
    this.view.setInt32(this.end, lo, true);
    if (isLong) this.view.setInt32(this.end + WORD_BYTES, hi, true);
    this.end += isLong ? LONG_BYTES : WORD_BYTES;
    return true;
  }

  takeByte(): number {
    return this.bytes[this.at++] ?? 0;
  }
  takeText(): Uint8Array {
    const found = this.bytes.indexOf(0, this.at);
    const end = found < 0 ? ARG_BYTES_MAX : found;
    const text = this.bytes.subarray(this.at, end);
    this.at = end + 1;
    return text;
  }
  takeNumber(isLong: boolean): { readonly lo: number; readonly hi: number } {
    this.at = Math.ceil(this.at / WORD_BYTES) * WORD_BYTES;
    const lo = this.wordAt(this.at);
    const hi = isLong ? this.wordAt(this.at + WORD_BYTES) : 0;
    this.at += isLong ? LONG_BYTES : WORD_BYTES;
    return { lo, hi };
  }

  private wordAt(at: number): number {
    return at + WORD_BYTES <= ARG_BYTES_MAX ? this.view.getInt32(at, true) : 0;
  }
}

/** Stores the arguments of a format, reading what they point to; undefined when they do not fit. */
export function storeArgs(
  memory: LinearMemory,
  parts: readonly FormatPart[],
  args: FormatArgs,
): StoredArgs | undefined {
  const stored = new StoredArgs();
  let idx = 0;
  for (const part of parts) {
    if (!("spec" in part)) continue;
    const { conversion } = part.spec;
    const lo = args.lo(idx);
    const hi = args.hi(idx);
    idx++;
    switch (conversion.kind) {
      case "string":
        if (stored.room === 0) return undefined;
        stored.putText(readString(memory, lo, hi, stored.room));
        break;
      case "ip":
        if (stored.room < conversion.bytes) return undefined;
        stored.putText(asciiOf(printIp(readOrZero(memory, lo, hi, conversion.bytes), conversion.isPadded)));
        break;
      case "char":
        if (stored.room === 0) return undefined;
        stored.putByte(lo);
        break;
      case "integer":
        if (!stored.putNumber(lo, hi, conversion.isLong)) return undefined;
        break;
      case "pointer":
        if (conversion.form === "frame") stored.putText(asciiOf(printHexHalves(lo, hi)));
        else if (!stored.putNumber(lo, hi, true)) return undefined;
    }
  }
  return stored;
}

/** Joins the halves of a value. */
export const joinHalves = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
/** Prints a value as `0x…`. */
export const printHexHalves = (lo: number, hi: number): string => `0x${joinHalves(lo, hi).toString(16)}`;
/** Turns ASCII text to bytes. */
export const asciiOf = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

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

/**
 * Prints an address: IPv4 with dots, IPv6 as eight groups that are never shortened; padded forms have leading zeros and
 * no colons.
 */
function printIp(bytes: Uint8Array, isPadded: boolean): string {
  if (bytes.length === IPV4_BYTES) {
    const digits = isPadded ? IPV4_DIGITS : 1;
    return Array.from(bytes, (byte) => String(byte).padStart(digits, "0")).join(".");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const groups = Array.from({ length: bytes.length / 2 }, (_, i) =>
    view
      .getUint16(2 * i)
      .toString(16)
      .padStart(4, "0"),
  );
  return groups.join(isPadded ? "" : ":");
}
