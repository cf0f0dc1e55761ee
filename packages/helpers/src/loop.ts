import { LIMITS } from "@tsbpf/base";
import { kernelHelper } from "./define.ts";
import { fail, isZero, R1, R2, R3, R4, setU32, u32 } from "./regs.ts";

const CALLBACK_WORDS = 4;

const loop = kernelHelper(181, "Calls a function of the program a number of times.", (regs, env) => {
  if (!isZero(regs, R4)) return fail(regs, "EINVAL");
  const count = u32(regs, R1);
  if (count > LIMITS.loops) return fail(regs, "E2BIG");
  const funcLo = regs[R2] as number;
  const funcHi = regs[R2 + 1] as number;
  const args = new Int32Array(CALLBACK_WORDS);
  args[2] = regs[R3] as number;
  args[3] = regs[R3 + 1] as number;
  for (let i = 0; i < count; i++) {
    args[0] = i;
    if (env.callBack(funcLo, funcHi, args) !== 0) return setU32(regs, i + 1);
  }
  setU32(regs, count);
});

/** Helpers that repeat. */
export const loopHelpers = [loop] as const;
