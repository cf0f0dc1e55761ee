import type { Insn } from "@tsbpf/isa";
import type { Env } from "../env.ts";
import { Rejection } from "../reject.ts";
import type { Speculation } from "./speculation.ts";
import { type StepEnd, stepInsn } from "./step.ts";

/** Errors for which a barrier is enough. */
const RECOVERABLE: ReadonlySet<string> = new Set(["EPERM", "EACCES", "EINVAL"]);

/** Says whether a speculative path ends before the instruction. */
export const isBarred = (env: Env, slot: number): boolean =>
  env.cur.isSpeculative && env.speculation?.barrierBefore[slot] === 1;

/**
 * Walks an instruction of a program without CAP_PERFMON: what a speculative path may not do ends that path alone.
 *
 * @source linux 6.18 kernel/bpf/verifier.c do_check
 */
export function stepGuarded(env: Env, insn: Insn, speculation: Speculation): StepEnd {
  const { cur, insnIdx: slot } = env;
  let end: StepEnd;
  try {
    end = stepInsn(env, insn);
  } catch (thrown) {
    if (!(thrown instanceof Rejection) || !cur.isSpeculative || !RECOVERABLE.has(thrown.errnoName))
      throw thrown;
    speculation.barrierBefore[slot] = 1;
    speculation.maskKind[slot] = 0;
    return "path ends";
  }
  return cur.isSpeculative && speculation.barrierAfter[slot] === 1 ? "path ends" : end;
}
