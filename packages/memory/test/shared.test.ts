import { describe, expect, it } from "vitest";
import { LinearMemory, WASM_PAGE_BYTES } from "../src/index.ts";

const data = (name: string) => ({ kind: "data", name }) as const;
const make = () => new LinearMemory({ initialBytes: 1 << 20, maxBytes: 1 << 24, isShared: true });

/** What every thread sets up in the same way. */
function setUp(memory: LinearMemory): { readonly first: number; readonly second: number } {
  const first = memory.alloc(100, data("first"));
  const second = memory.alloc(2 << 20, data("second"));
  memory.view.setUint32(first, 1, true);
  return { first, second };
}

describe("a memory that several threads share", () => {
  it("gives whoever sets up alike the same addresses, and keeps what has changed meanwhile", () => {
    const maker = make();
    const made = setUp(maker);
    const shared = maker.share(2, 4096);
    maker.view.setUint32(made.first, 7, true);
    const joined = new LinearMemory({ joins: shared });
    expect(joined.isShared).toBe(true);
    expect(setUp(joined)).toEqual(made);
    expect(joined.allocatedEnd).toBe(shared.allocatedEnd);
    expect(maker.view.getUint32(made.first, true)).toBe(7);
    joined.enter(shared.spans[0] ?? { start: 0, end: 0 });
    expect(joined.view.getUint32(made.first, true)).toBe(7);
    joined.view.setUint32(made.second, 9, true);
    expect(maker.view.getUint32(made.second, true)).toBe(9);
    expect(joined.regions.all.map(({ name }) => name)).toEqual(["first", "second"]);
  });

  it("gives each thread memory of its own, and no more than that", () => {
    const maker = make();
    const shared = maker.share(3, 4096);
    const spans = shared.spans.map((span) => {
      const joined = new LinearMemory({ joins: shared });
      joined.enter(span);
      const address = joined.alloc(4000, data("own"));
      expect(joined.tryAlloc(64, data("more"))).toBe(0);
      const tooMuch = expect.objectContaining({ code: "MEM_EXHAUSTED" });
      expect(() => joined.alloc(64, data("more"))).toThrow(tooMuch);
      return address;
    });
    const own = maker.alloc(64, data("main"));
    const starts = [...spans, own].sort((a, b) => a - b);
    for (const [idx, start] of starts.entries()) {
      expect(start - (starts[idx - 1] ?? 0)).toBeGreaterThanOrEqual(64);
    }
  });

  it("does not grow once it is shared", () => {
    const maker = make();
    const shared = maker.share(1, 64);
    const refused = expect.objectContaining({ code: "MEM_EXHAUSTED" });
    expect(() => maker.alloc(1 << 22, data("late"))).toThrow(refused);
    const joined = new LinearMemory({ joins: shared });
    expect(() => joined.alloc(1 << 22, data("late"))).toThrow(refused);
    joined.ensureHeadroom(1 << 22);
    expect(maker.wasm.buffer.byteLength).toBe(joined.sizeBytes);
  });

  it("is refused by name when nobody asked for sharing", () => {
    const memory = new LinearMemory({ initialBytes: WASM_PAGE_BYTES });
    expect(() => memory.share(1, 64)).toThrow(expect.objectContaining({ code: "MEM_SHARE" }));
  });
});
