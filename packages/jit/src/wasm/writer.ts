/**
 * Bytes of a module under construction: one growing buffer, no intermediate arrays.
 *
 * @source WebAssembly core specification §5.2 (LEB128)
 */
export class ByteWriter {
  private bytes: Uint8Array;
  /** Bytes written. */
  length = 0;

  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity);
  }

  u8(value: number): void {
    if (this.length === this.bytes.length) this.grow(1);
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.u8(rest);
  }

  s32(value: number): void {
    let rest = value | 0;
    while (rest < -0x40 || rest > 0x3f) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.u8(rest & 0x7f);
  }

  /** Writes a signed 64-bit integer from its halves. */
  s64(loHalf: number, hiHalf: number): void {
    let lo = loHalf | 0;
    let hi = hiHalf | 0;
    for (;;) {
      const isLast = hi === lo >> 31 && lo >= -0x40 && lo <= 0x3f;
      if (isLast) break;
      this.u8((lo & 0x7f) | 0x80);
      lo = (lo >>> 7) | (hi << 25);
      hi >>= 7;
    }
    this.u8(lo & 0x7f);
  }

  /** Writes a name: its length and its ASCII characters. */
  name(text: string): void {
    this.u32(text.length);
    for (let i = 0; i < text.length; i++) this.u8(text.charCodeAt(i));
  }

  /** Appends what another writer holds. */
  append(other: ByteWriter): void {
    const from = other.bytes.subarray(0, other.length);
    if (this.length + from.length > this.bytes.length) this.grow(from.length);
    this.bytes.set(from, this.length);
    this.length += from.length;
  }

  /** Leaves room for a size that {@link closeSize} fills in. */
  openSize(): number {
    const at = this.length;
    for (let i = 0; i < SIZE_BYTES; i++) this.u8(0);
    return at;
  }

  /** Fills in the count of bytes written since `openSize`, in the padded form. */
  closeSize(at: number): void {
    let size = this.length - at - SIZE_BYTES;
    for (let i = 0; i < SIZE_BYTES - 1; i++) {
      this.bytes[at + i] = (size & 0x7f) | 0x80;
      size >>>= 7;
    }
    this.bytes[at + SIZE_BYTES - 1] = size;
  }

  /** Returns a copy of the bytes. */
  finish(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.bytes.slice(0, this.length));
  }

  private grow(need: number): void {
    const next = new Uint8Array(Math.max(this.bytes.length * 2, this.length + need));
    next.set(this.bytes);
    this.bytes = next;
  }
}

const SIZE_BYTES = 5;
