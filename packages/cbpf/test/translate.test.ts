import { isWide, rowOf } from "@tsbpf/isa";
import { describe, expect, it } from "vitest";
import {
  ANCILLARIES,
  type AncillaryName,
  CBPF_ROWS,
  compileFilter,
  FRAME_REACH_BYTES,
  reachOf,
  runCbpf,
  translateCbpf,
} from "../src/index.ts";
import { classic, randomClassic } from "./classic.ts";
import { seeded } from "./random-filter.ts";

const bytes = Uint8Array.from({ length: 64 }, (_, i) => (i === 14 ? 0x45 : i));
const run = (text: string, originalBytes = 64): number => runCbpf(classic(text), { bytes, originalBytes });

describe("facts besides the packet's bytes", () => {
  const facts = { protocol: 0x86dd };
  const told = (text: string, rules: "linux" | "libpcap"): number =>
    runCbpf(classic(text), { bytes, facts }, { rules });

  it.each(["ld", "ldh", "ldb"])("are given whole to %s by Linux's rules", (load) => {
    expect(told(`${load} proto\nret a`, "linux")).toBe(0x86dd);
  });

  it("need no telling where the program holds them", () => {
    expect(told("ldx #0xff\nld #0x1234\nld xor_x\nret a", "linux")).toBe(0x12cb);
  });

  it("end the run where they are not told, and by libpcap's rules", () => {
    expect(told("ld mark\nret #1", "linux")).toBe(0);
    expect(told("ld proto\nret #1", "libpcap")).toBe(0);
  });
});

describe("the reference", () => {
  it.each([
    ["ld [0]\nret a", 0x00010203],
    ["ldh [1]\nret a", 0x0102],
    ["ldb [63]\nret a", 63],
    ["ldb [64]\nret #1", 0],
    ["ldh [63]\nret #1", 0],
    ["ld [4294967295]\nret #1", 0],
    ["ldx #4\nldb [x + 2]\nret a", 6],
    ["ldx #4294967295\nldb [x + 2]\nret #1", 0],
    ["ldxb 4*([14]&0xf)\ntxa\nret a", 20],
    ["ldxb 4*([64]&0xf)\nret #1", 0],
    ["ld #len\nret a", 1500],
    ["ldx #len\ntxa\nret a", 1500],
    ["ld #5\nst M[3]\nld #0\nldx M[3]\ntxa\nret a", 5],
    ["ld #5\nneg\nret a", 0xffff_fffb],
    ["ld #7\nldx #2\ndiv x\nret a", 3],
    ["ld #7\nldx #0\ndiv x\nret #1", 0],
    ["ld #7\nldx #0\nmod x\nret #1", 0],
    ["ld #1\nldx #32\nlsh x\nret a", 0],
    ["ld #0xffffffff\nmul #0xffffffff\nret a", 1],
    ["ld #0xffffffff\njgt #1, a, b\na: ret #1\nb: ret #2", 1],
    ["ld #6\njset #4, a, b\na: ret #1\nb: ret #2", 1],
    ["ld proto\nret #1", 0],
    ["again: ja again\nret #1", 0],
  ])("%j returns %i", (text, result) => {
    expect(run(text, 1500)).toBe(result);
  });
});

describe("translation", () => {
  const isWhole = (insns: ReturnType<typeof translateCbpf>): boolean =>
    insns.every((insn, at) => {
      const row = rowOf(insn);
      if (row === undefined || isWide(insn)) return false;
      const distance = row.id === "gotol" ? insn.imm : insn.off;
      const jumps = row.action.kind === "branch" || row.action.kind === "ja";
      return !jumps || (at + 1 + distance >= 0 && at + 1 + distance < insns.length);
    });

  it("covers every classic instruction", () => {
    const text = `
      ldxb 4*([14]&0xf)
      ld #1
      ldx #2
      st M[0]
      stx M[1]
      ld M[0]
      ldx M[1]
      ld #len
      ldx #len
      tax
      txa
      neg
      ${["add", "sub", "mul", "div", "or", "and", "lsh", "rsh", "mod", "xor"].map((op) => `${op} #1\n${op} x`).join("\n")}
      ${["jeq", "jgt", "jge", "jset"].map((op, i) => `${op} #1, n${i}\nn${i}: ${op} x, m${i}\nm${i}: neg`).join("\n")}
      ld [0]\nldh [0]\nldb [0]\nld [x + 0]\nldh [x + 0]\nldb [x + 0]
      ja end
      ret #5
      end: ret a`;
    const insns = classic(text);
    expect(new Set(insns.map(({ code }) => code)).size).toBe(CBPF_ROWS.length);
    expect(isWhole(translateCbpf(insns, { form: "skb" }))).toBe(true);
    expect(isWhole(translateCbpf(insns, { form: "frame" }))).toBe(true);
  });

  it("leaves out what is never reached, and a refusal that nothing leads to", () => {
    const insns = translateCbpf(classic("ja out\nld #1\nret a\nout: ret #7"), { form: "frame" });
    expect(insns.map((insn) => rowOf(insn)?.id)).toEqual([
      ...["ldx32", "ldx32", "mov32.k", "mov32.k"],
      ...["ja", "mov32.k", "exit"],
    ]);
  });

  it("reads the facts that eBPF has, and names those that it has not", () => {
    const unread = new Set<AncillaryName>(["netlinkAttribute", "netlinkNested", "hardwareType", "payload"]);
    for (const name of Object.keys(ANCILLARIES) as AncillaryName[]) {
      const insns = classic(`ld ${ANCILLARIES[name].assembly}\nret a`.replace("xor_x", "[-4056]"));
      const translate = (): unknown => translateCbpf(insns, { form: "skb" });
      if (unread.has(name)) {
        expect(translate).toThrow(`ld ${ANCILLARIES[name].assembly} found, which no eBPF program can read`);
      } else expect(translate).not.toThrow();
    }
  });

  it("goes far where a branch has to", () => {
    const far = `ldb [0]\njeq #1, l0, end\n${Array.from({ length: 5000 }, (_, i) => `l${i}: ld [x + ${i}]`).join("\n")}\nend: ret a`;
    const long = classic(far.replace("jeq #1, l0, end", "jeq #1, l0, near\nnear: ja end"));
    const insns = translateCbpf(long, { form: "frame", insnsMax: 6000 });
    expect(insns.length).toBeGreaterThan(0x7fff);
    expect(insns.some((insn) => rowOf(insn)?.id === "gotol")).toBe(true);
    expect(isWhole(insns)).toBe(true);
  });

  it("refuses what Linux refuses", () => {
    expect(() => translateCbpf(classic("ld M[1]\nret a"), { form: "skb" })).toThrow(/M\[1\] is loaded/);
    expect(() => translateCbpf(classic("again: ja again\nret a"), { form: "frame" })).toThrow(/ja to 0/);
  });

  it("keeps jumps in range for random programs", () => {
    const random = seeded(7);
    for (let i = 0; i < 300; i++) {
      const insns = classic(randomClassic((end) => random.below(end), 10 + random.below(60)));
      expect(isWhole(translateCbpf(insns, { form: "frame" }))).toBe(true);
      expect(isWhole(translateCbpf(insns, { form: "skb" }))).toBe(true);
    }
  });
});

describe("the reach of a program", () => {
  it.each([
    ["ip", 14],
    ["tcp port 80", 14 + 60 + 4],
    ["tcp[tcpflags] & tcp-syn != 0", 14 + 60 + 14],
    ["len > 5", 0],
    ["ip[ip[0]] = 1", Number.POSITIVE_INFINITY],
    ["ether[70000] = 1", 70_001],
  ])("%s reads up to %i bytes", (filter, reach) => {
    expect(reachOf(compileFilter(filter))).toBe(reach);
  });

  it("is what counts: bytes behind it change nothing", () => {
    const random = seeded(11);
    for (let i = 0; i < 200; i++) {
      const insns = classic(randomClassic((end) => random.below(end), 20));
      const reach = reachOf(insns);
      const packet = Uint8Array.from({ length: 80 }, () => random.below(256));
      const changed = packet.map((byte, at) => (at >= reach ? byte ^ 0xff : byte));
      expect(runCbpf(insns, { bytes: changed })).toBe(runCbpf(insns, { bytes: packet }));
    }
    expect(FRAME_REACH_BYTES).toBe(65_535);
  });
});
