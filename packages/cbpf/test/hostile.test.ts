import { InputError } from "@tsbpf/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkCbpf,
  compileFilter,
  findCbpfIssue,
  isCbpfText,
  makeCbpf,
  parseCbpf,
  printCbpfListing,
  reachOf,
  runCbpf,
  translateCbpf,
} from "../src/index.ts";

/** Runs a step; only errors of the input may end it. */
function survives(step: () => unknown): boolean {
  try {
    step();
    return true;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}

const WORDS = (
  "tcp udp ip ip6 arp host net port portrange src dst and or not ( ) [ ] : = != < > <= >= + - * / % & | ^ << >> ! && || " +
  "1 80 0x1f 08 99999999999 10.0.0.1 10/8 / mask ::1 fe80:: 1:2:3:4:5:6 aa:bb: $1 vlan mpls pppoes geneve len less greater " +
  "byte broadcast multicast proto protochain \\tcp llc rr ether link icmp6 tcpflags tcp-syn inbound lane vpi sio type dir " +
  "gateway 80-90 foo @ \u00e9 \\ \0 1.2.3.4.5.6.7 0x 001122334455"
).split(" ");

describe("hostile input", () => {
  it("ends in an error of the input, or compiles: words", () => {
    let compiled = 0;
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...WORDS), { maxLength: 25 }),
        fc.constantFrom(" ", ""),
        (words, gap) => {
          if (survives(() => compileFilter(words.join(gap)))) compiled += 1;
        },
      ),
      { numRuns: 3000 },
    );
    expect(compiled).toBeGreaterThan(0);
  });

  it("ends in an error of the input, or compiles: any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        survives(() => compileFilter(text));
        survives(() => isCbpfText(text));
        survives(() => parseCbpf(text));
      }),
      { numRuns: 2000 },
    );
    expect(survives(() => compileFilter(""))).toBe(true);
  });

  it.each([
    ["parentheses", "(".repeat(30_000)],
    ["not", `${"! ".repeat(30_000)}ip`],
    ["minus", `${"-".repeat(60_000)}1 = 1`],
    ["indices", `${"ip[".repeat(20_000)}0${"]".repeat(5000)} = 1`],
    ["powers", `len ${"^ 1 ".repeat(15_000)} = 1`],
    ["colons", "1:".repeat(30_000)],
    ["a name", "a".repeat(65_000)],
    ["an address", "1:2:3:4:5:6:7:8:".repeat(4000)],
    ["escapes", "\\".repeat(65_000)],
    ["spaces", " ".repeat(65_536)],
  ])("is answered: %s", (_name, text) => {
    expect(survives(() => compileFilter(text))).toBe(text.trim() === "");
  });

  const blanks = " ".repeat(400_000);
  it.each([
    ["an array", `code[] = {}${blanks}x`],
    ["an index", `ld [x${blanks}!`],
    ["a comma", `jeq #1${blanks}x\nret a`],
    ["a comment", `/*${blanks}/*${blanks}ret`],
  ])("is answered: a long run of blanks after %s", (_name, text) => {
    expect(survives(() => isCbpfText(text))).toBe(true);
    expect(survives(() => parseCbpf(text))).toBe(false);
  });

  it("compiles long chains, of arithmetic as well", () => {
    const sum = compileFilter(`len ${"+ 1 ".repeat(10_000)} = 10060`);
    expect(runCbpf(sum, { bytes: new Uint8Array(60) })).toBeGreaterThan(0);
    const chain = compileFilter(Array.from({ length: 2000 }, (_, i) => `less ${i}`).join(" or "));
    expect(runCbpf(chain, { bytes: new Uint8Array(60) })).toBeGreaterThan(0);
    expect(compileFilter(`ip${" and ip".repeat(5000)}`)).toEqual(compileFilter("ip"));
  });

  it("finds what is wrong with any instructions, and never runs on", () => {
    const insn = fc
      .tuple(fc.nat(0xff), fc.nat(255), fc.nat(255), fc.nat(0xffff_ffff))
      .map(([code, jt, jf, k]) => makeCbpf(code, k, jt % 8, jf % 8));
    fc.assert(
      fc.property(fc.array(insn, { maxLength: 30 }), (insns) => {
        printCbpfListing(insns);
        reachOf(insns);
        runCbpf(insns, { bytes: new Uint8Array(40) }, { budget: 500 });
        const isSound = findCbpfIssue(insns, { allowLoops: true }) === undefined;
        expect(survives(() => checkCbpf(insns, { allowLoops: true }))).toBe(isSound);
        const translates = survives(() => translateCbpf(insns, { form: "frame", allowLoops: true }));
        expect(translates).toBe(isSound);
      }),
      { numRuns: 1500 },
    );
  });
});
