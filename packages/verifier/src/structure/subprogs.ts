import { LIMITS } from "@tsbpf/base";
import { targetSlotOf } from "@tsbpf/isa";
import type { Env, Subprog } from "../env.ts";
import { reject } from "../reject.ts";

/**
 * Finds the functions: the entry, every target of a pseudo call and of a function reference (C-10..C-17).
 *
 * Guarantees: `env.subprogs` ascending by start, `env.subprogOfInsn` filled.
 */
export function findSubprogs(env: Env, exceptionCallbackSlot: number): void {
  const starts = new Set<number>([0]);
  if (exceptionCallbackSlot > 0) starts.add(exceptionCallbackSlot);
  for (let slot = 0; slot < env.len; slot++) {
    const action = env.rows[slot]?.action;
    const isCall = action?.kind === "call" && action.callKind === "subprog";
    if (!isCall && !(action?.kind === "wide" && action.wideKind === "func")) continue;
    const insn = env.insns[slot];
    const target = insn === undefined ? undefined : targetSlotOf(insn, slot);
    if (target === undefined || target < 0 || target >= env.len) {
      env.insnIdx = slot;
      reject(env, "CFG_CALL_TARGET", "EINVAL", "call to invalid destination");
    }
    if (starts.has(target)) continue;
    if (starts.size >= LIMITS.subprogs) {
      reject(env, "LIMIT_SUBPROGS", "E2BIG", "too many subprograms");
    }
    starts.add(target);
  }
  const sorted = [...starts].sort((a, b) => a - b);
  env.subprogs = sorted.map((start, idx) => makeSubprog(start, sorted[idx + 1] ?? env.len, idx));
  for (const subprog of env.subprogs) env.subprogOfInsn.fill(subprog.idx, subprog.start, subprog.end);
  if (env.log.isVerbose) {
    for (const subprog of env.subprogs) env.log.write(`func#${subprog.idx} @${subprog.start}\n`);
  }
  if (exceptionCallbackSlot > 0) {
    env.exceptionCallback = sorted.indexOf(exceptionCallbackSlot);
    const subprog = env.subprogs[env.exceptionCallback];
    if (subprog !== undefined) subprog.isExceptionCallback = true;
  }
}

const makeSubprog = (start: number, end: number, idx: number): Subprog => ({
  start,
  end,
  idx,
  name: "",
  linkage: "static",
  btfTypeId: 0,
  stackBytes: 0,
  hasTailCall: false,
  hasLdAbs: false,
  isCallback: false,
  isAsyncCallback: false,
  isExceptionCallback: false,
  changesPacket: false,
  mightSleep: false,
  isCalled: false,
  isVerified: false,
  isUnreliable: false,
  leadsBack: false,
  postorder: [],
});

/** Returns the function that starts at a slot. */
export const subprogAt = (env: Env, slot: number): Subprog | undefined => {
  const subprog = env.subprogs[env.subprogOfInsn[slot] ?? -1];
  return subprog?.start === slot ? subprog : undefined;
};

/** Returns the function that a slot belongs to. */
export const subprogOf = (env: Env, slot: number): Subprog =>
  env.subprogs[env.subprogOfInsn[slot] ?? 0] as Subprog;
