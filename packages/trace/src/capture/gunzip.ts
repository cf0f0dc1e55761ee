import { InputError, UnsupportedError } from "@tsbpf/base";
import type { WarningLog } from "../warnings.ts";

/*
 * Computes: the decompressed bytes of a gzip file, all that can be had of a cut one.
 * The trap: a DecompressionStream drops what it holds when it fails, and a cut file makes it fail when its input is
 * closed. So the input is closed only after all output has been taken: the last piece is processed, the reader waits,
 * and turns of the event loop bring nothing more. A write is known to be processed once its promise resolves only if
 * the piece fills the stream's buffer (16 KiB in Node), so the last piece is never smaller than that. A file that is
 * smaller altogether is closed at once; if it proves to be cut, it is decompressed a second time without closing.
 */

type Chunks = AsyncGenerator<Uint8Array, void, undefined>;
type GzipWriter = WritableStreamDefaultWriter<BufferSource>;

const PIECE_BYTES = 16 * 1024;
/** How long a small cut file may be silent before it counts as exhausted. */
const SILENCE_MS = 250;
const IDLE_TURNS = 3;

/**
 * Decompresses a gzip file that starts with `head`.
 *
 * @throws TRACE_GZIP_CORRUPT (InputError), UNSUPPORTED_GZIP (UnsupportedError); what the source throws, as it is.
 */
export async function* gunzip(head: Uint8Array, rest: Chunks, log: WarningLog): Chunks {
  if (typeof DecompressionStream === "undefined") {
    throw new UnsupportedError(
      "UNSUPPORTED_GZIP",
      "the file is gzip-compressed and this platform has no DecompressionStream: decompress it with gzip -d",
    );
  }
  const run = new Gunzip(head, rest);
  yield* run.output();
  if (run.end === "whole") return;
  const { compressedBytes } = run;
  log.add(
    "TRACE_GZIP_TRUNCATED",
    compressedBytes,
    () => `gzip-compressed file ends before its compressed data do, after ${compressedBytes} bytes`,
  );
}

class Gunzip {
  /** Known when `output` has ended. */
  end: "whole" | "cut" = "whole";
  compressedBytes = 0;
  private readonly head: Uint8Array;
  private readonly rest: Chunks;
  /** Compressed bytes held back, so that there is always enough for a last piece. */
  private readonly held = new Uint8Array(2 * PIECE_BYTES);
  private heldBytes = 0;
  private outputCount = 0;
  private outputBytes = 0;
  private isReading = false;
  private onReading: (() => void) | undefined;
  private isClosing = false;
  private sourceFailure: { readonly error: unknown } | undefined;

  constructor(head: Uint8Array, rest: Chunks) {
    this.head = head;
    this.rest = rest;
  }

  async *output(): Chunks {
    const stream = new DecompressionStream("gzip");
    const reader = stream.readable.getReader();
    const writer = stream.writable.getWriter();
    writer.closed.catch(() => {});
    void this.pump(writer);
    try {
      for (;;) {
        this.isReading = true;
        this.onReading?.();
        const { done, value } = await reader.read();
        this.isReading = false;
        if (done) return;
        this.outputCount++;
        this.outputBytes += value.byteLength;
        yield value;
      }
    } catch (error) {
      this.classify(error);
    } finally {
      await reader.cancel().catch(() => {});
    }
    if (this.compressedBytes < PIECE_BYTES)
      yield* readOpenEnded(this.held.slice(0, this.heldBytes), this.outputBytes);
  }

  /** Hands over all compressed bytes; failures reach the reader through the stream. */
  private async pump(writer: GzipWriter): Promise<void> {
    try {
      await this.take(writer, this.head);
      for (let chunk = await this.nextChunk(); chunk !== undefined; chunk = await this.nextChunk()) {
        await this.take(writer, chunk);
      }
      await this.write(writer, this.held.slice(0, this.heldBytes));
      if (this.compressedBytes >= PIECE_BYTES) await this.untilDrained();
      this.isClosing = true;
      await writer.close();
    } catch (error) {
      await writer.abort(error).catch(() => {});
    }
  }

  private async nextChunk(): Promise<Uint8Array | undefined> {
    try {
      const next = await this.rest.next();
      return next.done ? undefined : next.value;
    } catch (error) {
      this.sourceFailure = { error };
      throw error;
    }
  }

  /** Holds a chunk, and writes a piece whenever two are full. */
  private async take(writer: GzipWriter, chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength; ) {
      const part = chunk.subarray(at, at + this.held.byteLength - this.heldBytes);
      this.held.set(part, this.heldBytes);
      this.heldBytes += part.byteLength;
      at += part.byteLength;
      if (this.heldBytes < this.held.byteLength) continue;
      await this.write(writer, this.held.slice(0, PIECE_BYTES));
      this.held.copyWithin(0, PIECE_BYTES);
      this.heldBytes = PIECE_BYTES;
    }
  }

  private async write(writer: GzipWriter, piece: Uint8Array<ArrayBuffer>): Promise<void> {
    this.compressedBytes += piece.byteLength;
    await writer.write(piece);
  }

  private async untilDrained(): Promise<void> {
    for (let idle = 0; idle < IDLE_TURNS; idle++) {
      if (!this.isReading) {
        await new Promise<void>((resolve) => {
          this.onReading = resolve;
        });
      }
      const before = this.outputCount;
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (!this.isReading || this.outputCount !== before) idle = -1;
    }
  }

  /** Tells a cut file from a damaged one; platforms with error codes say it, in others only closing finds a cut. */
  private classify(error: unknown): void {
    if (this.sourceFailure !== undefined) throw this.sourceFailure.error;
    const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
    const isCut = typeof code === "string" && code.startsWith("Z_") ? code === "Z_BUF_ERROR" : this.isClosing;
    if (isCut) {
      this.end = "cut";
      return;
    }
    throw new InputError(
      "TRACE_GZIP_CORRUPT",
      `gzip-compressed bytes are damaged within the first ${this.compressedBytes} bytes of the file: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error, details: { compressedBytes: this.compressedBytes } },
    );
  }
}

/** Decompresses a small cut file without closing it, and yields what comes after the first `skipBytes`. */
async function* readOpenEnded(compressed: Uint8Array<ArrayBuffer>, skipBytes: number): Chunks {
  const stream = new DecompressionStream("gzip");
  const reader = stream.readable.getReader();
  const writer = stream.writable.getWriter();
  writer.closed.catch(() => {});
  writer.write(compressed).catch(() => {});
  let seenBytes = 0;
  try {
    for (;;) {
      const value = await orSilence(reader.read());
      if (value === undefined) return;
      const start = Math.max(0, skipBytes - seenBytes);
      seenBytes += value.byteLength;
      if (start < value.byteLength) yield value.subarray(start);
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Waits for a piece of output; undefined when none comes within `SILENCE_MS`, or the stream fails. */
async function orSilence(
  read: Promise<ReadableStreamReadResult<Uint8Array>>,
): Promise<Uint8Array | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), SILENCE_MS);
  });
  const piece = read.then(
    ({ value }) => value,
    () => undefined,
  );
  const value = await Promise.race([piece, silence]);
  clearTimeout(timer);
  return value;
}
