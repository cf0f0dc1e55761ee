import { JMP_OPS, type JmpOp, type SizeBytes, type Width } from "@tsbpf/isa";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aluScalar, endScalar, isSignMask, offsetScalar, type ScalarAluOp } from "../../src/domain/alu.ts";
import { areBitsAligned, stepBits, stepped } from "../../src/domain/bits.ts";
import { assumeSigned, assumeSignedBoth, findInconsistency, syncBounds } from "../../src/domain/bounds.ts";
import { branchTaken } from "../../src/domain/branch.ts";
import { signExtendScalar, truncateScalar, withKnown32, zeroExtend32 } from "../../src/domain/cast.ts";
import { refineBranch } from "../../src/domain/refine.ts";
import {
  constScalar,
  fitsBits,
  isConst,
  isConst32,
  isSameScalar,
  isScalarWithin,
  isZero,
  type Scalar,
} from "../../src/domain/scalar.ts";
import * as modelAlu from "./model/alu.ts";
import * as modelBounds from "./model/bounds.ts";
import * as modelBranch from "./model/branch.ts";
import * as modelCast from "./model/cast.ts";
import * as model from "./model/scalar.ts";
import { isTnumAligned, tnumAdd, tnumConst, tnumStep } from "./model/tnum.ts";
import { scalarOf, toModel } from "./parts.ts";

// The model computes with bigints, as the rules are written; the verifier computes with 32-bit halves. Both must agree.

const U64 = (1n << 64n) - 1n;
const u64 = (v: bigint) => BigInt.asUintN(64, v);

const edge = fc.constantFrom(
  ...[0n, 1n, 7n, 8n, 63n, 0x7fn, 0x80n, 0xffn, 0x8000n, 0xffffn, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn],
  ...[0x1_0000_0000n, 0x1_7fff_ffffn, 0x1_8000_0000n, 0x20_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn],
  ...[0x8000_0000_0000_0000n, 0xffff_ffff_0000_0000n, 0xffff_ffff_7fff_ffffn, 0xffff_ffff_8000_0000n],
  ...[0xffff_ffff_ffff_ff80n, 0xffff_ffff_ffff_fffen, U64],
);
const value = fc.oneof(
  edge,
  edge.chain((at) => fc.bigInt(-3n, 3n).map((by) => u64(at + by))),
  fc.bigInt(0n, U64),
  fc.bigInt(-300n, 300n).map(u64),
);
const pair = fc.tuple(value, value);

/** Any ends and bits, also such as contradict each other. */
const anyParts = fc
  .tuple(pair, pair, pair, pair, pair, fc.integer({ min: 0, max: 1023 }))
  .map(([bits, unsigned, signed, unsigned32, signed32, loosen]) => {
    const order = <T>(a: T, b: T): readonly [T, T] => (a <= b ? [a, b] : [b, a]);
    const low = (v: bigint) => Number(BigInt.asUintN(32, v));
    const [umin, umax] = order(...unsigned);
    const [smin, smax] = order(BigInt.asIntN(64, signed[0]), BigInt.asIntN(64, signed[1]));
    const [u32min, u32max] = order(low(unsigned32[0]), low(unsigned32[1]));
    const [s32min, s32max] = order(low(signed32[0]) | 0, low(signed32[1]) | 0);
    const has = (bit: number): boolean => ((loosen >> bit) & 1) === 1;
    return {
      tnum: has(0) ? { value: 0n, mask: U64 } : { value: bits[0] & ~bits[1] & U64, mask: bits[1] },
      umin: has(1) ? 0n : umin,
      umax: has(2) ? U64 : umax,
      smin: has(3) ? -(1n << 63n) : smin,
      smax: has(4) ? (1n << 63n) - 1n : smax,
      u32min: has(5) ? 0 : u32min,
      u32max: has(6) ? 0xffff_ffff : u32max,
      s32min: has(7) ? -0x8000_0000 : s32min,
      s32max: has(8) ? 0x7fff_ffff : s32max,
    };
  });

/** Scalars as the walk has them: settled, from few values. */
const settled = fc
  .tuple(fc.array(value, { minLength: 1, maxLength: 4 }), fc.integer({ min: 0, max: 511 }))
  .map(([values, loosen]) => {
    const by = <T extends bigint | number>(f: (v: bigint) => T, from: T, to: T, bit: number): [T, T] => {
      const all = values.map(f).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
      return [(loosen >> bit) & 1 ? from : (all[0] as T), (loosen >> (bit + 1)) & 1 ? to : (all.at(-1) as T)];
    };
    const one = values[0] ?? 0n;
    const mask = values.reduce((mu, v) => mu | (v ^ one), 0n);
    const [umin, umax] = by((v) => v, 0n, U64, 1);
    const [smin, smax] = by((v) => BigInt.asIntN(64, v), -(1n << 63n), (1n << 63n) - 1n, 3);
    const [s32min, s32max] = by((v) => Number(BigInt.asIntN(32, v)), -(2 ** 31), 2 ** 31 - 1, 5);
    const [u32min, u32max] = by((v) => Number(BigInt.asUintN(32, v)), 0, 2 ** 32 - 1, 7);
    const tnum = loosen & 1 ? { value: 0n, mask: U64 } : { value: one & ~mask, mask };
    return syncBounds(scalarOf({ tnum, umin, umax, smin, smax, s32min, s32max, u32min, u32max }));
  });
const operand = fc.oneof(settled, settled, value.map(constScalar), fc.bigInt(0n, 70n).map(constScalar));
const width = fc.constantFrom<Width>(32, 64);

const OPS: readonly ScalarAluOp[] = [
  ...(["add", "sub", "mul", "and", "or", "xor", "lsh", "rsh", "arsh", "neg", "div", "smod"] as const),
];

const expectSame = (actual: Scalar, expected: model.Scalar): void =>
  expect(toModel(actual)).toEqual(toModel(expected));

describe("the domains beside their model", () => {
  it("agrees on what synchronising finds, whatever the parts (S-96..S-100)", () => {
    fc.assert(
      fc.property(anyParts, (parts) => {
        expectSame(syncBounds(scalarOf(parts)), modelBounds.syncBounds(parts));
        expect(findInconsistency(scalarOf(parts))).toBe(modelBounds.findInconsistency(parts));
      }),
      { numRuns: 6000 },
    );
  });

  it("agrees on arithmetic (S-105..S-113, S-187)", () => {
    fc.assert(
      fc.property(operand, operand, width, fc.constantFrom(...OPS), (a, b, w, op) => {
        const [x, y] = [toModel(a), toModel(b)];
        expectSame(aluScalar(op, w, a, b), modelAlu.aluScalar(op, w, x, y));
        expectSame(offsetScalar("add", a, b), modelAlu.offsetScalar("add", x, y));
        expectSame(offsetScalar("sub", a, b), modelAlu.offsetScalar("sub", x, y));
        expect(isSignMask(w, a)).toBe(modelAlu.isSignMask(w, x));
      }),
      { numRuns: 12_000 },
    );
  });

  it("agrees on casts and byte orders (S-101, S-111, S-115, S-121, S-122)", () => {
    const size = fc.constantFrom<SizeBytes>(1, 2, 4, 8);
    const from = fc.constantFrom(8, 16, 32) as fc.Arbitrary<8 | 16 | 32>;
    const bits = fc.constantFrom(16, 32, 64) as fc.Arbitrary<16 | 32 | 64>;
    const order = fc.constantFrom("le", "be", "swap") as fc.Arbitrary<"le" | "be" | "swap">;
    fc.assert(
      fc.property(operand, width, size, from, bits, order, (a, w, bytes, fromBits, n, how) => {
        const x = toModel(a);
        expectSame(zeroExtend32(a), modelCast.zeroExtend32(x));
        expectSame(truncateScalar(a, bytes), modelCast.truncateScalar(x, bytes));
        if (fromBits < w)
          expectSame(signExtendScalar(a, fromBits, w), modelCast.signExtendScalar(x, fromBits, w));
        expectSame(endScalar(how, n, a), modelAlu.endScalar(how, n, x));
        expectSame(withKnown32(a, n), modelCast.withKnown32(x, n));
      }),
      { numRuns: 6000 },
    );
  });

  it("agrees on branches (S-146..S-157)", () => {
    fc.assert(
      fc.property(operand, operand, width, fc.constantFrom<JmpOp>(...JMP_OPS), (a, b, w, op) => {
        const [x, y] = [toModel(a), toModel(b)];
        expect(branchTaken(op, w, a, b)).toBe(modelBranch.branchTaken(op, w, x, y));
        for (const isTaken of [true, false]) {
          const ours = refineBranch(op, w, { dst: a, src: b }, isTaken);
          const theirs = modelBranch.refineBranch(op, w, { dst: x, src: y }, isTaken);
          expectSame(ours.dst, theirs.dst);
          expectSame(ours.src, theirs.src);
        }
      }),
      { numRuns: 10_000 },
    );
  });

  it("agrees on narrowing and comparing", () => {
    const small = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
    fc.assert(
      fc.property(operand, operand, pair, fc.tuple(small, small), (a, b, [from, to], [low, high]) => {
        const [x, y] = [toModel(a), toModel(b)];
        const [min, max] = [BigInt.asIntN(64, from), BigInt.asIntN(64, to)];
        expectSame(assumeSigned(a, min, max), modelBounds.assumeSigned(x, min, max));
        expectSame(assumeSignedBoth(a, low, high), modelBounds.assumeSignedBoth(x, low, high));
        expect(isScalarWithin(a, b)).toBe(model.isScalarWithin(x, y));
        expect(isSameScalar(a, b)).toBe(model.isSameScalar(x, y));
      }),
      { numRuns: 6000 },
    );
  });

  it("agrees on what a scalar is", () => {
    fc.assert(
      fc.property(operand, value, fc.constantFrom(1, 2, 4, 8), fc.integer(), (a, z, align, off) => {
        const x = toModel(a);
        expect(isConst(a)).toBe(model.isConst(x));
        expect(isConst32(a)).toBe(model.isConst32(x));
        expect(isZero(a)).toBe(model.isConst(x) && x.tnum.value === 0n);
        for (const bits of [7, 8, 16, 31, 32, 64]) expect(fitsBits(a, bits)).toBe(model.fitsBits(x, bits));
        const moved = tnumAdd(x.tnum, tnumConst(BigInt(off)));
        expect(areBitsAligned(a, off, align)).toBe(isTnumAligned(moved, align));
        const zWords = constScalar(z);
        stepBits(a, zWords.bitsHi, zWords.bitsLo);
        const { hi, lo } = stepped;
        expect((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)).toBe(tnumStep(x.tnum, z));
        expect(a.sminNumber).toBe(Number(x.smin));
        expect(a.smaxNumber).toBe(Number(x.smax));
        expect(a.uminNumber).toBe(Number(x.umin));
        expect(a.umaxNumber).toBe(Number(x.umax));
      }),
      { numRuns: 4000 },
    );
  });

  it("makes constants of numbers and bigints", () => {
    fc.assert(
      fc.property(value, fc.maxSafeInteger(), (wide, number) => {
        expectSame(constScalar(wide), model.constScalar(wide));
        expectSame(constScalar(-wide), model.constScalar(-wide));
        expectSame(constScalar(number), model.constScalar(number));
      }),
    );
  });
});
