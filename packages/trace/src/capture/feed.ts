import { invariant } from "@tsbpf/base";

/*
 * Computes: contiguous bytes out of chunks of any size.
 * Assumes: a reader asks with `ensure` before it looks, and moves `pos` itself.
 * Guarantees: records that lie whole in a chunk are read in place; only a record that straddles chunks is copied,
 * and only as far as bytes have arrived, so a hostile length never allocates. When `ensure` says no, every byte
 * is in the feed's own memory and the caller may reuse its chunks.
 */

const EMPTY = new Uint8Array(0);
const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const EMPTY_VIEW = viewOf(EMPTY);
const STASH_BYTES_MIN = 1024;

/** Turns pushed chunks into spans that a reader can look at without copying. */
export class ChunkFeed {
  /** Where the reader looks: `bytes[pos .. end)` is unread. */
  bytes: Uint8Array = EMPTY;
  view: DataView = EMPTY_VIEW;
  pos = 0;
  end = 0;
  /** File offset of `bytes[0]`. */
  baseOffset = 0;
  /** What the last failed `ensure` asked for. */
  wantedBytes = 0;
  isEnded = false;

  private queue: Uint8Array[] = [];
  private queueHead = 0;
  private headPos = 0;
  private stash: Uint8Array;
  private stashView: DataView;
  private isStash = false;

  /** @param stash - the memory that straddling records are copied to, as long as it suffices. */
  constructor(stash: Uint8Array = EMPTY) {
    this.stash = stash;
    this.stashView = viewOf(stash);
  }

  /** File offset of the next unread byte. */
  get offset(): number {
    return this.baseOffset + this.pos;
  }

  /** Unread bytes at hand; all that is left once `ensure` has said no. */
  get restBytes(): number {
    return this.end - this.pos;
  }

  push(chunk: Uint8Array): void {
    if (chunk.byteLength > 0) this.queue.push(chunk);
  }

  /** Says whether `size` unread bytes lie contiguously at `pos`; may move `bytes`, `view` and `pos`. */
  ensure(size: number): boolean {
    return this.end - this.pos >= size || this.refill(size);
  }

  /** Whether the unread bytes at hand lie in a chunk that was pushed. */
  get isInPlace(): boolean {
    return !this.isStash;
  }

  /**
   * Where the next chunk may be put so that it follows the unread bytes without a copy. Asked when `ensure` has said no.
   *
   * @returns what is left of the feed's own memory behind them; undefined when they do not lie there.
   */
  room(): Uint8Array | undefined {
    return this.isStash && this.queue.length === 0 ? this.stash.subarray(this.end) : undefined;
  }

  /**
   * Goes past bytes that were read elsewhere: some of those at hand, or more, when all that was pushed has been looked
   * at; what lies behind them is pushed next then.
   */
  pass(bytes: number): void {
    if (this.pos + bytes <= this.end) {
      this.pos += bytes;
      return;
    }
    invariant(this.queue.length === 0, "no chunk waits that bytes read elsewhere might end in", { bytes });
    this.isStash = false;
    this.look(EMPTY, EMPTY_VIEW, 0, 0, this.offset + bytes);
  }

  private refill(size: number): boolean {
    if (this.pos === this.end && !this.enterNextChunk()) {
      this.wantedBytes = size;
      return false;
    }
    if (this.end - this.pos >= size) return true;
    this.moveToStash();
    while (this.end < size && this.queueHead < this.queue.length) this.appendToStash(size - this.end);
    if (this.end >= size) return true;
    this.wantedBytes = size;
    return false;
  }

  /** Goes on to the rest of the next chunk, in place. Assumes that nothing is unread. */
  private enterNextChunk(): boolean {
    const offset = this.offset;
    this.isStash = false;
    const chunk = this.queue[this.queueHead];
    if (chunk === undefined) {
      this.look(EMPTY, EMPTY_VIEW, 0, 0, offset);
      return false;
    }
    this.look(chunk, viewOf(chunk), this.headPos, chunk.byteLength, offset);
    this.dropHead();
    return true;
  }

  private look(bytes: Uint8Array, view: DataView, pos: number, end: number, offset: number): void {
    this.bytes = bytes;
    this.view = view;
    this.pos = pos;
    this.end = end;
    this.baseOffset = offset - pos;
  }

  private dropHead(): void {
    this.queueHead++;
    this.headPos = 0;
    if (this.queueHead === this.queue.length) {
      this.queue = [];
      this.queueHead = 0;
    }
  }

  /** Copies the unread bytes to the start of the stash and looks there. */
  private moveToStash(): void {
    const offset = this.offset;
    const rest = this.end - this.pos;
    if (this.isStash) {
      this.stash.copyWithin(0, this.pos, this.end);
    } else {
      this.reserveStash(rest, 0);
      this.stash.set(this.bytes.subarray(this.pos, this.end));
      this.isStash = true;
    }
    this.look(this.stash, this.stashView, 0, rest, offset);
  }

  private appendToStash(missingBytes: number): void {
    const chunk = this.queue[this.queueHead];
    if (chunk === undefined) return;
    const isBehind =
      chunk.buffer === this.stash.buffer && chunk.byteOffset === this.stash.byteOffset + this.end;
    if (isBehind && this.headPos === 0 && this.end + chunk.byteLength <= this.stash.byteLength) {
      this.look(this.stash, this.stashView, this.pos, this.end + chunk.byteLength, this.offset);
      this.dropHead();
      return;
    }
    const take = Math.min(missingBytes, chunk.byteLength - this.headPos);
    this.reserveStash(this.end + take, this.end);
    this.stash.set(chunk.subarray(this.headPos, this.headPos + take), this.end);
    this.look(this.stash, this.stashView, this.pos, this.end + take, this.offset);
    this.headPos += take;
    if (this.headPos === chunk.byteLength) this.dropHead();
  }

  private reserveStash(size: number, keepBytes: number): void {
    if (this.stash.byteLength >= size) return;
    const grown = new Uint8Array(Math.max(STASH_BYTES_MIN, size, 2 * this.stash.byteLength));
    grown.set(this.stash.subarray(0, keepBytes));
    this.stash = grown;
    this.stashView = viewOf(grown);
  }
}
