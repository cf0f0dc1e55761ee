import { joinBytes } from "@tsbpf/base";
import { type TraceWarning, WarningLog } from "../warnings.ts";
import { gunzip } from "./gunzip.ts";
import { sniffFormat } from "./sniff.ts";

/** Bytes of a file: whole, or in chunks of any size. */
export type ByteSource = Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** The bytes of a file, decompressed when they were gzip's. Can be walked once. */
export interface DecompressedSource extends AsyncIterable<Uint8Array> {
  readonly warnings: readonly TraceWarning[];
}

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
      head = joinBytes([head, value]);
    }
    if (sniffFormat(head).kind === "gzip") {
      isPumped = true;
      yield* gunzip(head, chunks, log);
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
