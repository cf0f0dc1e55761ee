import { InputError } from "@tsbpf/base";
import {
  type CaptureOptions,
  type CaptureParser,
  createCaptureParser,
  PacketCursor,
  type PacketRecord,
} from "../src/index.ts";

export interface Reading {
  readonly records: readonly PacketRecord[];
  readonly parser: CaptureParser;
  readonly error: InputError | undefined;
}

/** What is fed with the bytes of a file, a chunk at a time. */
interface ChunkParser {
  push(chunk: Uint8Array): void;
  end(): void;
}

/**
 * Feeds a parser in chunks of the given sizes, all at once when there are none, and takes out what it has after each.
 *
 * @returns the InputError that ended it; anything else is thrown.
 */
export function feedChunks(
  parser: ChunkParser,
  bytes: Uint8Array,
  chunkSizes: readonly number[],
  drain: () => void,
): InputError | undefined {
  try {
    let at = 0;
    for (let i = 0; at < bytes.length; i++) {
      const size = chunkSizes.length === 0 ? bytes.length : Math.max(1, chunkSizes[i % chunkSizes.length]!);
      // A scratch chunk that is wiped afterwards: nobody may still look at it.
      const chunk = bytes.slice(at, at + size);
      parser.push(chunk);
      drain();
      chunk.fill(0xee);
      at += size;
    }
    parser.end();
    drain();
  } catch (caught) {
    if (!(caught instanceof InputError)) throw caught;
    return caught;
  }
  return undefined;
}

/** Reads everything, in chunks of the given sizes; an InputError ends the reading, anything else is thrown. */
export function readAll(
  bytes: Uint8Array,
  options: CaptureOptions = {},
  chunkSizes: readonly number[] = [],
): Reading {
  const parser = createCaptureParser(options);
  const cursor = new PacketCursor();
  const records: PacketRecord[] = [];
  const error = feedChunks(parser, bytes, chunkSizes, () => {
    while (parser.next(cursor)) records.push(parser.record(cursor));
  });
  return { records, parser, error };
}

/** Reads everything and expects no error. */
export function readWhole(bytes: Uint8Array, options: CaptureOptions = {}): Reading {
  const reading = readAll(bytes, options);
  if (reading.error !== undefined) throw reading.error;
  return reading;
}

export const warningCodes = (reading: Reading): string[] =>
  reading.parser.warnings.map((warning) => warning.code);
