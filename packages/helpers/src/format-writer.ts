/**
 * Text of a limited size that counts what it cannot hold, as the kernel's `vsnprintf` does: the length that is returned
 * is the length that would have been written, and no width, however large, costs memory.
 */
export class FormatWriter {
  private readonly bytes: Uint8Array;
  /** Bytes that would have been written so far. */
  length = 0;

  /** @param sizeBytes - bytes of the buffer, its NUL included. */
  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
  }

  /** Whether nothing more fits. */
  get isFull(): boolean {
    return this.length >= this.bytes.length;
  }

  put(byte: number): void {
    if (this.length < this.bytes.length) this.bytes[this.length] = byte;
    this.length++;
  }

  putText(text: string): void {
    for (let i = 0; i < text.length; i++) this.put(text.charCodeAt(i));
  }

  putBytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.put(byte);
  }

  putRepeated(byte: number, count: number): void {
    if (count <= 0) return;
    if (this.length < this.bytes.length) this.bytes.fill(byte, this.length, this.length + count);
    this.length += count;
  }

  /** Returns the text without its NUL: at most one byte less than the buffer holds. */
  text(): Uint8Array {
    return this.bytes.subarray(0, Math.max(0, Math.min(this.length, this.bytes.length - 1)));
  }
}
