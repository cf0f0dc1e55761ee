import { type KernelAnswer, runKernelCases } from "../../../tooling/kernel/src/index.ts";
import { type Insn, makeInsn, rowOf } from "../src/index.ts";
import { hexOf } from "./samples.ts";

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
export const askKernel = (insns: readonly Insn[]): Promise<KernelAnswer[]> =>
  runKernelCases(insns.map((insn) => ({ prog_type: "socket_filter", insns: hexOf(programOf(insn)) })));
