import { type AtomicOp, INSN_ROWS, makeInsn } from "@tsbpf/isa";
import { LinearMemory } from "@tsbpf/memory";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addArray, Harness } from "./support.ts";

const mask = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** New cell, and what the fetched register holds, by operation. */
const CELL: Record<AtomicOp, (old: bigint, src: bigint, r0: bigint) => bigint> = {
  add: (old, src) => old + src,
  or: (old, src) => old | src,
  and: (old, src) => old & src,
  xor: (old, src) => old ^ src,
  fetch_add: (old, src) => old + src,
  fetch_or: (old, src) => old | src,
  fetch_and: (old, src) => old & src,
  fetch_xor: (old, src) => old ^ src,
  xchg: (_old, src) => src,
  cmpxchg: (old, src, r0) => (old === r0 ? src : old),
  load_acquire: (old) => old,
  store_release: (_old, src) => src,
};
const FETCHES: Partial<Record<AtomicOp, "src" | "r0" | "dst">> = {
  fetch_add: "src",
  fetch_or: "src",
  fetch_and: "src",
  fetch_xor: "src",
  xchg: "src",
  cmpxchg: "r0",
  load_acquire: "dst",
};

const arbU64 = fc.oneof(
  fc.constantFrom(0n, 1n, 0xffff_ffffn, 0x1_0000_0000n, mask(64)),
  fc.bigInt({ min: 0n, max: mask(64) }),
);

for (const isShared of [false, true]) {
  const harness = new Harness({ memory: new LinearMemory({ initialBytes: 1 << 20, isShared }) });
  const cell = addArray(harness, { name: "cell", valueBytes: 16, maxEntries: 1 }).lookup(0, 0);
  const { view } = harness.memory;

  describe(`atomics on ${isShared ? "shared" : "plain"} memory against the reference (ISA-70, ISA-71)`, () => {
    for (const row of INSN_ROWS) {
      const { action } = row;
      if (action.kind !== "atomic") continue;
      const { atomicOp, size } = action;
      const isLoad = atomicOp === "load_acquire";
      it(row.id, () => {
        const imm = (row.imm as readonly number[])[0] as number;
        // r7 = the cell, r8 = operand, r0 = compared; after: r0 to ctx + 16, r8 to ctx + 24.
        const prog = harness.prepare([
          makeInsn(0xbf, { dst: 9, src: 1 }),
          makeInsn(0x79, { dst: 7, src: 9, off: 0 }),
          makeInsn(0x79, { dst: 8, src: 9, off: 8 }),
          makeInsn(0x79, { dst: 0, src: 9, off: 16 }),
          isLoad
            ? makeInsn(row.op, { dst: 8, src: 7, off: 8, imm })
            : makeInsn(row.op, { dst: 7, src: 8, off: 8, imm }),
          makeInsn(0x7b, { dst: 9, src: 0, off: 16 }),
          makeInsn(0x7b, { dst: 9, src: 8, off: 24 }),
          makeInsn(0x95),
        ]);
        fc.assert(
          fc.property(arbU64, arbU64, arbU64, fc.boolean(), (old, src, other, isEqual) => {
            const r0 = isEqual ? old : other;
            view.setBigUint64(harness.ctx, BigInt(cell), true);
            view.setBigUint64(harness.ctx + 8, src, true);
            view.setBigUint64(harness.ctx + 16, r0, true);
            view.setBigUint64(cell, 0x5555_5555_5555_5555n, true);
            view.setBigUint64(cell + 8, old, true);
            harness.r0(prog);
            const bits = size * 8;
            const [o, s, c] = [old & mask(bits), src & mask(bits), r0 & mask(bits)];
            const next = CELL[atomicOp](o, s, c) & mask(bits);
            expect(view.getBigUint64(cell + 8, true)).toBe((old & ~mask(bits)) | next);
            expect(view.getBigUint64(cell, true)).toBe(0x5555_5555_5555_5555n);
            const fetched = FETCHES[atomicOp];
            expect(view.getBigUint64(harness.ctx + 16, true)).toBe(fetched === "r0" ? o : r0);
            const isInR8 = fetched === "src" || fetched === "dst";
            expect(view.getBigUint64(harness.ctx + 24, true)).toBe(isInR8 ? o : src);
          }),
          { numRuns: 120 },
        );
      });
    }

    it("ISA-73: an address that is no multiple of the size traps", () => {
      const trap = harness.trap("r1 = map_value[cell]+4; r2 = 1; lock *(u64 *)(r1 + 0) += r2; r0 = 0; exit");
      expect(trap.code).toBe("RUN_UNALIGNED");
      expect(trap.details).toMatchObject({ slot: 3, sizeBytes: 8 });
    });
  });
}
