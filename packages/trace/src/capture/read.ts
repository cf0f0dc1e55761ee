import { InputError } from "@tsbpf/base";
import type { TraceWarning } from "../warnings.ts";
import { PacketCursor } from "./cursor.ts";
import { type ByteSource, decompressCapture } from "./decompress.ts";
import { type CaptureParser, createCaptureParser } from "./parser.ts";
import type { CaptureInfo, CaptureOptions, PacketRecord } from "./types.ts";

/** The packets of a capture, and what else is known of it so far. Can be walked once. */
export interface CaptureReader extends AsyncIterable<PacketRecord>, CaptureInfo {
  readonly warnings: readonly TraceWarning[];
}

/**
 * Reads a capture packet by packet, holding one chunk of it at a time; gzip-compressed captures are decompressed.
 *
 * A truncated tail ends the iteration with a PCAP_TRUNCATED, PCAPNG_TRUNCATED or TRACE_GZIP_TRUNCATED warning.
 *
 * @throws PCAP_…, PCAPNG_…, TRACE_…, UNSUPPORTED_… (InputError) when iterated, after every packet before the damage.
 */
export function readCapture(source: ByteSource, options: CaptureOptions = {}): CaptureReader {
  const parser = createCaptureParser(options);
  const bytes = decompressCapture(source, options);
  let isTaken = false;
  return {
    get format() {
      return parser.format;
    },
    get warnings() {
      return [...bytes.warnings, ...parser.warnings];
    },
    sections: parser.sections,
    interfaces: parser.interfaces,
    names: parser.names,
    skippedBlocks: parser.skippedBlocks,
    [Symbol.asyncIterator]() {
      if (isTaken) throw new InputError("TRACE_CONSUMED", "a capture reader can be iterated once only");
      isTaken = true;
      return records(parser, bytes);
    },
  };
}

async function* records(
  parser: CaptureParser,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<PacketRecord, void, undefined> {
  const cursor = new PacketCursor();
  for await (const chunk of bytes) {
    parser.push(chunk);
    while (parser.next(cursor)) yield parser.record(cursor);
  }
  parser.end();
  while (parser.next(cursor)) yield parser.record(cursor);
}

/**
 * Yields the packets of a whole capture in memory.
 *
 * For the highest rate, walk a `CaptureParser` with one cursor instead: this makes an object a packet.
 *
 * @throws like `readCapture`; UNSUPPORTED_GZIP_HERE (UnsupportedError) when the capture is compressed.
 */
export function* walkCapture(
  bytes: Uint8Array,
  parser: CaptureParser = createCaptureParser(),
): Generator<PacketRecord, void, undefined> {
  const cursor = new PacketCursor();
  parser.push(bytes);
  parser.end();
  while (parser.next(cursor)) yield parser.record(cursor);
}
