import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { beliefsOf, isWithin, readBeliefs } from "../src/core/belief.ts";
import { parseExpr, type Values } from "../src/core/expr.ts";
import { highlight } from "../src/core/highlight.ts";

const VALUES: Values = {
  reg: (n) => BigInt(n),
  read: (address, size) => (address < 100n ? address + BigInt(size) : undefined),
  name: (name) => (name === "x" ? 7n : undefined),
};
const value = (text: string): bigint => parseExpr(text)(VALUES);

describe("expressions", () => {
  it("bind as C's do, without sign", () => {
    expect(value("1 + 2 * 3 == 7 && 4 | 3 == 3")).toBe(1n);
    expect(value("-1")).toBe((1n << 64n) - 1n);
    expect(value("-1 s< 0")).toBe(1n);
    expect(value("-8 s>> 1")).toBe((1n << 64n) - 4n);
    expect(value("5 / 0 + 5 % 0")).toBe(5n);
    expect(value("~0 & 0xff")).toBe(255n);
    expect(value("!(r3 > w2) + x + $r4 + fp")).toBe(21n);
    expect(value("*(u32 *)(10 + 1)")).toBe(15n);
    expect(value("*(s8 *)10")).toBe(11n);
    expect(value("*10")).toBe(18n);
  });

  it.each(["", "1 +", "(1", "1 2", "y", "*(u32 *)200", "1 ; 2", "r11", "@", "é"])(
    "refuse %j with a text",
    (text) => {
      expect(() => value(text)).toThrow(/REPL_EXPR|found|named|stand|memory/);
    },
  );

  it("agree with JavaScript on random sums", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        fc.bigInt({ min: 1n, max: (1n << 64n) - 1n }),
        (a, b) => {
          expect(value(`${a} + ${b}`)).toBe(BigInt.asUintN(64, a + b));
          expect(value(`${a} * ${b} - ${b}`)).toBe(BigInt.asUintN(64, a * b - b));
          expect(value(`${a} / ${b} * ${b} + ${a} % ${b}`)).toBe(a);
          expect(value(`(${a} ^ ${b}) < ${a}`)).toBe((a ^ b) < a ? 1n : 0n);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("never throw anything but input errors", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        try {
          value(text);
        } catch (error) {
          expect((error as { code?: string }).code).toBe("REPL_EXPR");
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("highlighting", () => {
  it("cuts a line into parts that are the line again", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const joined = highlight(text).map((span) => span.text);
        expect(joined.join("")).toBe(text);
      }),
    );
    expect(highlight("r0 = 5 // x").map((span) => span.paint)).toEqual([
      "register",
      "plain",
      "number",
      "plain",
      "comment",
    ]);
  });
});

const LOG = `0: R1=ctx() R10=fp0
0: (b7) r6 = 3                        ; R6=3
1: (85) call pc+2
caller:
 R6=3 R10=fp0
callee:
 frame1: R1=ctx() R10=fp0
4: frame1: R1=ctx() R10=fp0
4: (b7) r0 = 1                        ; frame1: R0=1
5: (95) exit
returning from callee:
 frame1: R0=1 R1=ctx() R10=fp0
to caller at 2:
 R0=1 R6=3 R10=fp0

from 5 to 2: R0=1 R6=3 R10=fp0
2: (bf) r1 = r0                       ; R0=1 R1=1
3: (95) exit

from 1 to 2: R0=scalar(smin=umin=2,smax=umax=9,var_off=(0x0; 0xf)) R6=3 R10=fp0
2: (bf) r1 = r0                       ; R0=scalar(id=1,smin=2)
3: safe
`;

describe("what the verifier believed", () => {
  it("is read from its log, path by path", () => {
    const at2 = readBeliefs(LOG, 2);
    expect(at2.paths).toHaveLength(2);
    expect(beliefsOf(at2, "R0")).toEqual(["1", "scalar(smin=umin=2,smax=umax=9,var_off=(0x0; 0xf))"]);
    expect(beliefsOf(readBeliefs(LOG, 5), "R6")).toEqual(["not known"]);
    expect([...(readBeliefs(LOG, 3).paths[0] ?? [])]).toContainEqual(["R1", "1"]);
    expect(at2.isPruned).toBe(true);
    expect(readBeliefs(LOG, 77).paths).toEqual([]);
  });

  it("is compared with values", () => {
    const scalar = "scalar(smin=umin=2,smax=umax=9,var_off=(0x0; 0xf))";
    expect([1n, 2n, 9n, 10n, 1n << 63n].map((one) => isWithin(scalar, one))).toEqual([
      false,
      true,
      true,
      false,
      false,
    ]);
    expect(isWithin("-1", (1n << 64n) - 1n)).toBe(true);
    expect(isWithin("P5", 5n)).toBe(true);
    expect(isWithin("scalar(smin=-5,smax=-2)", (1n << 64n) - 3n)).toBe(true);
    expect(isWithin("scalar(smax=umax=0xffffffff,var_off=(0x0; 0xffffffff))", 1n << 32n)).toBe(false);
    expect(isWithin("ctx()", 5n)).toBeUndefined();
  });
});
