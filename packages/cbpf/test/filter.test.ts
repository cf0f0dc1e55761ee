import { describe, expect, it } from "vitest";
import { compileFilter, FILTER_BLOCKS_MAX, printCbpfDecimal } from "../src/index.ts";
import { EXPRESSIONS } from "./expressions.ts";
import { askOurs } from "./ours.ts";
import { randomFilter, seeded } from "./random-filter.ts";
import { readRecorded, recordKey } from "./recorded.ts";
import { askTcpdump, hasTcpdump } from "./tcpdump.ts";

const SEED = Number(process.env.SEED ?? 20_261_125);
const RANDOM_RUNS = Number(process.env.FILTER_RUNS ?? 150);

describe("the compiler", () => {
  it("gives libpcap's instructions for every recorded filter", () => {
    const recorded = readRecorded();
    const differ = recorded.filter((one) => {
      const ours = askOurs(one.filter, one);
      return ours.isOk !== one.answer.isOk || ours.text !== one.answer.text;
    });
    expect(recorded.length).toBeGreaterThan(600);
    expect(differ.map(recordKey)).toEqual([]);
  });

  it("returns the snapshot length of tcpdump, or one's own", () => {
    expect(printCbpfDecimal(compileFilter(""))).toBe("1\n6 0 0 262144\n");
    expect(printCbpfDecimal(compileFilter("ip", { snaplen: 96 }))).toContain("6 0 0 96");
  });

  it("asks for all address families of NULL in files, and for one where packets are live", () => {
    const link = { link: "NULL" };
    expect(askOurs("ip6", link).text).toBe("4\n32 0 0 0\n21 0 1 167772160\n6 0 0 262144\n6 0 0 0\n");
    const inFile = compileFilter("ip6", { link: nullLink(), isFile: true });
    expect(inFile.filter(({ code }) => code === 0x15).map(({ k }) => k)).toEqual([
      0x1e00_0000, 0x1800_0000, 0x1c00_0000,
    ]);
    const swapped = compileFilter("ip6", { link: nullLink(), isFile: true, isSwapped: true });
    expect(swapped.filter(({ code }) => code === 0x15).map(({ k }) => k)).toEqual([30, 24, 28]);
  });

  it("makes jumps of their own for branches that go far, as libpcap does", () => {
    const many = Array.from({ length: 200 }, (_, i) => `ip[${i}] = ${i}`).join(" or ");
    const insns = compileFilter(many);
    expect(insns.some(({ code }) => code === 0x05)).toBe(true);
    expect(Math.max(...insns.map(({ jt, jf }) => Math.max(jt, jf)))).toBeLessThan(256);
  });

  it("says how many tests are too many", () => {
    const many = Array.from({ length: 1000 }, (_, i) => `port ${i}`).join(" or ");
    expect(() => compileFilter(many)).toThrow(new RegExp(`tests found, ${FILTER_BLOCKS_MAX} allowed`));
  });
});

const nullLink = () => ({
  kind: "null" as const,
  name: "NULL",
  description: "BSD loopback",
  linkType: 0,
  typeOffset: 0,
  headerBytes: 4,
  noSnapBytes: 0,
});

describe.skipIf(!hasTcpdump())("beside the installed tcpdump", () => {
  it.each([
    ["EN10MB", 3],
    ["RAW", 8],
    ["LINUX_SLL", 8],
    ["IPV4", 10],
    ["PPP", 10],
    ["SLIP", 14],
  ])("compiles filters for %s to the same instructions", (link, step) => {
    const differ = EXPRESSIONS.filter((filter, i) => {
      if (i % step !== 0) return false;
      const isOptimized = i % (2 * step) === 0;
      const theirs = askTcpdump(filter, { link, isOptimized });
      const ours = askOurs(filter, { link, isOptimized });
      return theirs.isOk !== ours.isOk || theirs.text !== ours.text;
    });
    expect(differ).toEqual([]);
  });

  it(`compiles random filters to the same instructions (SEED=${SEED})`, () => {
    const random = seeded(SEED);
    const differ: string[] = [];
    for (let run = 0; run < RANDOM_RUNS; run++) {
      const filter = randomFilter(random, 1 + random.below(6));
      const theirs = askTcpdump(filter);
      const ours = askOurs(filter);
      const isSame = theirs.isOk ? ours.text === theirs.text : !ours.isOk;
      if (!isSame) differ.push(filter);
    }
    expect(differ).toEqual([]);
  });

  it("compiles a filter of 120 ports to the same instructions", () => {
    const filter = Array.from({ length: 120 }, (_, i) => `port ${i + 1}`).join(" or ");
    expect(askOurs(filter)).toEqual(askTcpdump(filter));
  });

  it("takes a snapshot length", () => {
    expect(askOurs("ip", { snaplen: 68 })).toEqual(askTcpdump("ip", { snaplen: 68 }));
  });
});
