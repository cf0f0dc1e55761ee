import { INSN_ROWS, type Insn } from "@tsbpf/isa";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AsmSymbols,
  assemble,
  disassemble,
  type PrintOptions,
  printInsn,
  printKernelInsn,
} from "../src/index.ts";
import { arbLinkedProg, arbSlots, arbSlotsOf, arbValidProg } from "./arbitrary.ts";

const STYLES: readonly PrintOptions[] = [
  { syntax: "kernel" },
  { syntax: "llvm", numbers: "hex" },
  { syntax: "llvm", numbers: "dec" },
  { syntax: "mnemonic" },
];

describe("asm → print → asm", () => {
  describe.each(STYLES)("in the notation %o", (style) => {
    it.each(INSN_ROWS.map((row) => [row.id, row] as const))("is the identity for %s", (_id, row) => {
      fc.assert(
        fc.property(arbSlotsOf(row), (insns) => {
          expect(assemble(printInsn(insns, 0, style)).insns).toEqual(insns);
        }),
        { numRuns: 25 },
      );
    });
  });

  it.each(STYLES)("is the identity for whole programs with labels: %o", (style) => {
    fc.assert(
      fc.property(arbLinkedProg, (insns) => {
        expect(assemble(disassemble(insns, style)).insns).toEqual(insns);
      }),
      { numRuns: 100 },
    );
  });

  it.each(STYLES)("is the identity for any slots, valid or not: %o", (style) => {
    fc.assert(
      fc.property(arbSlots, (insns) => {
        expect(assemble(disassemble(insns, style)).insns).toEqual(insns);
        expect(assemble(disassemble(insns, { ...style, labels: false })).insns).toEqual(insns);
      }),
      { numRuns: 150 },
    );
  });

  it("prints the same text again", () => {
    fc.assert(
      fc.property(arbLinkedProg, fc.constantFrom(...STYLES), (insns, style) => {
        const text = disassemble(insns, style);
        expect(disassemble(assemble(text).insns, style)).toBe(text);
      }),
      { numRuns: 100 },
    );
  });

  it("keeps names of maps, functions, helpers and kernel functions", () => {
    const symbols: AsmSymbols = {
      helperIdOf: (name) => ({ bpf_map_lookup_elem: 1 })[name],
      kfuncOf: (name) => (name === "bpf_rcu_read_lock" ? { btfId: 4711 } : undefined),
      mapNames: ["counts", ".data.cfg"],
    };
    const text = [
      "main:",
      "\tr1 = map[counts]",
      "\tr2 = map_value[.data.cfg+16]",
      "\tr3 = func callback",
      "\tr4 = ksym bpf_prog_active",
      "\tcall bpf_map_lookup_elem#1",
      "\tcall bpf_rcu_read_lock#4711",
      "\tif r0 == 0x0 goto out",
      "\tcall callback",
      "out:",
      "\texit",
      "callback:",
      "\texit",
      "",
    ].join("\n");
    const prog = assemble(text, { symbols });
    const labels = new Map([...prog.labels].map(([name, slot]) => [slot, name]));
    const nameAt = (slot: number) => prog.mapRefs.find((ref) => ref.slot === slot)?.name;
    const kernelAt = (slot: number) => prog.kernelRefs.find((ref) => ref.slot === slot)?.name;
    const printed = disassemble(prog.insns, {
      symbols: {
        labelName: (slot) => labels.get(slot),
        mapName: nameAt,
        ksymName: kernelAt,
        kfuncName: (_insn, slot) => kernelAt(slot),
        helperName: (id) => (id === 1 ? "bpf_map_lookup_elem" : undefined),
      },
    });
    expect(printed).toBe(text);
  });

  it("reads the kernel's own text back where it is lossless", () => {
    const isLossless = ({ op, src, off }: Insn): boolean =>
      !(op === 0x18 && src !== 0) && op !== 0x8d && !(op === 0x85 && src === 2 && off !== 0);
    fc.assert(
      fc.property(arbValidProg, (insns) => {
        for (let slot = 0; slot < insns.length; slot++) {
          const insn = insns[slot]!;
          if (insn.op === 0 || !isLossless(insn)) continue;
          const slots = insns.slice(slot, slot + (insn.op === 0x18 ? 2 : 1));
          expect(assemble(`${slot}: ${printKernelInsn(insns, slot)}  ; R0=1`).insns).toEqual(slots);
        }
      }),
      { numRuns: 100 },
    );
  });
});
