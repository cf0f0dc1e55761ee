import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { constants, createGzip } from "node:zlib";
import type { ByteSink } from "@tsbpf/replay";
import { fileError } from "../io.ts";

/** Opens a file for writing, compressed when its name ends in `.gz`; `-` is standard output. */
export async function openSink(path: string): Promise<ByteSink> {
  if (path === "-") return sinkOf(process.stdout);
  const stream = createWriteStream(path);
  try {
    await once(stream, "open");
  } catch (error) {
    throw fileError(path, error);
  }
  return path.endsWith(".gz") ? gzipSink(stream) : sinkOf(stream, true);
}

const sinkOf = (stream: WriteStream | NodeJS.WriteStream, closes = false): ByteSink => ({
  async write(bytes) {
    if (!stream.write(bytes)) await once(stream, "drain");
  },
  async close() {
    if (!closes) return;
    stream.end();
    await once(stream, "close");
  },
});

function gzipSink(stream: WriteStream): ByteSink {
  const gzip = createGzip();
  gzip.pipe(stream);
  return {
    async write(bytes) {
      gzip.write(bytes);
      // What was written can be read even if nothing comes after it: a recording may be killed.
      await new Promise<void>((resolve) => gzip.flush(constants.Z_SYNC_FLUSH, resolve));
    },
    async close() {
      gzip.end();
      await once(stream, "close");
    },
  };
}
