import { closeSync, openSync, readSync, statSync } from "node:fs";
import { setImmediate as immediate } from "node:timers/promises";
import type { ByteFile } from "@tsbpf/replay";
import { fileError } from "../io.ts";

/** Pieces of a file that are read before the event loop may look at signals. */
const READS_A_TURN = 16;

/** Opens a file for reading; undefined for what is none, such as standard input. */
export async function openFile(path: string): Promise<ByteFile | undefined> {
  if (path === "-") return undefined;
  try {
    // A pipe that is opened and closed again ends who writes to it.
    if (!statSync(path).isFile()) return undefined;
    return fileOf(path, openSync(path, "r"));
  } catch (error) {
    throw fileError(path, error);
  }
}

function fileOf(path: string, fd: number): ByteFile {
  let reads = 0;
  let position = 0;
  const readAt = (into: Uint8Array, at: number): number => {
    try {
      return readSync(fd, into, 0, into.length, at);
    } catch (error) {
      throw fileError(path, error);
    }
  };
  const read = (into: Uint8Array): number => {
    const bytes = readAt(into, position);
    position += bytes;
    return bytes;
  };
  return {
    // Reading at once saves a trip through the thread pool for each piece; now and then signals get their turn.
    read: (into) => (++reads % READS_A_TURN === 0 ? immediate().then(() => read(into)) : read(into)),
    readAt,
    seek: (at) => {
      position = at;
    },
    close: async () => closeSync(fd),
  };
}
