import { readFileSync } from "node:fs";
import { PACKET_DESC } from "@tsbpf/jit";
import { createVm } from "@tsbpf/vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printRuns } from "../gen/runs.ts";
import { RunDescriber } from "../src/run/run-describer.ts";

const { memory } = createVm();
const describer = new RunDescriber(memory);
const DESCS = 64;
const descAddress = memory.allocRaw(DESCS * PACKET_DESC.bytes, 64);
const sizesAddress = memory.allocRaw(DESCS * 4 + 1, 64);
const address = 0x10_0000;
const LIMITS = { min: 14, max: 65_535 };

describe("descriptions of runs", () => {
  it("come from what their source says", async () => {
    const text = readFileSync(new URL("../src/run/runs.gen.ts", import.meta.url), "utf8");
    expect(await printRuns()).toBe(text);
  });

  it("are of packets in a row, up to one that is too small, too large or not there", () => {
    const size = fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 14, max: 2000 }) }, fc.nat(70_000));
    fc.assert(
      fc.property(fc.array(size, { maxLength: DESCS }), fc.nat(60_000), fc.nat(1), (sizes, room, shift) => {
        for (const [idx, bytes] of sizes.entries())
          memory.view.setUint32(sizesAddress + shift + 4 * idx, bytes, true);
        memory.u8.fill(0xff, descAddress, descAddress + DESCS * PACKET_DESC.bytes);
        const count = describer.describe(
          {
            sizesAddress: sizesAddress + shift,
            size: 0,
            count: sizes.length,
            address,
            end: address + room,
            descAddress,
            ifindex: 7,
            queue: 3,
          },
          LIMITS,
        );
        let at = address;
        const wanted: number[][] = [];
        for (const bytes of sizes) {
          if (bytes < LIMITS.min || bytes > LIMITS.max || at + bytes > address + room) break;
          wanted.push([at, at + bytes, at, 7, 3, 0, 0, 0]);
          at += bytes;
        }
        const found = Array.from({ length: count }, (_, idx) => [
          ...new Uint32Array(memory.u8.buffer, descAddress + idx * PACKET_DESC.bytes, 8),
        ]);
        expect(found).toEqual(wanted);
      }),
    );
  });

  it("take one size for all", () => {
    const row = { sizesAddress: 0, size: 60, address, descAddress, ifindex: 1, queue: 0 };
    expect(describer.describe({ ...row, count: 40, end: address + 100_000 }, LIMITS)).toBe(40);
    expect(describer.describe({ ...row, count: 40, end: address + 60 * 39 + 59 }, LIMITS)).toBe(39);
    expect(describer.describe({ ...row, size: 13, count: 40, end: address + 100_000 }, LIMITS)).toBe(0);
  });
});
