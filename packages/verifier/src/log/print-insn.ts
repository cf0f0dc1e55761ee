import { printKernelInsn } from "@tsbpf/asm";
import type { AluOp } from "@tsbpf/isa";
import { helperById } from "../calls/protos.ts";
import type { Env } from "../env.ts";

/** Prints an instruction as a log line has it, opcode and newline included. */
export function printInsn(env: Env, slot: number): string {
  const text = printKernelInsn(env.insns, slot, {
    helperName: (id) => helperById(env, id)?.name,
    kfuncName: (_insn, at) => env.kfuncOfSlot.get(at),
    // Addresses of kernel objects do not exist here.
    hidePointers: true,
  });
  return `${text}\n`;
}

const ALU_SIGNS: Partial<Record<AluOp, string>> = {
  add: "+=",
  sub: "-=",
  mul: "*=",
  div: "/=",
  sdiv: "/=",
  or: "|=",
  and: "&=",
  lsh: "<<=",
  rsh: ">>=",
  mod: "%=",
  smod: "%=",
  xor: "^=",
  arsh: "s>>=",
};

/** The operator as messages about pointer arithmetic write it. */
export const aluText = (op: AluOp): string => ALU_SIGNS[op] ?? "";
