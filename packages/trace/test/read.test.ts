import { gzipSync } from "node:zlib";
import { equalBytes } from "@tsbpf/base";
import { describe, expect, it, vi } from "vitest";
import { decompressCapture, type PacketRecord, readCapture, walkCapture } from "../src/index.ts";
import { cat, frame, pcapHead, pcapPacket } from "./bytes.ts";
import { readWhole } from "./reading.ts";
import { SAMPLES } from "./samples.ts";

const PACKETS = 3000;
const big = cat(pcapHead(), ...Array.from({ length: PACKETS }, (_, i) => pcapPacket(randomFrame(100, i))));
const zipped = new Uint8Array(gzipSync(big));

/** Bytes that do not compress, so that a cut file loses packets. */
function randomFrame(size: number, seed: number): Uint8Array {
  let state = seed + 1;
  return frame(size).map(() => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 24;
  });
}

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(
  source: AsyncIterable<PacketRecord>,
): Promise<{ records: PacketRecord[]; error: unknown }> {
  const records: PacketRecord[] = [];
  try {
    for await (const record of source) records.push(record);
  } catch (error) {
    return { records, error };
  }
  return { records, error: undefined };
}

/** Says whether `records` are the first of `all`; thousands of them are too many for toEqual. */
const same = (records: readonly PacketRecord[], all: readonly PacketRecord[]): boolean =>
  records.every((record, i) => record.tsNs === all[i]?.tsNs && equalBytes(record.data, all[i].data));

describe("readCapture", () => {
  it.each(SAMPLES)("reads %s from bytes and from chunks", async (_, bytes) => {
    const { records, parser } = readWhole(bytes);
    for (const source of [bytes, chunked(bytes, 9), [bytes.subarray(0, 50), bytes.subarray(50)]]) {
      const reader = readCapture(source);
      expect((await collect(reader)).records).toEqual(records);
      expect([reader.format, reader.sections, reader.interfaces, reader.names, reader.skippedBlocks]).toEqual(
        [parser.format, parser.sections, parser.interfaces, parser.names, parser.skippedBlocks],
      );
    }
    expect([...walkCapture(bytes)]).toEqual(records);
  });

  it("can be walked once", async () => {
    const reader = readCapture(pcapHead());
    await collect(reader);
    expect(() => reader[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: "TRACE_CONSUMED" }));
  });

  it("closes its source when the caller stops early", async () => {
    for (const bytes of [big, zipped]) {
      let isClosed = false;
      const source = (async function* () {
        try {
          yield* chunked(bytes, 1000);
        } finally {
          isClosed = true;
        }
      })();
      for await (const record of readCapture(source)) if (record.index === 5) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(isClosed).toBe(true);
    }
  });

  it("hands on an error of its source as it is", async () => {
    for (const bytes of [big, zipped]) {
      const failing = (async function* () {
        yield bytes.subarray(0, 200);
        throw new RangeError("disk gone");
      })();
      expect((await collect(readCapture(failing))).error).toEqual(new RangeError("disk gone"));
    }
  });
});

describe("gzip-compressed captures", () => {
  it("are recognised by their magic and read alike", async () => {
    const expected = readWhole(big).records;
    for (const size of [1, 7, 1000, zipped.length]) {
      const source =
        size === 1 ? chunked(new Uint8Array(gzipSync(big.subarray(0, 2000))), 1) : chunked(zipped, size);
      const reader = readCapture(source);
      const { records, error } = await collect(reader);
      expect(error).toBeUndefined();
      expect(same(records, expected)).toBe(true);
      expect(records.length).toBe(size === 1 ? 17 : PACKETS);
    }
  });

  it("give every packet before a cut, then warn; strict throws", async () => {
    for (const part of [0.3, 0.6, 0.999]) {
      const cut = zipped.subarray(0, Math.floor(zipped.length * part));
      const reader = readCapture(chunked(cut, 5000));
      const { records, error } = await collect(reader);
      expect(error).toBeUndefined();
      expect(records.length).toBeGreaterThan(PACKETS * part * 0.9 - 100);
      expect(same(records, readWhole(big).records)).toBe(true);
      expect(reader.warnings.map((warning) => warning.code)[0]).toBe("TRACE_GZIP_TRUNCATED");
      const strict = await collect(readCapture(cut, { strict: true }));
      expect(strict.error).toMatchObject({ code: "TRACE_GZIP_TRUNCATED" });
    }
  });

  it("that are small and cut give every packet too", async () => {
    const small = new Uint8Array(gzipSync(big.subarray(0, 24 + 116 * 50)));
    expect(small.length).toBeLessThan(16_384);
    const reader = readCapture(small.subarray(0, Math.floor(small.length * 0.7)));
    const { records, error } = await collect(reader);
    expect(error).toBeUndefined();
    expect(records.length).toBeGreaterThan(20);
    expect(records.length).toBeLessThan(50);
    expect(reader.warnings[0]?.code).toBe("TRACE_GZIP_TRUNCATED");
  });

  it("name damage as damage", async () => {
    const bad = zipped.slice();
    bad[zipped.length - 6]! ^= 1;
    expect((await collect(readCapture(bad))).error).toMatchObject({ code: "TRACE_GZIP_CORRUPT" });
    const head = zipped.slice();
    head[3] = 0xff;
    expect((await collect(readCapture(head))).error).toMatchObject({ code: "TRACE_GZIP_CORRUPT" });
  });

  it("with nothing inside are empty", async () => {
    expect((await collect(readCapture(new Uint8Array(gzipSync(""))))).error).toMatchObject({
      code: "TRACE_EMPTY",
    });
    expect((await collect(readCapture(Uint8Array.of(0x1f, 0x8b)))).error).toMatchObject({
      code: "TRACE_EMPTY",
    });
    expect((await collect(readCapture(Uint8Array.of(0x1f)))).error).toMatchObject({ code: "TRACE_MAGIC" });
    expect((await collect(readCapture([]))).error).toMatchObject({ code: "TRACE_EMPTY" });
  });

  it("are refused by name where bytes are walked synchronously", () => {
    expect(() => [...walkCapture(zipped)]).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_GZIP_HERE" }),
    );
  });

  it("are refused by name where the platform cannot decompress", async () => {
    vi.stubGlobal("DecompressionStream", undefined);
    try {
      expect((await collect(readCapture(zipped))).error).toMatchObject({ code: "UNSUPPORTED_GZIP" });
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it("can be had as bytes", async () => {
    const parts: Uint8Array[] = [];
    for await (const part of decompressCapture(zipped)) parts.push(part);
    expect(equalBytes(cat(...parts), big)).toBe(true);
  });
});
