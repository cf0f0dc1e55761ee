import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { finished, pipeline } from "node:stream/promises";
import { constants, createGzip } from "node:zlib";
import type { ByteSink } from "@tsbpf/replay";
import { writeError } from "../io.ts";

/**
 * Opens a file for writing, compressed when its name ends in `.gz`; `-` is standard output.
 *
 * @throws FILE_UNWRITABLE (InputError) when it cannot be opened, as its writes do when a disk is full.
 */
export async function openSink(path: string): Promise<ByteSink> {
  if (path === "-") return standardOutput;
  const stream = createWriteStream(path);
  try {
    await once(stream, "open");
  } catch (error) {
    throw writeError(path, error);
  }
  const sink = path.endsWith(".gz") ? gzipSink(stream) : fileSink(stream);
  const naming = async (work: Promise<unknown>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      throw writeError(path, error);
    }
  };
  return { write: (bytes) => naming(sink.write(bytes)), close: () => naming(sink.close()) };
}

const standardOutput: ByteSink = {
  async write(bytes) {
    if (!process.stdout.write(bytes)) await once(process.stdout, "drain");
  },
  close: async () => undefined,
};

function fileSink(stream: WriteStream): ByteSink {
  const done = finished(stream);
  // A failure is told of by the write or close that comes next.
  done.catch(() => undefined);
  return {
    async write(bytes) {
      if (stream.destroyed) await done;
      if (!stream.write(bytes)) await once(stream, "drain");
    },
    async close() {
      stream.end();
      await done;
    },
  };
}

function gzipSink(stream: WriteStream): ByteSink {
  const gzip = createGzip();
  const done = pipeline(gzip, stream);
  let fail = (_error: unknown): void => undefined;
  done.catch((error: unknown) => fail(error));
  return {
    async write(bytes) {
      if (gzip.destroyed) await done;
      gzip.write(bytes);
      // What was written can be read even if nothing comes after it: a recording may be killed.
      await new Promise<void>((resolve, reject) => {
        fail = reject;
        gzip.flush(constants.Z_SYNC_FLUSH, resolve);
      });
    },
    async close() {
      gzip.end();
      await done;
    },
  };
}
