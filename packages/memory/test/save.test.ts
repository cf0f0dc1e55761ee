import { describe, expect, it } from "vitest";
import { canAccess, LinearMemory, PERM } from "../src/index.ts";

const options = { kind: "scratch", name: "scratch" } as const;

describe("saving a memory", () => {
  it("brings back contents, regions and allocations", () => {
    const memory = new LinearMemory({ initialBytes: 1 << 20 });
    const first = memory.alloc(64, options);
    memory.u8[first] = 1;
    const saved = memory.save();
    memory.u8[first] = 2;
    const second = memory.alloc(64, options);
    memory.u8[second] = 3;
    memory.release(first, 64);
    memory.restore(saved);
    expect(memory.u8[first]).toBe(1);
    expect(canAccess(memory, first, 64, PERM.read)).toBe(true);
    expect(canAccess(memory, second, 1, PERM.read)).toBe(false);
    expect(memory.alloc(64, options)).toBe(second);
    expect(memory.u8[second]).toBe(0);
  });

  it("brings back regions that moved, as the same objects", () => {
    const memory = new LinearMemory({ initialBytes: 1 << 20 });
    const start = memory.allocRaw(128);
    const region = memory.regions.add({
      start,
      end: start + 128,
      perm: PERM.readWrite,
      kind: "packet",
      name: "p",
    });
    region.move(start + 8, start + 64);
    const saved = memory.save();
    region.move(start, start + 10);
    memory.regions.remove(start);
    memory.restore(saved);
    expect(memory.regions.at(start + 8)).toBe(region);
    expect([region.start, region.end, region.isListed]).toEqual([start + 8, start + 64, true]);
  });

  it("shares pages that did not change, and those that are zero", () => {
    const memory = new LinearMemory({ initialBytes: 1 << 20 });
    const at = memory.alloc(5 * 4096, { ...options, align: 4096 });
    memory.u8[at] = 1;
    memory.u8[at + 4096] = 1;
    const first = memory.save();
    memory.u8[at] = 2;
    const second = memory.save(first);
    const page = (at - 65536) / 4096;
    expect(second.pages[page]).not.toBe(first.pages[page]);
    expect(second.pages[page + 1]).toBe(first.pages[page + 1]);
    expect(first.pages[page + 2]).toBe(first.pages[page + 3]);
  });

  it("counts as a change of regions", () => {
    const memory = new LinearMemory({ initialBytes: 1 << 20 });
    const saved = memory.save();
    const before = memory.regions.changes.count;
    memory.restore(saved);
    expect(memory.regions.changes.count).toBeGreaterThan(before);
  });
});
