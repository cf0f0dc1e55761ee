import { isKfuncAvailable, type Kfunc } from "@tsbpf/abi";
import type { Env } from "../env.ts";
import { customByName, kfuncOf } from "./kfunc-custom.ts";
import { helperById, isHelperOffered } from "./protos.ts";

/** Helpers that act on the verifier's own state, by id. @source linux uapi/linux/bpf.h */
export const HELPER_ID = {
  mapLookupElem: 1,
  mapUpdateElem: 2,
  mapDeleteElem: 3,
  tailCall: 12,
  skReleaseFirst: 86,
  mapPushElem: 87,
  mapPopElem: 88,
  mapPeekElem: 89,
  spinLock: 93,
  spinUnlock: 94,
  ringbufReserve: 131,
  forEachMapElem: 164,
  snprintf: 165,
  timerInit: 169,
  timerSetCallback: 170,
  getFuncIp: 173,
  findVma: 180,
  loop: 181,
  kptrXchg: 194,
  mapLookupPercpuElem: 195,
  dynptrFromMem: 197,
  dynptrWrite: 202,
  dynptrData: 203,
  userRingbufDrain: 209,
} as const;

const SYNC_HELPERS: ReadonlySet<number> = new Set([
  HELPER_ID.loop,
  HELPER_ID.forEachMapElem,
  HELPER_ID.findVma,
  HELPER_ID.userRingbufDrain,
]);
const SYNC_KFUNCS: ReadonlySet<string> = new Set(["bpf_rbtree_add_impl"]);
const ASYNC_KFUNCS: ReadonlySet<string> = new Set([
  "bpf_wq_set_callback_impl",
  "bpf_task_work_schedule_signal_impl",
  "bpf_task_work_schedule_resume_impl",
]);

const isHelperCall = (env: Env, slot: number): boolean => {
  const insn = env.insns[slot];
  return insn !== undefined && insn.op === 0x85 && insn.src === 0;
};

/** Says whether a call runs a function of the program before it returns (C-122). */
export function isSyncTaker(env: Env, slot: number): boolean {
  if (isHelperCall(env, slot)) return SYNC_HELPERS.has(env.insns[slot]?.imm ?? 0);
  const kfunc = env.kfuncOfSlot.get(slot);
  return kfunc !== undefined && SYNC_KFUNCS.has(kfunc);
}

/** Says whether a call lets a function of the program run later (C-131). */
export function isAsyncTaker(env: Env, slot: number): boolean {
  if (isHelperCall(env, slot)) return env.insns[slot]?.imm === HELPER_ID.timerSetCallback;
  const kfunc = env.kfuncOfSlot.get(slot);
  return kfunc !== undefined && ASYNC_KFUNCS.has(kfunc);
}

/** Says whether a call advances an open-coded iterator (H-115). */
export function isIterNext(env: Env, slot: number): boolean {
  const kfunc = env.kfuncOfSlot.get(slot);
  return kfunc !== undefined && (kfuncOf(env, kfunc)?.flags.includes("iter-next") ?? false);
}

/** What a helper or kfunc does to the function that calls it (C-44). */
export interface CallEffects {
  readonly changesPacket: boolean;
  readonly mightSleep: boolean;
}
const NO_EFFECTS: CallEffects = { changesPacket: false, mightSleep: false };

export function calleeEffects(env: Env, slot: number): CallEffects {
  if (isHelperCall(env, slot)) {
    const proto = helperById(env, env.insns[slot]?.imm ?? 0);
    if (proto === undefined) return NO_EFFECTS;
    return {
      changesPacket: proto.invalidatesPacket || proto.id === HELPER_ID.tailCall,
      mightSleep: proto.maySleep,
    };
  }
  const name = env.kfuncOfSlot.get(slot);
  const kfunc = name === undefined ? undefined : kfuncOf(env, name);
  if (kfunc === undefined) return NO_EFFECTS;
  return {
    changesPacket: changesPacket(env, kfunc.name),
    mightSleep: kfunc.flags.includes("sleepable"),
  };
}

/** Whether packet pointers are stale after a kernel function. */
export const changesPacket = (env: Env, kfunc: string): boolean =>
  kfunc === "bpf_xdp_pull_data" || env.customKfuncs.get(kfunc)?.invalidatesPacket === true;

/** Counts the parameters of a kernel function from its prototype. */
function kfuncParamCount(kfunc: Kfunc): number {
  const list = kfunc.signature.slice(kfunc.signature.indexOf("(") + 1, kfunc.signature.lastIndexOf(")"));
  return list.trim() === "void" || list.trim() === "" ? 0 : list.split(",").length;
}

/** How many arguments a helper or kfunc reads; undefined when its prototype is unknown. */
export function paramCountOf(env: Env, slot: number): number | undefined {
  if (isHelperCall(env, slot)) {
    const proto = helperById(env, env.insns[slot]?.imm ?? 0);
    return proto !== undefined && isHelperOffered(env, proto) ? proto.args.length : undefined;
  }
  const name = env.kfuncOfSlot.get(slot);
  const kfunc = name === undefined ? undefined : kfuncOf(env, name);
  if (kfunc === undefined || !isKfuncAvailable(kfunc, env.spec.type, env.attachType)) return undefined;
  return customByName(env, kfunc.name)?.sig.params.length ?? kfuncParamCount(kfunc);
}
