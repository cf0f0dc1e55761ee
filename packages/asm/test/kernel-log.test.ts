import { encodeInsns, INSN_ROWS, type Insn, makeInsn } from "@tsbpf/isa";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBpfAllowed, probeBpf, runKernelCases } from "../../../tooling/kernel/src/index.ts";
import { assemble, printKernelInsn } from "../src/index.ts";
import { arbSlotsOf } from "./arbitrary.ts";

const SEED = 20_251_125;
const SAMPLES = 6;

const HELPERS: Readonly<Record<number, string>> = { 1: "bpf_map_lookup_elem", 7: "bpf_get_prandom_u32" };
const names = { helperName: (id: number) => HELPERS[id] };

/** Fields that would stop Linux before it prints the instruction: jumps out of the program, unknown kernel ids. */
function tame(insn: Insn, pick: number): Insn {
  const isJump = (insn.op & 0x07) === 0x05 || (insn.op & 0x07) === 0x06;
  if (insn.op === 0x85) {
    return insn.src === 0 ? { ...insn, imm: [1, 7, 77_777, -1, insn.imm][pick % 5] ?? 1 } : insn;
  }
  if (!isJump) return insn;
  const distance = (pick % 4) - 2;
  if (insn.op === 0x06) return { ...insn, imm: distance };
  return { ...insn, off: distance };
}

/** Everything initialised, a branch around the instruction, so that neither it nor what follows is unreachable. */
const PROLOGUE = assemble(`
  r6 = r1
  call 7
  r7 = r0
  r1 = 1
  r2 = 1
  r3 = 1
  r4 = 1
  r5 = 1
  r8 = 1
  r9 = 1
  *(u64 *)(r10 - 8) = 0
  if r7 != 5 goto +0
`).insns;
const EPILOGUE = assemble("r0 = 0\nr0 = 0\nr0 = 0\nexit").insns;

/** Skips over the instruction under test on one path. */
function programOf(slots: readonly Insn[]): Insn[] {
  const around = makeInsn(0x55, { dst: 7, imm: 5, off: slots.length });
  return [...PROLOGUE.slice(0, -1), around, ...slots, ...EPILOGUE];
}

const hexOf = (insns: readonly Insn[]): string => Buffer.from(encodeInsns(insns)).toString("hex");

/** The text that the log prints for a slot, without the state after it. */
function logTextOf(log: string, slot: number): string | undefined {
  const line = log.split("\n").find((one) => one.startsWith(`${slot}: (`));
  return line
    ?.slice(`${slot}: `.length)
    .replace(/\s+;.*$/, "")
    .trimEnd();
}

const isKernelKnown = isBpfAllowed() && probeBpf().kernel.startsWith("6.18.");
/** Linux prints addresses for these, or does not know them. */
const isComparable = (row: (typeof INSN_ROWS)[number]): boolean =>
  row.since !== null &&
  row.since !== "6.19" &&
  (row.action.kind !== "wide" || row.action.wideKind === "imm" || row.action.wideKind === "func");

describe.skipIf(!isKernelKnown)("the kernel's verifier log", () => {
  it("prints every instruction as we do", async () => {
    const rows = INSN_ROWS.filter(isComparable);
    const picks = fc.sample(fc.nat(999), { seed: SEED, numRuns: rows.length * SAMPLES });
    const cases = rows.flatMap((row, k) =>
      fc.sample(arbSlotsOf(row), { seed: SEED + k, numRuns: SAMPLES }).map((slots, n) => {
        const [first, ...rest] = slots;
        return { row, slots: [tame(first!, picks[k * SAMPLES + n]!), ...rest] };
      }),
    );
    const answers = await runKernelCases(
      cases.map(({ slots }) => ({
        prog_type: "socket_filter",
        insns: hexOf(programOf(slots)),
        log_level: 2,
      })),
    );
    const seen = new Set<string>();
    cases.forEach(({ row, slots }, k) => {
      const text = logTextOf(answers[k]!.log ?? "", PROLOGUE.length);
      if (text === undefined) return;
      seen.add(row.id);
      const prog = programOf(slots);
      expect([row.id, printKernelInsn(prog, PROLOGUE.length, names)]).toEqual([row.id, text]);
    });
    const unseen = rows.filter((row) => !seen.has(row.id)).map((row) => row.id);
    expect(unseen).toEqual(["call.subprog", "call.kfunc", "wide.func"]);
  });

  it("prints calls and function references as we do", async () => {
    const { insns } = assemble(`
      call inner
      r2 = func inner ll
      r0 = 0
      exit
    inner:
      call kfunc bpf_rcu_read_lock
      call kfunc bpf_rcu_read_unlock
      r0 = 0
      exit
    `);
    const kfuncs = [
      { insn: 5, name: "bpf_rcu_read_lock" },
      { insn: 6, name: "bpf_rcu_read_unlock" },
    ];
    const [answer] = await runKernelCases([
      { prog_type: "sched_cls", insns: hexOf(insns), kfuncs, log_level: 2 },
    ]);
    const log = answer?.log ?? "";
    expect(logTextOf(log, 0)).toBe(printKernelInsn(insns, 0));
    expect(logTextOf(log, 1)).toBe(printKernelInsn(insns, 1));
    const kfuncName = (_insn: Insn, slot: number) => kfuncs.find(({ insn }) => insn === slot)?.name;
    const withoutId = (text: string | undefined) => text?.replace(/#\d+$/, "#0");
    expect(withoutId(logTextOf(log, 5))).toBe(printKernelInsn(insns, 5, { kfuncName }));
    expect(withoutId(logTextOf(log, 6))).toBe(printKernelInsn(insns, 6, { kfuncName }));
  });
});
