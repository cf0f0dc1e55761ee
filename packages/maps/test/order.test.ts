import { MAP_ELEMENT, MAP_HEADER } from "@tsbpf/abi";
import { LinearMemory } from "@tsbpf/memory";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OrderTable } from "../src/hash/order-table.ts";

/** A table of its own, with elements that are nothing but their order word. */
function createTable(memory = new LinearMemory({ initialBytes: 1024 * 1024 })) {
  const header = memory.allocRaw(MAP_HEADER.extra);
  const table = new OrderTable(memory, header, 4, false);
  const elements = Array.from({ length: 200 }, () => memory.allocRaw(16));
  let count = 0;
  const setCount = (next: number) => {
    count = next;
    memory.view.setUint32(header + MAP_HEADER.count, count, true);
  };
  return {
    table,
    elements,
    memory,
    header,
    append(element: number): boolean {
      const isIn = table.append(element);
      if (isIn) setCount(count + 1);
      return isIn;
    },
    remove(element: number): void {
      table.remove(element);
      setCount(count - 1);
    },
    list(): number[] {
      const all: number[] = [];
      for (let at = table.after(0); at !== 0; at = table.after(at)) all.push(at);
      return all;
    },
  };
}

describe("OrderTable", () => {
  it("keeps order through growth and compaction", () => {
    const step = fc.record({ isRemoval: fc.boolean(), pick: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { elements, append, remove, list } = createTable();
        const model: number[] = [];
        const free = [...elements];
        for (const { isRemoval, pick } of steps) {
          if (isRemoval && model.length > 0) {
            const [gone] = model.splice(pick % model.length, 1);
            remove(gone!);
            free.push(gone!);
          } else if (free.length > 0) {
            const element = free.shift()!;
            expect(append(element)).toBe(true);
            model.push(element);
          }
          expect(list()).toEqual(model);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("keeps walks in place while the table is compacted and doubled", () => {
    const { table, elements, append, remove } = createTable();
    for (const element of elements.slice(0, 6)) append(element);
    for (const element of elements.slice(0, 3)) remove(element);
    const seen: number[] = [];
    let next = 6;
    const visited = table.walk(30, (element) => {
      seen.push(elements.indexOf(element));
      if (next < 100) for (let i = 0; i < 8; i++) append(elements[next++]!);
      return true;
    });
    expect(visited).toBe(30);
    expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => i + 3));
  });

  it("compacts in place when there is no room for a larger table, and says when it is full", () => {
    const { elements, append, remove, memory, header, list } = createTable();
    while (memory.tryAllocRaw(64) !== 0);
    const isIn = elements.map((element) => append(element));
    const entries = memory.view.getUint32(header + MAP_HEADER.orderMax, true);
    expect(isIn.filter(Boolean)).toHaveLength(entries);
    remove(elements[0]!);
    expect(append(elements[199]!)).toBe(true);
    expect(list()).toEqual([...elements.slice(1, entries), elements[199]]);
    expect(memory.view.getUint32(elements[199]! + MAP_ELEMENT.order, true)).toBe(entries - 1);
    expect(append(elements[198]!)).toBe(false);
  });
});
