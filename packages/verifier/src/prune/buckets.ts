import type { Env } from "../env.ts";
import { curFrame } from "../state/state.ts";

/** Key of the list in which checkpoints of an instruction lie: the kernel's hash, so that statistics agree. */
export const bucketOf = (env: Env, insnIdx: number): number =>
  ((insnIdx ^ curFrame(env.cur).callsite) >>> 0) % env.len;
