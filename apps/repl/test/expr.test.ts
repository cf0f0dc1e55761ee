import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createVm } from "../../../packages/vm/src/index.ts";
import { beliefsOf, collectBeliefs } from "../src/core/belief.ts";
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

const vm = createVm();
const toSpec = (text: string) => vm.load(text, { progType: "xdp", verify: "off" }).linked.spec;

const bounded = toSpec(`
  call bpf_get_prandom_u32
  r0 &= 7
  r0 += 2
  r6 = 3
  if r0 s> 4 goto out
  r6 = r0
  *(u64 *)(r10 - 8) = r6
out:
  r1 = r6
  exit
`);

describe("what the verifier believed", () => {
  const at = (slot: number) => collectBeliefs(bounded, slot, {});
  const texts = (slot: number, place: string) => beliefsOf(at(slot), place).map(({ text }) => text);

  it("are its states, path by path", () => {
    expect(texts(2, "R0")).toEqual(["scalar(smin=smin32=0,smax=umax=smax32=umax32=7,var_off=(0x0; 0x7))"]);
    expect(texts(7, "R6").sort()).toEqual([
      "3",
      expect.stringMatching(/^scalar\(id=\d+,smin=umin=smin32=umin32=2,smax=umax=smax32=umax32=4/),
    ]);
    expect(texts(7, "fp-8")).toContain("not known");
    expect(at(7).isWhole).toBe(true);
    expect(at(99).paths).toEqual([]);
  });

  it("is compared with values", () => {
    const [belief] = beliefsOf(at(3), "R0");
    expect([1n, 2n, 9n, 10n, 1n << 63n].map((one) => belief?.holds(one))).toEqual([
      false,
      true,
      true,
      false,
      false,
    ]);
    expect(beliefsOf(at(4), "R6")[0]?.holds(3n)).toBe(true);
    expect(beliefsOf(at(4), "R6")[0]?.holds((1n << 64n) - 1n)).toBe(false);
    expect(beliefsOf(at(0), "R1")[0]?.holds(5n)).toBeUndefined();
  });

  it("is not whole where the verifier stopped", () => {
    const { refusal, isWhole, paths } = collectBeliefs(toSpec("r0 = 1\nr0 = r5\nexit"), 1, {});
    expect({ refusal, isWhole, paths: paths.length }).toEqual({
      refusal: "R5 !read_ok",
      isWhole: false,
      paths: 1,
    });
  });
});
