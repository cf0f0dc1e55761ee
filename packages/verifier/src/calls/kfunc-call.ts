import type { Insn } from "@tsbpf/isa";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import type { StepEnd } from "../walk/step.ts";

/** A call of a kernel function (H-130..H-148). */
export function walkKfuncCall(env: Env, insn: Insn): StepEnd {
  const name = env.kfuncOfSlot.get(env.insnIdx);
  return reject(
    env,
    "CALL_KFUNC",
    "EACCES",
    `calling kernel function ${name ?? `#${insn.imm}`} is not allowed`,
  );
}
