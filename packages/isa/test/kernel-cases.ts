import { spawnSync } from "node:child_process";
import { type Insn, makeInsn, rowOf } from "../src/index.ts";
import { hexOf } from "./samples.ts";

/** Command that answers kernel cases on stdin; tests that ask the kernel skip themselves without it. */
const ORACLE = process.env.TSBPF_KERNEL_ORACLE;
export const hasKernel = ORACLE !== undefined && ORACLE !== "";

export interface KernelAnswer {
  readonly loaded: boolean;
  readonly errline: string;
  readonly log: string;
}

/** Initialises every register and the top stack slot, so that only the instruction under test can be refused. */
const PROLOGUE: readonly Insn[] = [
  makeInsn(0xbf, { dst: 6, src: 1 }),
  ...[0, 1, 2, 3, 4, 5, 7, 8, 9].map((reg) => makeInsn(0xb7, { dst: reg, imm: 1 })),
  makeInsn(0x7a, { dst: 10, off: -8 }),
];

/** Points memory accesses of a sample at the stack, where they are allowed. */
export function onStack(insn: Insn): Insn {
  const action = rowOf(insn)?.action;
  if (action === undefined || !["load", "store", "atomic"].includes(action.kind)) return insn;
  const isLoad = action.kind === "load" || (action.kind === "atomic" && action.atomicOp === "load_acquire");
  const base = isLoad ? "src" : "dst";
  return {
    ...insn,
    [base]: insn[base] === 2 || insn[base] === 3 ? 10 : insn[base],
    off: insn.off === 0 ? -8 : insn.off,
  };
}

/** A socket filter that runs into the instruction and then exits. */
const programOf = (insn: Insn): readonly Insn[] => [
  ...PROLOGUE,
  insn,
  ...(insn.op === 0x18 ? [makeInsn(0)] : []),
  makeInsn(0xb7, { dst: 0 }),
  makeInsn(0x95),
];

/** Asks the running kernel about programs that each hold one instruction under test. */
export function askKernel(insns: readonly Insn[]): KernelAnswer[] {
  const input = insns
    .map((insn, k) =>
      JSON.stringify({ name: `${k}`, prog_type: "socket_filter", insns: hexOf(programOf(insn)) }),
    )
    .join("\n");
  const [command, ...args] = (ORACLE ?? "").split(" ");
  const run = spawnSync(command!, [...args, "--jobs", "1"], {
    input: `${input}\n`,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  return run.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as KernelAnswer);
}
