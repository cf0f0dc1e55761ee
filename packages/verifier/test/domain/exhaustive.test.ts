import { describe, expect, it } from "vitest";
import { aluScalar } from "../../src/domain/alu.ts";
import { syncBounds } from "../../src/domain/bounds.ts";
import type { Scalar } from "../../src/domain/scalar.ts";
import { scalarOf } from "./parts.ts";

const BITS = 3n;
const U64 = (1n << 64n) - 1n;

const OPS = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
} satisfies Readonly<Record<string, (a: bigint, b: bigint) => bigint>>;

/** A number of which some bits are known, and all that it may be. */
interface Partial3 {
  readonly scalar: Scalar;
  readonly members: readonly bigint[];
}

/** Each choice of known, set and unknown bits of three from `at` on; the other bits are 0. */
function partialsAt(at: bigint): Partial3[] {
  const all = Array.from({ length: 1 << Number(BITS) }, (_, i) => BigInt(i));
  return all.flatMap((mask) =>
    all
      .filter((value) => (value & mask) === 0n)
      .map((value) => ({
        scalar: syncBounds(
          scalarOf({
            tnum: { value: value << at, mask: mask << at },
            umin: 0n,
            umax: U64,
            smin: -(1n << 63n),
            smax: (1n << 63n) - 1n,
            s32min: -(2 ** 31),
            s32max: 2 ** 31 - 1,
            u32min: 0,
            u32max: 2 ** 32 - 1,
          }),
        ),
        members: all.filter((one) => (one & ~mask) === value).map((one) => one << at),
      })),
  );
}

/** Whether bits and ranges of a result leave room for a number. */
const holds = ({ tnum, umin, umax, smin, smax }: Scalar, v: bigint): boolean =>
  (v & ~tnum.mask & U64) === tnum.value &&
  umin <= v &&
  v <= umax &&
  smin <= BigInt.asIntN(64, v) &&
  BigInt.asIntN(64, v) <= smax;

describe("arithmetic on all numbers of three bits, known or not (S-80..S-92, idea T-186)", () => {
  // Low bits, both sides of the halves' border, and the sign.
  it.each([0n, 30n, 61n])("from bit %s on", (at) => {
    const [some, small] = [partialsAt(at), partialsAt(0n)];
    const lost: string[] = [];
    for (const [name, op] of Object.entries(OPS)) {
      for (const a of some) {
        for (const b of name === "mul" ? small : some) {
          const result = aluScalar(name as keyof typeof OPS, 64, a.scalar, b.scalar);
          const isLost = (x: bigint, y: bigint) => !holds(result, BigInt.asUintN(64, op(x, y)));
          if (a.members.some((x) => b.members.some((y) => isLost(x, y)))) {
            lost.push(`${a.members} ${name} ${b.members}`);
          }
        }
      }
    }
    expect(lost).toEqual([]);
    expect(some).toHaveLength(3 ** Number(BITS));
  });
});
