import { InputError, UnsupportedError } from "@tsbpf/base";
import { type TraceWarning, WarningLog } from "../warnings.ts";
import { sniffFormat } from "./sniff.ts";

/** Bytes of a file: whole, or in chunks of any size. */
export type ByteSource = Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** The bytes of a file, decompressed when they were gzip's. Can be walked once. */
export interface DecompressedSource extends AsyncIterable<Uint8Array> {
  readonly warnings: readonly TraceWarning[];
}

/** Compressed bytes handed over at a time: bounds what one step can inflate to. */
const PIECE_BYTES = 16 * 1024;
const GZIP_MAGIC_BYTES = 2;

/**
 * Passes a file's bytes on, through gunzip when they start as gzip does.
 *
 * A compressed file that ends too early gives every byte that can be had, then a TRACE_GZIP_TRUNCATED warning.
 *
 * @throws TRACE_GZIP_CORRUPT (InputError) when iterated and the compressed bytes are damaged; UNSUPPORTED_GZIP
 * (UnsupportedError) where the platform has no DecompressionStream.
 */
export function decompressCapture(
  source: ByteSource,
  options: { readonly strict?: boolean } = {},
): DecompressedSource {
  const log = new WarningLog(options.strict ?? false);
  return { warnings: log.list, [Symbol.asyncIterator]: () => decompress(source, log) };
}

async function* decompress(source: ByteSource, log: WarningLog): AsyncGenerator<Uint8Array, void, undefined> {
  const chunks = iterate(source);
  let isPumped = false;
  try {
    let head = new Uint8Array(0);
    while (head.byteLength < GZIP_MAGIC_BYTES) {
      const { done, value } = await chunks.next();
      if (done) break;
      head = head.byteLength === 0 ? new Uint8Array(value) : concat(head, value);
    }
    if (sniffFormat(head).kind === "gzip") {
      isPumped = true;
      yield* new Gunzip(head, chunks, log).run();
      return;
    }
    yield head;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  } finally {
    // The pump may be waiting for a source that has nothing to say; whoever stops early need not wait with it.
    const returned = chunks.return(undefined).catch(() => {});
    if (!isPumped) await returned;
  }
}

async function* iterate(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  if (source instanceof Uint8Array) yield source;
  else yield* source;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.byteLength + b.byteLength);
  joined.set(a);
  joined.set(b, a.byteLength);
  return joined;
}

/*
 * A stream drops what it holds when it fails, and a truncated gzip file makes it fail when the input is closed. So
 * the input is closed only after all output has been taken: the reader waits, and a turn of the event loop brought
 * nothing. A failure before that is damage, a failure by closing is truncation.
 */
class Gunzip {
  private readonly head: Uint8Array;
  private readonly rest: AsyncGenerator<Uint8Array, void, undefined>;
  private readonly log: WarningLog;
  private compressedBytes = 0;
  private outputCount = 0;
  private isReading = false;
  private onReading: (() => void) | undefined;
  private isClosing = false;
  private sourceFailure: { readonly error: unknown } | undefined;

  constructor(head: Uint8Array, rest: AsyncGenerator<Uint8Array, void, undefined>, log: WarningLog) {
    this.head = head;
    this.rest = rest;
    this.log = log;
  }

  async *run(): AsyncGenerator<Uint8Array, void, undefined> {
    if (typeof DecompressionStream === "undefined") {
      throw new UnsupportedError(
        "UNSUPPORTED_GZIP",
        "the file is gzip-compressed and this platform has no DecompressionStream: decompress it with gzip -d",
      );
    }
    const stream = new DecompressionStream("gzip");
    const reader = stream.readable.getReader();
    const writer = stream.writable.getWriter();
    writer.closed.catch(() => {});
    const pump = this.pump(writer);
    try {
      for (;;) {
        this.isReading = true;
        this.onReading?.();
        const { done, value } = await reader.read();
        this.isReading = false;
        if (done) break;
        this.outputCount++;
        yield value;
      }
    } catch (error) {
      this.explain(error);
    } finally {
      await reader.cancel().catch(() => {});
      void pump;
    }
  }

  /** Hands over all compressed bytes; failures reach the reader through the stream. */
  private async pump(writer: WritableStreamDefaultWriter<BufferSource>): Promise<void> {
    try {
      await this.write(writer, this.head);
      for await (const chunk of { [Symbol.asyncIterator]: () => this.source() })
        await this.write(writer, chunk);
      await this.untilDrained();
      this.isClosing = true;
      await writer.close();
    } catch (error) {
      await writer.abort(error).catch(() => {});
    }
  }

  private async *source(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let next = await this.rest.next(); !next.done; next = await this.rest.next()) yield next.value;
    } catch (error) {
      this.sourceFailure = { error };
      throw error;
    }
  }

  private async write(writer: WritableStreamDefaultWriter<BufferSource>, chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength; at += PIECE_BYTES) {
      // A copy: the stream may look at it later, when the caller has reused its chunk.
      const piece = chunk.slice(at, at + PIECE_BYTES);
      this.compressedBytes += piece.byteLength;
      await writer.write(piece);
    }
  }

  private async untilDrained(): Promise<void> {
    for (;;) {
      if (!this.isReading) {
        await new Promise<void>((resolve) => {
          this.onReading = resolve;
        });
      }
      const before = this.outputCount;
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (this.isReading && this.outputCount === before) return;
    }
  }

  private explain(error: unknown): void {
    if (this.sourceFailure !== undefined) throw this.sourceFailure.error;
    if (!this.isClosing) {
      throw new InputError(
        "TRACE_GZIP_CORRUPT",
        `gzip-compressed bytes are damaged within the first ${this.compressedBytes} bytes of the file: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error, details: { compressedBytes: this.compressedBytes } },
      );
    }
    const offset = this.compressedBytes;
    this.log.add(
      "TRACE_GZIP_TRUNCATED",
      offset,
      () => `gzip-compressed file ends before its compressed data do, after ${offset} bytes`,
    );
  }
}
