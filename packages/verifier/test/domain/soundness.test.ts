import type { JmpOp, Width } from "@tsbpf/isa";
import { JMP_OPS } from "@tsbpf/isa";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aluScalar, endScalar, offsetScalar, type ScalarAluOp } from "../../src/domain/alu.ts";
import { findInconsistency, syncBounds } from "../../src/domain/bounds.ts";
import { branchTaken } from "../../src/domain/branch.ts";
import { signExtendScalar, truncateScalar, zeroExtend32 } from "../../src/domain/cast.ts";
import { refineBranch, refineSelf } from "../../src/domain/refine.ts";
import type { Scalar } from "../../src/domain/scalar.ts";
import { tnumConst, tnumUnion } from "./model/tnum.ts";
import { scalarOf } from "./parts.ts";

const u64 = (v: bigint) => BigInt.asUintN(64, v);
const s64 = (v: bigint) => BigInt.asIntN(64, v);
const s32 = (v: bigint) => Number(BigInt.asIntN(32, v));

/** Whether a concrete value is inside every part of a scalar: what soundness means. */
function holds(a: Scalar, v: bigint): boolean {
  const low = s32(v);
  return (
    (v & ~a.tnum.mask & ((1n << 64n) - 1n)) === a.tnum.value &&
    a.umin <= v &&
    v <= a.umax &&
    a.smin <= s64(v) &&
    s64(v) <= a.smax &&
    a.s32min <= low &&
    low <= a.s32max &&
    a.u32min <= low >>> 0 &&
    low >>> 0 <= a.u32max
  );
}

/** The tightest scalar of a set of values, with some parts loosened. */
function abstractOf(values: readonly bigint[], loosen: number): Scalar {
  const tnum = values.map(tnumConst).reduce(tnumUnion);
  const by = <T extends bigint | number>(f: (v: bigint) => T) => {
    const all = values.map(f).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    return [all[0] as T, all[all.length - 1] as T] as const;
  };
  const [umin, umax] = by((v) => v);
  const [smin, smax] = by(s64);
  const [s32min, s32max] = by(s32);
  const [u32min, u32max] = by((v) => s32(v) >>> 0);
  return scalarOf({
    tnum: loosen & 1 ? { value: 0n, mask: (1n << 64n) - 1n } : tnum,
    umin: loosen & 2 ? 0n : umin,
    umax: loosen & 4 ? (1n << 64n) - 1n : umax,
    smin: loosen & 8 ? -(1n << 63n) : smin,
    smax: loosen & 16 ? (1n << 63n) - 1n : smax,
    s32min: loosen & 32 ? -(2 ** 31) : s32min,
    s32max: loosen & 64 ? 2 ** 31 - 1 : s32max,
    u32min: loosen & 128 ? 0 : u32min,
    u32max: loosen & 256 ? 2 ** 32 - 1 : u32max,
  });
}

const edge = fc.constantFrom(
  0n,
  1n,
  2n,
  7n,
  8n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0xffff_ffff_0000_0000n,
  0xffff_ffff_8000_0000n,
  0xffff_ffff_ffff_ffffn,
  0xffff_ffff_ffff_fffen,
);
const value = fc.oneof(
  edge,
  fc.bigInt(0n, (1n << 64n) - 1n),
  fc.bigInt(0n, 300n),
  fc.bigInt(-300n, -1n).map(u64),
);
const values = fc.oneof(
  fc.array(value, { minLength: 1, maxLength: 4 }),
  fc
    .tuple(value, fc.integer({ min: 1, max: 12 }))
    .map(([from, n]) => Array.from({ length: n }, (_, i) => u64(from + BigInt(i)))),
);
const scalar = fc
  .tuple(values, fc.integer({ min: 0, max: 511 }))
  .map(([all, loosen]) => ({ all, s: syncBounds(abstractOf(all, loosen)) }));
const width = fc.constantFrom<Width>(32, 64);

const BINARY: readonly ScalarAluOp[] = [
  "add",
  "sub",
  "mul",
  "and",
  "or",
  "xor",
  "lsh",
  "rsh",
  "arsh",
  "neg",
  "div",
  "mod",
];

function concrete(op: ScalarAluOp, w: Width, x: bigint, y: bigint): bigint {
  const a = BigInt.asUintN(w, x);
  const b = BigInt.asUintN(w, y);
  const by = b & BigInt(w - 1);
  const raw = {
    add: () => a + b,
    sub: () => a - b,
    mul: () => a * b,
    and: () => a & b,
    or: () => a | b,
    xor: () => a ^ b,
    lsh: () => a << by,
    rsh: () => a >> by,
    arsh: () => BigInt.asIntN(w, a) >> by,
    neg: () => -a,
    div: () => (b === 0n ? 0n : a / b),
    mod: () => (b === 0n ? a : a % b),
    sdiv: () => 0n,
    smod: () => 0n,
  }[op]();
  return BigInt.asUintN(w, raw);
}

function compare(op: JmpOp, w: Width, x: bigint, y: bigint): boolean {
  const [a, b] = [BigInt.asUintN(w, x), BigInt.asUintN(w, y)];
  const [c, d] = [BigInt.asIntN(w, x), BigInt.asIntN(w, y)];
  return {
    jeq: a === b,
    jne: a !== b,
    jgt: a > b,
    jge: a >= b,
    jlt: a < b,
    jle: a <= b,
    jset: (a & b) !== 0n,
    jsgt: c > d,
    jsge: c >= d,
    jslt: c < d,
    jsle: c <= d,
  }[op];
}

describe("soundness of the value domains", () => {
  it("synchronises without losing a value (S-96..S-99, idea T-188)", () => {
    fc.assert(
      fc.property(scalar, ({ all, s }) => {
        expect(findInconsistency(s)).toBeUndefined();
        for (const v of all) expect(holds(s, v)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it("holds every result of arithmetic (S-105..S-113)", () => {
    fc.assert(
      fc.property(
        scalar,
        scalar,
        width,
        fc.constantFrom(...BINARY),
        fc.boolean(),
        (a, b, w, op, isConstSrc) => {
          const src = isConstSrc ? [b.all[0] as bigint] : b.all;
          const srcScalar = isConstSrc ? syncBounds(abstractOf(src, 0)) : b.s;
          const result = aluScalar(op, w, a.s, srcScalar);
          for (const x of a.all)
            for (const y of src) {
              const v = concrete(op, w, x, y);
              if (!holds(result, v)) throw new Error(`${op}${w} ${x} ${y} = ${v} not in result`);
            }
        },
      ),
      { numRuns: 4000 },
    );
  });

  it("holds shifted values for every known count", () => {
    fc.assert(
      fc.property(
        scalar,
        width,
        fc.constantFrom<ScalarAluOp>("lsh", "rsh", "arsh"),
        fc.bigInt(0n, 63n),
        (a, w, op, by) => {
          const result = aluScalar(op, w, a.s, syncBounds(abstractOf([by], 0)));
          for (const x of a.all) if (by < BigInt(w)) expect(holds(result, concrete(op, w, x, by))).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("holds every cast (S-101, S-115, S-121, S-122, S-111)", () => {
    fc.assert(
      fc.property(
        scalar,
        fc.constantFrom(1, 2, 4, 8),
        fc.constantFrom(8, 16, 32),
        width,
        ({ all, s }, size, bits, w) => {
          for (const v of all) {
            expect(holds(zeroExtend32(s), BigInt.asUintN(32, v))).toBe(true);
            expect(holds(truncateScalar(s, size as 1), BigInt.asUintN(size * 8, v))).toBe(true);
            if (bits < w) {
              expect(
                holds(signExtendScalar(s, bits as 8, w), BigInt.asUintN(w, BigInt.asIntN(bits, v))),
              ).toBe(true);
            }
            const swapped = BigInt(
              `0x${(BigInt.asUintN(16, v).toString(16).padStart(4, "0").match(/../g) ?? []).reverse().join("")}`,
            );
            expect(holds(endScalar("be", 16, s), swapped)).toBe(true);
            expect(holds(endScalar("le", 32, s), BigInt.asUintN(32, v))).toBe(true);
          }
        },
      ),
      { numRuns: 1500 },
    );
  });

  it("decides branches only when all values agree, and narrows without losing one (S-146..S-157)", () => {
    fc.assert(
      fc.property(scalar, scalar, width, fc.constantFrom(...JMP_OPS), (a, b, w, op) => {
        const taken = branchTaken(op, w, a.s, b.s);
        const on = {
          true: refineBranch(op, w, { dst: a.s, src: b.s }, true),
          false: refineBranch(op, w, { dst: a.s, src: b.s }, false),
        };
        for (const x of a.all)
          for (const y of b.all) {
            const actual = compare(op, w, x, y);
            if (taken !== undefined && taken !== actual)
              throw new Error(`${op}${w} ${x} ${y} decided ${taken}`);
            const side = on[String(actual) as "true"];
            if (!holds(side.dst, x) || !holds(side.src, y))
              throw new Error(`${op}${w} ${x} ${y} lost on ${actual}`);
          }
      }),
      { numRuns: 4000 },
    );
  });

  it("loses no value of a register that is compared with itself (S-150..S-157)", () => {
    fc.assert(
      fc.property(scalar, width, fc.constantFrom(...JMP_OPS), (a, w, op) => {
        const on = { true: refineSelf(op, w, a.s, true), false: refineSelf(op, w, a.s, false) };
        for (const x of a.all) {
          const actual = compare(op, w, x, x);
          if (!holds(on[String(actual) as "true"], x)) throw new Error(`${op}${w} ${x} lost on ${actual}`);
        }
      }),
      { numRuns: 4000 },
    );
  });

  it("moves the variable part of a pointer soundly (S-187)", () => {
    fc.assert(
      fc.property(scalar, scalar, fc.boolean(), (a, b, isAdd) => {
        const result = offsetScalar(isAdd ? "add" : "sub", a.s, b.s);
        for (const x of a.all)
          for (const y of b.all) expect(holds(result, u64(isAdd ? x + y : x - y))).toBe(true);
      }),
      { numRuns: 1500 },
    );
  });
});
