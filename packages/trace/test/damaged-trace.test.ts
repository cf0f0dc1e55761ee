import { describe, expect, it } from "vitest";
import { verifyTrace } from "../src/index.ts";
import { cat, frame } from "./bytes.ts";
import { readTraceAll, readTraceWhole, runsOf, sampleTrace } from "./trace-reading.ts";

const { bytes: sample, blockStarts } = sampleTrace();
const codes = (reading: { parser: { warnings: readonly { code: string }[] } }): string[] =>
  reading.parser.warnings.map((warning) => warning.code);

describe("a damaged trace", () => {
  const blockAt = (offset: number): number => blockStarts.filter((start) => start <= offset).length - 1;

  it("has every flipped byte found, and its block named", async () => {
    const found = new Set<string | undefined>();
    for (let at = 0; at < sample.length; at++) {
      const bad = sample.slice();
      bad[at]! ^= 1 + (at % 255);
      const { error, records } = readTraceAll(bad);
      found.add(error?.code);
      expect(error, `byte ${at}`).toBeDefined();
      expect(records.every((record) => record.kind !== "run" || record.run.index < 12)).toBe(true);
      const report = await verifyTrace(bad);
      const block = blockAt(at);
      expect(report.damage[0]?.blockIdx, `byte ${at}`).toBe(block);
      // What refers to lost definitions cannot be read either.
      expect(report.damageCount).toBe(block === 0 ? 5 : 1);
      expect(report.damage[0]).toMatchObject({
        code: error?.code,
        message: error?.message,
        byte: { offset: at, found: bad[at], expected: sample[at] },
      });
      expect(error?.message).toContain(`offset ${at}`);
      const isRuns = block >= 2 && block <= 4;
      const runFirst = block < 2 ? 0 : Math.min(12, 4 * (block - 2));
      // Of a file without a definitions block, runs cannot be read either.
      if (block !== 0) expect(report.damage[0]).toMatchObject({ runFirst });
      if (block > 0 && block < 5)
        expect(report.damage[0]).toMatchObject({ runEnd: isRuns ? runFirst + 4 : runFirst });
      if (block >= 0) {
        expect(error?.message).toContain(`block ${block}`);
        const start = blockStarts[block]!;
        expect(report.damage[0]!.offset - start).toBeGreaterThanOrEqual(0);
        expect(report.damage[0]!.offset - start).toBeLessThanOrEqual(24);
      }
    }
    expect([...found]).toEqual([
      "TRACE_FILE_MAGIC",
      "TRACE_FILE_CHECKSUM",
      "TRACE_SYNC",
      "TRACE_BLOCK_CHECKSUM",
      "TRACE_PAYLOAD_CHECKSUM",
    ]);
  });

  it("is read behind the damage when asked to", async () => {
    const runsBlocks = [2, 3, 4];
    for (const block of runsBlocks) {
      for (const within of [0, 6, 9, 13, 22, 40]) {
        const bad = sample.slice();
        bad[blockStarts[block]! + within]! ^= 0x55;
        const report = await verifyTrace(bad);
        expect(report).toMatchObject({
          runCount: 8,
          isClosed: true,
          damageCount: 1,
          blockCount: blockStarts.length,
        });
      }
    }
  });

  it("has blocks missing, doubled or in another order found", async () => {
    const parts = blockStarts.map((start, i) => sample.subarray(start, blockStarts[i + 1] ?? sample.length));
    const head = sample.subarray(0, 16);
    const [definitions, contents, first, second, third, end] = parts as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const missing = cat(head, definitions, contents, first, third, end);
    expect(readTraceAll(missing).error).toMatchObject({
      code: "TRACE_BLOCK_ORDER",
      message: `block 4 stands where block 3 belongs, at offset ${blockStarts[3]}`,
    });
    expect(await verifyTrace(missing)).toMatchObject({ runCount: 8, isClosed: true, damageCount: 1 });
    const doubled = cat(head, definitions, contents, first, first, second, third, end);
    expect(await verifyTrace(doubled)).toMatchObject({ runCount: 12, isClosed: true, damageCount: 1 });
    const swapped = cat(head, definitions, contents, second, first, third, end);
    expect((await verifyTrace(swapped)).damage.map((damage) => damage.code)).toContain("TRACE_BLOCK_ORDER");
  });

  it("has bytes after its end found", async () => {
    const long = cat(sample, frame(100));
    expect(codes(readTraceWhole(long))).toEqual(["TRACE_AFTER_END"]);
    expect(readTraceAll(long, { strict: true }).error?.code).toBe("TRACE_AFTER_END");
  });

  it("of another version is refused by number, a later minor one is read", async () => {
    const { crc32c } = await import("../src/msgtrace/crc32c.ts");
    const withVersion = (major: number, minor: number): Uint8Array => {
      const out = sample.slice();
      const view = new DataView(out.buffer);
      view.setUint16(8, major, true);
      view.setUint16(10, minor, true);
      view.setUint32(12, crc32c(out, 0, 12), true);
      return out;
    };
    expect(readTraceAll(withVersion(2, 0)).error).toMatchObject({
      code: "UNSUPPORTED_TRACE_VERSION",
      message: "trace version 2.0 is not supported, versions 1.x are, at offset 8",
    });
    await expect(verifyTrace(withVersion(2, 0))).rejects.toMatchObject({ code: "UNSUPPORTED_TRACE_VERSION" });
    expect(runsOf(readTraceWhole(withVersion(1, 3)))).toHaveLength(12);
  });
});
