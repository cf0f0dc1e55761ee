import { InputError } from "@tsbpf/base";
import type { ReplayIo } from "../io.ts";

/** Bytes of standard input that are kept, so that it can be read more than once. */
const STDIN_BYTES_MAX = 1024 * 1024 * 1024;

/**
 * Keeps standard input in memory where it is one of the files: comparing reads its inputs more than once.
 *
 * @throws COMPARE_STDIN (InputError) when there is more than a gigabyte of it.
 */
export async function spoolStdin(paths: readonly string[], io: ReplayIo): Promise<ReplayIo> {
  if (!paths.includes("-")) return io;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of io.read("-")) {
    bytes += chunk.length;
    if (bytes > STDIN_BYTES_MAX) {
      throw new InputError(
        "COMPARE_STDIN",
        `standard input has more than ${STDIN_BYTES_MAX} bytes, which are kept in memory: name a file instead`,
      );
    }
    chunks.push(new Uint8Array(chunk));
  }
  const read = async function* (): AsyncGenerator<Uint8Array> {
    yield* chunks;
  };
  return { ...io, read: (path) => (path === "-" ? read() : io.read(path)) };
}
