import type { RegionKind, VerifiedFacts } from "@tsbpf/abi";
import type { Env } from "./env.ts";

/** Collects what engines may rely on. */
export function factsOf(env: Env): VerifiedFacts {
  return {
    reached: env.seen,
    liveBefore: env.liveRegs,
    stackBytes: env.subprogs.map((subprog) => subprog.stackBytes),
    funcStarts: env.subprogs.map((subprog) => subprog.start),
    accessRegion: new Map<number, RegionKind>(),
    callMapIdx: new Map(),
    callConstants: new Map(),
    callbackSlot: new Map(),
    liveIn: new Map(env.subprogs.map((subprog) => [subprog.start, env.liveRegs[subprog.start] ?? 0])),
  };
}
