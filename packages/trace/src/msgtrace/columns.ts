import { joinU64 } from "@tsbpf/base";
import type { Fields } from "./fields.ts";

/*
 * A column holds one number a run. A block stores it as one number when all runs share it, otherwise as bytes, little
 * endian, 4 or 8 a run: reading a run then is an array access, and a block of packets decodes as fast as a pcap file.
 */

const U32_BYTES = 4;
const U64_BYTES = 8;
const CAPACITY_MIN = 64;

/** Gathers a column of 32-bit numbers. */
export class U32ColumnBuilder {
  private values = new Uint32Array(CAPACITY_MIN);
  private count = 0;

  push(value: number): void {
    if (this.count === this.values.length) {
      const grown = new Uint32Array(2 * this.count);
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.count++] = value;
  }

  /** Returns what a block stores, and starts anew; undefined stands for a column of zeros. */
  take(): number | Uint8Array | undefined {
    const values = this.values.subarray(0, this.count);
    this.count = 0;
    const first = values[0] ?? 0;
    if (values.every((value) => value === first)) return first === 0 ? undefined : first;
    return encodeU32s(values);
  }
}

function encodeU32s(values: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(values.length * U32_BYTES);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setUint32(i * U32_BYTES, value, true);
  });
  return bytes;
}

/** Gathers a column of 64-bit numbers, given as halves. */
export class U64ColumnBuilder {
  private halves = new Uint32Array(2 * CAPACITY_MIN);
  private end = 0;

  push(hi: number, lo: number): void {
    if (this.end === this.halves.length) {
      const grown = new Uint32Array(2 * this.end);
      grown.set(this.halves);
      this.halves = grown;
    }
    this.halves[this.end++] = lo;
    this.halves[this.end++] = hi;
  }

  /** Returns the bytes that a block stores even if all runs share a number, and starts anew. */
  takeBytes(): Uint8Array {
    const bytes = encodeU32s(this.halves.subarray(0, this.end));
    this.end = 0;
    return bytes;
  }

  /** Returns what a block stores, and starts anew; undefined stands for a column of zeros. */
  take(): bigint | Uint8Array | undefined {
    const halves = this.halves.subarray(0, this.end);
    this.end = 0;
    const lo = halves[0] ?? 0;
    const hi = halves[1] ?? 0;
    if (halves.some((half, i) => half !== (i % 2 === 0 ? lo : hi))) return encodeU32s(halves);
    return lo === 0 && hi === 0 ? undefined : joinU64(lo, hi);
  }
}

/** A column as read: 32-bit numbers, or halves of 64-bit ones. */
export class Column {
  private readonly view: DataView | undefined;
  private readonly hi: number;
  private readonly lo: number;

  private constructor(view: DataView | undefined, hi: number, lo: number) {
    this.view = view;
    this.hi = hi;
    this.lo = lo;
  }

  /** Takes a 32-bit column for `count` runs; an absent one is all zeros. */
  static u32(fields: Fields, name: string, count: number): Column {
    if (!fields.has(name)) return new Column(undefined, 0, 0);
    if (fields.raw(name) instanceof Uint8Array)
      return new Column(bytesOf(fields, name, count * U32_BYTES), 0, 0);
    return new Column(undefined, 0, fields.uint(name));
  }

  /** Takes a 64-bit column for `count` runs; an absent one is all zeros. */
  static u64(fields: Fields, name: string, count: number): Column {
    if (!fields.has(name)) return new Column(undefined, 0, 0);
    if (fields.raw(name) instanceof Uint8Array) return Column.u64Bytes(fields, name, count);
    const value = fields.u64(name);
    return new Column(undefined, Number(value >> 32n), Number(value & 0xffff_ffffn));
  }

  /** Takes a 64-bit column that must be bytes: runs then cost a file something, and few bytes cannot claim many. */
  static u64Bytes(fields: Fields, name: string, count: number): Column {
    return new Column(bytesOf(fields, name, count * U64_BYTES), 0, 0);
  }

  /** A view of the numbers as they are stored; undefined when one stands for all. */
  get bytes(): Uint8Array | undefined {
    const { view } = this;
    return view === undefined ? undefined : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  }

  /** Returns a 32-bit number. */
  at(run: number): number {
    return this.view === undefined ? this.lo : this.view.getUint32(run * U32_BYTES, true);
  }

  /** Return the halves of a 64-bit number. */
  loAt(run: number): number {
    return this.view === undefined ? this.lo : this.view.getUint32(run * U64_BYTES, true);
  }
  hiAt(run: number): number {
    return this.view === undefined ? this.hi : this.view.getUint32(run * U64_BYTES + 4, true);
  }

  /** Returns the first run behind `run`, at most `end`, whose 32-bit number is another. */
  sameUntil(run: number, end: number): number {
    if (this.view === undefined) return end;
    const value = this.at(run);
    let same = run + 1;
    while (same < end && this.at(same) === value) same++;
    return Math.min(same, end);
  }

  /** Returns the greatest number of `count` runs of a 32-bit column. */
  max(count: number): number {
    if (this.view === undefined) return count === 0 ? 0 : this.lo;
    let max = 0;
    for (let run = 0; run < count; run++) max = Math.max(max, this.at(run));
    return max;
  }

  /** Returns the sum over `count` runs of a 32-bit column. */
  sum(count: number): number {
    if (this.view === undefined) return this.lo * count;
    let sum = 0;
    for (let run = 0; run < count; run++) sum += this.at(run);
    return sum;
  }
}

function bytesOf(fields: Fields, name: string, size: number): DataView {
  const bytes = fields.view(name);
  if (bytes.byteLength !== size) throw fields.wrong(name, `${size} bytes, or one number where allowed`);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
