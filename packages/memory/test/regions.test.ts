import { InputError } from "@tsbpf/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canAccess,
  checkRange,
  GUARD_BYTES,
  LinearMemory,
  PERM,
  RegionTable,
  WASM_PAGE_BYTES,
} from "../src/index.ts";

const region = (start: number, end: number, name = `r${start}`) =>
  ({ start, end, perm: PERM.readWrite, kind: "map", name }) as const;

/** Non-overlapping spans inside [100, 100 + 64 * 40). */
const spans = fc.uniqueArray(fc.nat(39), { maxLength: 20 }).chain((slots) =>
  fc.tuple(
    ...slots.map((slot) =>
      fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 43 })).map(([from, bytes]) => {
        const start = 100 + slot * 64 + from;
        return { start, end: start + bytes, perm: 1 + (slot % 3) };
      }),
    ),
  ),
);

describe("RegionTable", () => {
  it("finds the region of an address as a linear search does, cache or not", () => {
    fc.assert(
      fc.property(
        spans,
        fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 30, maxLength: 60 }),
        fc.nat(),
        (list, addresses, seed) => {
          const table = new RegionTable();
          for (const one of list) table.add({ ...region(one.start, one.end), perm: one.perm });
          const check = (alive: readonly { start: number; end: number }[]) => {
            for (const address of [...addresses, ...addresses]) {
              const found = alive.find((one) => one.start <= address && address < one.end);
              expect(table.at(address)?.start).toBe(found?.start);
              const below = alive.filter((one) => one.start <= address).map((one) => one.start);
              expect(table.nearest(address)?.start).toBe(below.length === 0 ? undefined : Math.max(...below));
            }
          };
          check(list);
          const gone = list[seed % Math.max(1, list.length)];
          if (gone === undefined) return;
          table.remove(gone.start);
          check(list.filter((one) => one !== gone));
        },
      ),
      { numRuns: 100 },
    );
  });

  it("refuses overlap and takes a neighbour", () => {
    const table = new RegionTable();
    table.add(region(100, 200));
    for (const [start, end] of [
      [100, 101],
      [199, 300],
      [50, 101],
      [0, 1000],
      [150, 160],
    ] as const) {
      expect(() => table.add(region(start, end))).toThrow(expect.objectContaining({ code: "MEM_OVERLAP" }));
    }
    table.add(region(200, 300));
    table.add(region(0, 100));
    expect(table.all.map((one) => one.start)).toEqual([0, 100, 200]);
  });

  it("follows a region that moves within its span, also when it was found before", () => {
    const table = new RegionTable();
    table.add(region(0, 100, "below"));
    const live = table.add(region(200, 400, "moving"));
    expect(table.at(210)?.name).toBe("moving");
    live.move(250, 300);
    expect(table.at(210)).toBeUndefined();
    expect(table.nearest(210)?.name).toBe("below");
    expect(table.at(299)?.name).toBe("moving");
    expect(table.at(300)).toBeUndefined();
    live.move(0, 9999);
    expect([live.start, live.end]).toEqual([200, 400]);
    live.move(390, 210);
    expect([live.start, live.end]).toEqual([390, 390]);
    expect(() => table.add(region(210, 220))).toThrow(expect.objectContaining({ code: "MEM_OVERLAP" }));
    table.remove(200);
    expect(table.at(390)).toBeUndefined();
  });

  it("replaces what a program may do with a region", () => {
    const table = new RegionTable();
    table.add(region(100, 200));
    table.replace(100, { ...region(100, 120), perm: PERM.read });
    expect(table.at(119)?.perm).toBe(PERM.read);
    expect(table.at(120)).toBeUndefined();
  });
});

describe("checkRange", () => {
  const memory = new LinearMemory({ initialBytes: WASM_PAGE_BYTES });
  const readWrite = memory.alloc(100, { kind: "map", name: "map flows" });
  const readOnly = memory.alloc(16, { kind: "data", name: "map .rodata", perm: PERM.read });
  const writeOnly = memory.alloc(16, { kind: "map", name: "map out", perm: PERM.write });
  const fault = (lo: number, size: number, perm: number, hi = 0) =>
    checkRange(memory, { lo, hi }, size, perm);

  it.each([
    [readWrite, 100, PERM.readWrite, undefined],
    [readWrite + 99, 1, PERM.write, undefined],
    [readWrite + 99, 2, PERM.read, "RUN_BOUNDS"],
    [readWrite + 100, 1, PERM.read, "RUN_BOUNDS"],
    [readWrite - 1, 1, PERM.read, "RUN_BOUNDS"],
    [readWrite, -1, PERM.read, "RUN_BOUNDS"],
    [readOnly, 16, PERM.read, undefined],
    [readOnly, 1, PERM.write, "RUN_READ_ONLY"],
    [readOnly, 1, PERM.readWrite, "RUN_READ_ONLY"],
    [writeOnly, 16, PERM.write, undefined],
    [writeOnly, 8, PERM.read, "RUN_WRITE_ONLY"],
    [0, 8, PERM.read, "RUN_NULL"],
    [4095, 1, PERM.write, "RUN_NULL"],
    [4096, 1, PERM.write, "RUN_BOUNDS"],
    [0xffff_ffff, 8, PERM.read, "RUN_BOUNDS"],
    [-8, 8, PERM.read, "RUN_BOUNDS"],
    [0, 0, PERM.read, undefined],
  ])("%i + %i with %i gives %s", (lo, size, perm, code) => {
    expect(fault(lo, size, perm)?.code).toBe(code);
    expect(canAccess(memory, lo, size, perm)).toBe(code === undefined);
  });

  it("refuses every high half, and names what it found", () => {
    expect(fault(readWrite, 8, PERM.read, 1)).toEqual({
      code: "RUN_ADDRESS",
      text: `address 0x1${readWrite.toString(16).padStart(8, "0")} is no memory address`,
      region: undefined,
    });
    expect(fault(0, 1, PERM.read, -1)?.text).toBe("address 0xffffffff00000000 is no memory address");
    expect(fault(readWrite + 96, 8, PERM.read)?.text).toBe(
      "8 bytes at offset 96 of map flows, which has 100",
    );
    expect(fault(readOnly + 4, 4, PERM.write)?.text).toBe(
      "write of 4 bytes to map .rodata, which is not writable",
    );
    expect(fault(writeOnly, 4, PERM.read)?.text).toBe("read of 4 bytes from map out, which is not readable");
    expect(fault(8, 4, PERM.read)?.text).toBe("4 bytes at 0x8, a null pointer");
    expect(fault(readWrite + 104, 4, PERM.read)?.text).toContain("4 bytes past the end of map flows");
  });

  it("agrees with a byte-by-byte search", () => {
    const list = memory.regions.all;
    const allows = (byte: number, perm: number, owner: unknown) => {
      const found = list.find((one) => one.start <= byte && byte < one.end);
      return found !== undefined && found === owner && (found.perm & perm) === perm;
    };
    fc.assert(
      fc.property(
        fc.integer({ min: readWrite - 80, max: writeOnly + 100 }),
        fc.integer({ min: 1, max: 130 }),
        fc.constantFrom(PERM.read, PERM.write, PERM.readWrite),
        (lo, size, perm) => {
          const owner = list.find((one) => one.start <= lo && lo < one.end);
          const expected = Array.from({ length: size }, (_, i) => allows(lo + i, perm, owner)).every(Boolean);
          expect(canAccess(memory, lo, size, perm)).toBe(expected);
          expect(fault(lo, size, perm) === undefined).toBe(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("allows nothing anywhere without regions", () => {
    const empty = new LinearMemory({ initialBytes: 1 });
    for (const lo of [0, 1, WASM_PAGE_BYTES, 0x7fff_ffff]) {
      expect(canAccess(empty, lo, 1, PERM.read)).toBe(false);
      expect(checkRange(empty, { lo, hi: 0 }, 1, PERM.read)).toBeDefined();
    }
  });
});

describe("cells", () => {
  const memory = new LinearMemory({ initialBytes: WASM_PAGE_BYTES });
  const stride = 64;
  const start = memory.alloc(stride * 4, {
    kind: "map",
    name: "map flows",
    cells: {
      stride,
      windows: [
        { name: "key", offset: 16, bytes: 6, perm: PERM.read },
        { name: "value", offset: 24, bytes: 12, stride: 16, count: 2, perm: PERM.readWrite },
      ],
    },
  });
  /** What a byte of a cell belongs to: key k, values a and b, nothing. */
  const map = `${".".repeat(16)}kkkkkk..${"a".repeat(12)}....${"b".repeat(12)}${".".repeat(12)}`;

  it("agrees with a map of the bytes", () => {
    fc.assert(
      fc.property(
        fc.nat(stride * 4 - 1),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(PERM.read, PERM.write, PERM.readWrite),
        (offset, size, perm) => {
          const within = offset % stride;
          const owner = map[within];
          const bytes = (map + map).slice(within, within + size);
          const right = owner === "k" ? PERM.read : PERM.readWrite;
          const expected =
            owner !== "." &&
            bytes === String(owner).repeat(size) &&
            bytes.length === size &&
            (right & perm) === perm;
          expect(canAccess(memory, start + offset, size, perm)).toBe(expected);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("names the window, the element and the offset", () => {
    const text = (offset: number, size: number, perm: number = PERM.read) =>
      checkRange(memory, { lo: start + offset, hi: 0 }, size, perm)?.text;
    expect(text(64 + 24 + 8, 8)).toBe("8 bytes at offset 8 of value 1 of map flows, which has 12");
    expect(text(128 + 40, 16)).toBe("16 bytes at offset 0 of value 2 of map flows, which has 12");
    expect(text(16, 4, PERM.write)).toBe("write of 4 bytes to key 0 of map flows, which is not writable");
    expect(text(192, 4)).toBe("4 bytes at offset 0 of element 3 of map flows, which programs may not touch");
    expect(text(24 + 12, 4)).toBe(
      "4 bytes at offset 36 of element 0 of map flows, which programs may not touch",
    );
  });

  it("leaves a guard after each allocation", () => {
    const a = memory.alloc(8, { kind: "scratch", name: "a" });
    const b = memory.alloc(8, { kind: "scratch", name: "b" });
    expect(b - a).toBeGreaterThanOrEqual(8 + GUARD_BYTES);
    for (let byte = a + 8; byte < b; byte++) expect(canAccess(memory, byte, 1, PERM.read)).toBe(false);
    expect(() => memory.regions.add(region(a, a + 1))).toThrow(InputError);
  });
});
