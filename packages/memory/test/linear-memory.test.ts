import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LinearMemory, PERM, WASM_PAGE_BYTES } from "../src/index.ts";

const options = { kind: "scratch", name: "scratch" } as const;
const small = () => new LinearMemory({ initialBytes: WASM_PAGE_BYTES, maxBytes: 4 * WASM_PAGE_BYTES });

describe("LinearMemory", () => {
  it("never hands out page 0, aligns and zeroes", () => {
    const memory = small();
    for (const align of [1, 8, 64, 4096]) {
      const address = memory.alloc(24, { ...options, align });
      expect(address).toBeGreaterThanOrEqual(WASM_PAGE_BYTES);
      expect(address % align).toBe(0);
      expect(memory.bytesAt(address, 24).every((byte) => byte === 0)).toBe(true);
    }
  });

  it("keeps living allocations apart and zeroed, whatever is released in between", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            isRelease: fc.boolean(),
            bytes: fc.constantFrom(1, 8, 24, 100, 512),
            align: fc.constantFrom(1, 8, 64),
            pick: fc.nat(),
          }),
          { maxLength: 60 },
        ),
        (steps) => {
          const memory = small();
          const living: { address: number; bytes: number; mark: number }[] = [];
          for (const [idx, step] of steps.entries()) {
            if (step.isRelease && living.length > 0) {
              const [gone] = living.splice(step.pick % living.length, 1);
              memory.release(gone!.address, gone!.bytes);
              expect(memory.regions.at(gone!.address)).toBeUndefined();
              continue;
            }
            const address = memory.alloc(step.bytes, { ...options, align: step.align });
            const bytes = memory.bytesAt(address, step.bytes);
            expect(address % step.align).toBe(0);
            expect(bytes.every((byte) => byte === 0)).toBe(true);
            bytes.fill((idx % 255) + 1);
            living.push({ address, bytes: step.bytes, mark: (idx % 255) + 1 });
          }
          for (const one of living) {
            expect(memory.bytesAt(one.address, one.bytes).every((byte) => byte === one.mark)).toBe(true);
          }
          expect(memory.regions.all.length).toBe(living.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("reuses a released span of the same size and alignment only", () => {
    const memory = small();
    const a = memory.alloc(100, { ...options, align: 64 });
    memory.release(a, 100);
    expect(memory.alloc(101, options)).not.toBe(a);
    expect(memory.alloc(100, { ...options, align: 64 })).toBe(a);
    const odd = memory.alloc(40, { ...options, align: 8 });
    memory.release(odd, 40);
    const aligned = memory.alloc(40, { ...options, align: 4096 });
    expect(aligned % 4096).toBe(0);
  });

  it("grows, keeps the bytes and replaces its views", () => {
    const memory = small();
    const address = memory.alloc(8, options);
    memory.view.setUint32(address, 0xdead_beef, true);
    const before = memory.u8;
    memory.alloc(2 * WASM_PAGE_BYTES, options);
    expect(memory.u8 === before).toBe(false);
    expect(memory.sizeBytes).toBe(memory.wasm.buffer.byteLength);
    expect(memory.view.getUint32(address, true)).toBe(0xdead_beef);
    expect(memory.i32.length * 4).toBe(memory.sizeBytes);
  });

  it("refuses to grow past maxBytes and can go on afterwards", () => {
    const memory = small();
    const exhausted = expect.objectContaining({ code: "MEM_EXHAUSTED" });
    expect(() => memory.alloc(4 * WASM_PAGE_BYTES, options)).toThrow(exhausted);
    expect(() => memory.alloc(2 ** 40, options)).toThrow(exhausted);
    expect(memory.alloc(8, options)).toBeGreaterThan(0);
  });

  it("tryAlloc takes what is there and never grows", () => {
    const memory = small();
    const { u8 } = memory;
    expect(memory.tryAlloc(2 * WASM_PAGE_BYTES, options)).toBe(0);
    const address = memory.tryAlloc(64, { ...options, perm: PERM.read });
    expect(memory.regions.at(address)?.perm).toBe(PERM.read);
    expect(memory.u8).toBe(u8);
    let count = 0;
    while (memory.tryAlloc(1024, options) !== 0) count++;
    expect(count).toBeGreaterThan(30);
    expect(memory.u8).toBe(u8);
  });

  it("ensureHeadroom makes room for tryAlloc, up to maxBytes", () => {
    const memory = small();
    expect(memory.tryAlloc(2 * WASM_PAGE_BYTES, options)).toBe(0);
    memory.ensureHeadroom(2 * WASM_PAGE_BYTES + 1024);
    const { u8 } = memory;
    memory.ensureHeadroom(WASM_PAGE_BYTES);
    expect(memory.u8 === u8).toBe(true);
    expect(memory.tryAlloc(2 * WASM_PAGE_BYTES, options)).toBeGreaterThan(0);
    memory.ensureHeadroom(2 ** 30);
    expect(memory.tryAlloc(2 * WASM_PAGE_BYTES, options)).toBe(0);
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 32])("refuses a size of %s bytes", (bytes) => {
    const refused = expect.objectContaining({ code: "MEM_OPTIONS" });
    expect(() => new LinearMemory({ initialBytes: bytes })).toThrow(refused);
    expect(() => new LinearMemory({ maxBytes: bytes })).toThrow(refused);
  });

  it("shares its buffer when asked to", () => {
    const memory = new LinearMemory({ initialBytes: 1, maxBytes: WASM_PAGE_BYTES, isShared: true });
    expect(memory.wasm.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(memory.alloc(8, options)).toBeGreaterThan(0);
  });

  it("takes a released span back only if it was its own", () => {
    const memory = small();
    expect(() => memory.release(0, 8)).toThrow(expect.objectContaining({ code: "BUG_INVARIANT" }));
    expect(() => memory.alloc(1.5, options)).toThrow(expect.objectContaining({ code: "BUG_INVARIANT" }));
  });

  it("copies as memmove does, at every alignment, size and overlap", () => {
    const memory = small();
    const base = memory.allocRaw(512);
    fc.assert(
      fc.property(fc.nat(200), fc.nat(200), fc.nat(150), (to, from, bytes) => {
        const area = memory.bytesAt(base, 512);
        for (let i = 0; i < 512; i++) area[i] = (i * 7) & 0xff;
        const model = area.slice();
        model.copyWithin(to, from, from + bytes);
        memory.copy(base + to, base + from, bytes);
        expect(area.slice()).toEqual(model);
      }),
      { numRuns: 500 },
    );
  });
});
