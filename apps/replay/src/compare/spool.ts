import { InputError } from "@tsbpf/base";
import type { ReplayIo } from "../io.ts";

/** Bytes of standard input and pipes that are kept, so that they can be read more than once. */
const KEPT_BYTES_MAX = 1024 * 1024 * 1024;

/**
 * Keeps inputs that can be read once only, standard input and pipes, in memory: comparing reads its inputs more than once.
 *
 * @throws COMPARE_STDIN (InputError) when there is more than a gigabyte of them.
 */
export async function spoolPipes(paths: readonly string[], io: ReplayIo): Promise<ReplayIo> {
  const kept = new Map<string, readonly Uint8Array[]>();
  let bytes = 0;
  for (const path of new Set(paths)) {
    const file = await io.open(path);
    if (file !== undefined) {
      await file.close();
      continue;
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of io.read(path)) {
      bytes += chunk.length;
      if (bytes > KEPT_BYTES_MAX) {
        throw new InputError(
          "COMPARE_STDIN",
          `${path === "-" ? "standard input" : path} has more than ${KEPT_BYTES_MAX} bytes, which are kept in memory: name a file instead`,
        );
      }
      chunks.push(new Uint8Array(chunk));
    }
    kept.set(path, chunks);
  }
  const read = async function* (chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
    yield* chunks;
  };
  return {
    ...io,
    read(path) {
      const chunks = kept.get(path);
      return chunks === undefined ? io.read(path) : read(chunks);
    },
  };
}
