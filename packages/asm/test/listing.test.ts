import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { makeInsn, makeWide } from "@tsbpf/isa";
import { describe, expect, it } from "vitest";
import { isBpfAllowed } from "../../../tooling/kernel/src/index.ts";
import { assemble, disassemble, listProg, printGraph, printListing } from "../src/index.ts";
import { assembleWithLlvm, hasTool, runTool, withDirectory } from "./tools.ts";

const SAMPLE = assemble(`
prog:
  w6 = 0
  *(u32 *)(r10 - 4) = w6
  r2 = r10
  r2 += -4
  r1 = map[counts]
  call helper 1
  if r0 == 0 goto out
  r1 = 0x1122334455667788 ll
  r1 = atomic_fetch_add((u64 *)(r0 + 0), r1)
  r1 = map_value[cfg+8]
  r3 = func inner ll
  call inner
out:
  exit
inner:
  w0 = w1
  exit
`);
const symbols = {
  helperName: (id: number) => (id === 1 ? "bpf_map_lookup_elem" : undefined),
  mapName: (slot: number) => SAMPLE.mapRefs.find((ref) => ref.slot === slot)?.name,
  labelName: (slot: number) => [...SAMPLE.labels].find(([, at]) => at === slot)?.[0],
};

describe("printListing", () => {
  it("prints bpftool's form with prototypes, source lines, their places and bytes", () => {
    const sources = [
      { slot: 0, text: "int prog(void *ctx)", fileName: "a.c", line: 11, column: 0 },
      { slot: 1, text: "\tint k = 0;", fileName: "a.c", line: 13, column: 6 },
    ];
    const protos = [{ slot: 0, text: "int prog(void * ctx)" }];
    const insns = SAMPLE.insns.slice(0, 6);
    expect(printListing(insns, { sources, protos })).toBe(`int prog(void * ctx):
; int prog(void *ctx)
   0: (b4) w6 = 0
; int k = 0;
   1: (63) *(u32 *)(r10 -4) = r6
   2: (bf) r2 = r10
   3: (07) r2 += -4
   4: (18) r1 = map[id:0]
`);
    expect(printListing(insns, { sources, protos, linum: true, opcodes: true })).toBe(`int prog(void * ctx):
; int prog(void *ctx) [file:a.c line_num:11 line_col:0]
   0: (b4) w6 = 0
       b4 06 00 00 00 00 00 00
; int k = 0; [file:a.c line_num:13 line_col:6]
   1: (63) *(u32 *)(r10 -4) = r6
       63 6a fc ff 00 00 00 00
   2: (bf) r2 = r10
       bf a2 00 00 00 00 00 00
   3: (07) r2 += -4
       07 02 00 00 fc ff ff ff
   4: (18) r1 = map[id:0]
       18 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00
`);
  });

  it("names maps, helpers and functions", () => {
    expect(printListing(SAMPLE.insns, { symbols })).toBe(`   0: (b4) w6 = 0
   1: (63) *(u32 *)(r10 -4) = r6
   2: (bf) r2 = r10
   3: (07) r2 += -4
   4: (18) r1 = map[counts]
   6: (85) call bpf_map_lookup_elem#1
   7: (15) if r0 == 0x0 goto pc+8
   8: (18) r1 = 0x1122334455667788
  10: (db) r1 = atomic64_fetch_add((u64 *)(r0 +0), r1)
  11: (18) r1 = map[cfg][0]+8
  13: (18) r3 = subprog[+3]
  15: (85) call pc+1#inner
  16: (95) exit
  17: (bc) w0 = w1
  18: (95) exit
`);
  });

  it("can be read back", () => {
    for (const options of [{}, { opcodes: true }]) {
      expect(assemble(printListing(SAMPLE.insns, options)).insns).toEqual(SAMPLE.insns);
    }
  });

  it("prints wide loads of every kind", () => {
    const insns = [1, 2, 3, 4, 5, 6].flatMap((src) => [...makeWide(1, src, (7n << 32n) | 9n)]);
    expect(printListing(insns)).toBe(`   0: (18) r1 = map[id:9]
   2: (18) r1 = map[id:9][0]+7
   4: (18) r1 = 0x700000009
   6: (18) r1 = subprog[+9]
   8: (18) r1 = 0x700000009
  10: (18) r1 = map[idx:9]+7
`);
  });

  it("prints what is no instruction as Linux does, and a wide load without its half", () => {
    const insns = [
      makeInsn(0xe9),
      makeInsn(0x02),
      makeInsn(0x13),
      makeInsn(0x38),
      makeInsn(0),
      makeInsn(0x18),
    ];
    expect(printListing(insns)).toBe(`   0: BUG_ldx_e9
   1: BUG_st_02
   2: BUG_13
   3: (38) r0 = *(u64 *)skb[0]
   4: BUG_ld_00
   5: (18) r0 = 0x0
`);
  });
});

describe("listProg", () => {
  it("gives bpftool's JSON", () => {
    const sources = [{ slot: 0, text: " w6 = 0;", fileName: "a.c", line: 11, column: 0 }];
    const protos = [{ slot: 0, text: "int prog(void)" }];
    expect(listProg(SAMPLE.insns.slice(3, 6), { sources, protos, linum: true, opcodes: true })).toEqual([
      {
        proto: "int prog(void)",
        src: "w6 = 0;",
        file: "a.c",
        line_num: 11,
        disasm: "(07) r2 += -4",
        opcodes: {
          code: "0x07",
          src_reg: "0x0",
          dst_reg: "0x2",
          off: ["0x00", "0x00"],
          imm: ["0xfc", "0xff", "0xff", "0xff"],
        },
      },
      {
        disasm: "(18) r1 = map[id:0]",
        opcodes: {
          code: "0x18",
          src_reg: "0x1",
          dst_reg: "0x1",
          off: ["0x00", "0x00"],
          imm: Array(12).fill("0x00"),
        },
      },
    ]);
  });
});

const BPFFS = "/sys/fs/bpf";
const hasBpftool =
  isBpfAllowed() &&
  ["bpftool", "llvm-mc-22"].every(hasTool) &&
  spawnSync("stat", ["-f", "-c", "%T", BPFFS], { encoding: "utf8" }).stdout?.trim() === "bpf_fs";

/** Instructions that Linux leaves as they are; the first one it does not, for it reads the context. */
const UNCHANGED = `
  r1 = *(u32 *)(r1 + 0)
  r2 = r1
  w3 = w1
  r4 = 0x1122334455667788 ll
  r5 = -1
  w6 = 77
  r7 = 5
  *(u64 *)(r10 - 8) = -2
  *(u32 *)(r10 - 16) = 7
  *(u32 *)(r10 - 12) = 7
  *(u16 *)(r10 - 20) = w2
  *(u8 *)(r10 - 21) = w2
  r8 = *(u64 *)(r10 - 8)
  w9 = *(u16 *)(r10 - 20)
  w9 = *(u8 *)(r10 - 21)
  r2 += r1
  r2 -= 7
  w2 *= w1
  r2 |= r1
  w2 &= 255
  r2 <<= 3
  r2 >>= 2
  w2 s>>= 1
  r2 ^= r5
  r2 = -r2
  w3 = -w3
  r2 = be16 r2
  r2 = le32 r2
  r2 = be64 r2
  lock *(u64 *)(r10 - 8) += r2
  lock *(u32 *)(r10 - 16) |= w2
  r2 = atomic_fetch_and((u64 *)(r10 - 8), r2)
  w2 = atomic_fetch_xor((u32 *)(r10 - 16), w2)
  r2 = xchg_64(r10 - 8, r2)
  w2 = xchg32_32(r10 - 16, w2)
  r0 = 0
  r0 = cmpxchg_64(r10 - 8, r0, r2)
  if r1 == 5 goto out
  if r1 s> 500 goto out
  if w1 & 64 goto other
  if w1 s<= w9 goto other
  if r1 != r9 goto out
  w0 = 1
  goto out
other:
  r0 = 2
out:
  exit
`;

const HEADER = '.section socket,"ax",@progbits\n.globl prog\n.type prog,@function\nprog:\n';

/** Text that is the same in every release of bpftool. */
describe("printGraph", () => {
  it("draws functions, blocks and edges as bpftool does", () => {
    const { insns } = assemble(`
      if r1 > 5 goto big
      call inner
    big:
      exit
    inner:
      r0 = 1 ll
      exit
    `);
    const name = (slot: number) => (slot === 3 ? "inner" : undefined);
    expect(printGraph(insns, { funcName: name })).toBe(`digraph "DOT graph for eBPF program" {
subgraph "cluster_0" {
	style="dashed";
	color="black";
	label="func_0 ()";
	fn_0_bb_0 [shape=Mdiamond,style=filled,label="ENTRY"];

	fn_0_bb_2 [shape=record,style=filled,label="{   0: (25) if r1 \\> 0x5 goto pc+1\\l\\
}"];

	fn_0_bb_3 [shape=record,style=filled,label="{   1: (85) call pc+1\\l\\
}"];

	fn_0_bb_4 [shape=record,style=filled,label="{   2: (95) exit\\l\\
}"];

	fn_0_bb_1 [shape=Mdiamond,style=filled,label="EXIT"];

	fn_0_bb_0:s -> fn_0_bb_2:n [style="solid,bold", color=black, weight=10, constraint=true];
	fn_0_bb_2:s -> fn_0_bb_3:n [style="solid,bold", color=black, weight=10, constraint=true];
	fn_0_bb_2:s -> fn_0_bb_4:n [style="solid,bold", color=black, weight=10, constraint=true];
	fn_0_bb_3:s -> fn_0_bb_4:n [style="solid,bold", color=black, weight=10, constraint=true];
	fn_0_bb_4:s -> fn_0_bb_1:n [style="solid,bold", color=black, weight=10, constraint=true];
	fn_0_bb_0:s -> fn_0_bb_1:n [style="invis", constraint=true];
}
subgraph "cluster_1" {
	style="dashed";
	color="black";
	label="inner ()";
	fn_1_bb_0 [shape=Mdiamond,style=filled,label="ENTRY"];

	fn_1_bb_2 [shape=record,style=filled,label="{   0: (18) r0 = 0x1\\l\\
 |    2: (95) exit\\l\\
}"];

	fn_1_bb_1 [shape=Mdiamond,style=filled,label="EXIT"];

	fn_1_bb_0:s -> fn_1_bb_2:n [style="solid,bold", color=black, weight=10, constraint=true];
	fn_1_bb_2:s -> fn_1_bb_1:n [style="solid,bold", color=black, weight=10, constraint=true];
	fn_1_bb_0:s -> fn_1_bb_1:n [style="invis", constraint=true];
}
}
`);
  });

  it("leads exits to EXIT, gotol to its target, and says what leads outside", () => {
    const { insns } = assemble("if r1 == 0 goto +1\nexit\ngotol +1\nexit\ngoto +7\n.insn 0xff, 0, 0, 0, 0");
    const edges = printGraph(insns)
      .split("\n")
      .filter((line) => line.includes("->") || line.includes("//"))
      .map((line) =>
        line
          .replace(/ \[.*| :.*/, "")
          .replace(/fn_0_bb_|:[sn]/g, "")
          .trim(),
      );
    expect(edges).toEqual([
      "0 -> 2",
      "2 -> 3",
      "2 -> 4",
      "3 -> 1",
      "4 -> 6",
      "5 -> 1",
      "// slot 4 leads to slot 12, outside its function",
      "7 -> 1",
      "0 -> 1",
    ]);
    expect(printGraph([])).toBe('digraph "DOT graph for eBPF program" {\n}\n');
  });
});

describe.skipIf(!hasBpftool)("against bpftool", () => {
  it("lists a loaded program byte for byte, plain, with opcodes and as JSON", () => {
    const { insns } = assemble(UNCHANGED);
    const text = disassemble(insns, { syntax: "llvm" });
    const pin = `${BPFFS}/tsbpf_asm_${process.pid}`;
    const [plain, opcodes, json, visual] = withDirectory((dir) => {
      const object = assembleWithLlvm(dir, `${HEADER}${text}.Lend:\n.size prog, .Lend-prog\n`);
      runTool("bpftool", ["prog", "load", object, pin, "type", "socket"]);
      try {
        const dump = (...args: string[]) =>
          runTool("bpftool", ["prog", "dump", "xlated", "pinned", pin, ...args]);
        return [
          dump(),
          dump("opcodes"),
          runTool("bpftool", ["-j", "prog", "dump", "xlated", "pinned", pin, "opcodes"]),
          dump("visual"),
        ] as const;
      } finally {
        rmSync(pin);
      }
    });
    // Linux replaces the offset of a context field with that of its own structure.
    const offset = Number(/\(r1 \+(\d+)\)/.exec(plain)?.[1]);
    const ours = [{ ...insns[0]!, off: offset }, ...insns.slice(1)];
    expect(printListing(ours)).toBe(plain);
    expect(printListing(ours, { opcodes: true })).toBe(opcodes);
    expect(listProg(ours, { opcodes: true })).toEqual(JSON.parse(json));
    // Later releases of bpftool print slots in the boxes without padding and bars.
    if (visual.includes(" |    1: ")) expect(printGraph(ours)).toBe(visual);
  });
});
