import { helperById } from "../calls/protos.ts";
import type { Env } from "../env.ts";
import { insnText } from "./insn-text.ts";

/** Prints an instruction as a log line has it, opcode and newline included. */
export function printInsn(env: Env, slot: number): string {
  const insn = env.insns[slot];
  if (insn === undefined) return "\n";
  return insnText(env.insns, slot, {
    helperName: (id) => helperById(env, id)?.name.replace(/^bpf_/, "") ?? undefined,
    kfuncName: (at) => env.kfuncOfSlot.get(at),
  });
}
