import { type Endian, encodeUtf8 } from "@tsbpf/base";

const SINK_BYTES_MIN = 4096;

/** Gathers encoded bytes until somebody takes them. */
export class ByteSink {
  isLittle: boolean;
  private bytes = new Uint8Array(SINK_BYTES_MIN);
  private view = new DataView(this.bytes.buffer);
  private end = 0;

  constructor(endian: Endian) {
    this.isLittle = endian === "little";
  }

  get lengthBytes(): number {
    return this.end;
  }

  /** Returns everything gathered, in memory of its own, and starts anew. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.end);
    this.end = 0;
    return taken;
  }

  u8(value: number): void {
    this.reserve(1);
    this.view.setUint8(this.end, value);
    this.end += 1;
  }

  u16(value: number): void {
    this.reserve(2);
    this.view.setUint16(this.end, value, this.isLittle);
    this.end += 2;
  }

  u32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.end, value, this.isLittle);
    this.end += 4;
  }

  u64(value: bigint): void {
    this.reserve(8);
    this.view.setBigUint64(this.end, value, this.isLittle);
    this.end += 8;
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.byteLength);
    this.bytes.set(bytes, this.end);
    this.end += bytes.byteLength;
  }

  text(text: string): void {
    this.raw(encodeUtf8(text));
  }

  zeros(count: number): void {
    this.reserve(count);
    this.bytes.fill(0, this.end, this.end + count);
    this.end += count;
  }

  /** Overwrites four bytes gathered earlier. */
  patchU32(at: number, value: number): void {
    this.view.setUint32(at, value, this.isLittle);
  }

  /** Drops everything gathered since `lengthBytes` was `length`. */
  rollback(length: number): void {
    this.end = length;
  }

  private reserve(size: number): void {
    if (this.bytes.byteLength - this.end >= size) return;
    const grown = new Uint8Array(Math.max(2 * this.bytes.byteLength, this.end + size));
    grown.set(this.bytes.subarray(0, this.end));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}
