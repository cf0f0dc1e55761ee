import { isKfuncAvailable, type Kfunc } from "@tsbpf/abi";
import type { Insn } from "@tsbpf/isa";
import { assumeSignedBoth } from "../domain/bounds.ts";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { FLAG, NOT_INIT, pointerReg, REG, type Reg, scalarReg, UNKNOWN_REG } from "../state/reg.ts";
import { curFrame, type Frame, mapRegs, RET_0_0 } from "../state/state.ts";
import { checkReturnCode } from "../walk/exit.ts";
import { pushState } from "../walk/pending.ts";
import { scratchCallerSaved } from "../walk/regs.ts";
import type { StepEnd } from "../walk/step.ts";
import { changesPacket } from "./call-kinds.ts";
import { enterAsyncCallback, enterCallback, mapCallbackArgs } from "./callback.ts";
import { toNonOwning } from "./graph.ts";
import { walkIterNext } from "./iterators.ts";
import { checkKfuncArgs, type KfuncMeta, newKfuncMeta } from "./kfunc-args.ts";
import { customByName, kfuncOf } from "./kfunc-custom.ts";
import { setKfuncResult } from "./kfunc-result.ts";
import { checkNothingHeld } from "./leaks.ts";
import { clearPacketPointers, releaseRef } from "./refs.ts";

const MAX_ERRNO = 4095;
const bad = (env: Env, text: string, errno: "EINVAL" | "EACCES" | "EFAULT" = "EINVAL"): never =>
  reject(env, "CALL_KFUNC", errno, text);

/** Kernel functions that may be called with a lock held (H-78). */
const ALLOWED_UNDER_LOCK = /^bpf_(list_|rbtree_|refcount_acquire|iter_num_|res_spin_)/;

/** Checks that the function may be called at all (H-132, H-134, H-135). */
function checkCallable(env: Env, name: string): Kfunc {
  const state = env.cur;
  const kfunc = kfuncOf(env, name);
  if (kfunc === undefined || !isKfuncAvailable(kfunc, env.spec.type, env.attachType)) {
    return bad(env, `calling kernel function ${name} is not allowed`, "EACCES");
  }
  if (name === "__bpf_trap") {
    bad(env, "unexpected __bpf_trap() due to uninitialized variable?", "EFAULT");
  }
  if (kfunc.flags.includes("sleepable") && !state.inSleepable) {
    bad(env, `program must be sleepable to call sleepable kfunc ${name}`, "EACCES");
  }
  return kfunc;
}

/** A call of a kernel function (H-130..H-148). */
export function walkKfuncCall(env: Env, _insn: Insn): StepEnd {
  const name = env.kfuncOfSlot.get(env.insnIdx);
  if (env.cur.activeLocks > 0 && (name === undefined || !ALLOWED_UNDER_LOCK.test(name))) {
    bad(env, "function calls are not allowed while holding a lock");
  }
  if (name === undefined) {
    // Without a name the call is dead or refused after the walk (H-131).
    env.deadKfunc = true;
    env.insnIdx++;
    return "next";
  }
  const kfunc = checkCallable(env, name);
  const meta = newKfuncMeta(kfunc, customByName(env, name));
  if (name.startsWith("bpf_res_spin_lock")) pushFailedLock(env);
  checkKfuncArgs(env, meta);
  runCallbacks(env, meta);
  checkSections(env, kfunc);
  release(env, meta);
  if (name === "bpf_throw") {
    if (env.exceptionCallback < 0) checkReturnCode(env, 1);
    checkNothingHeld(env, "bpf_throw", { isException: true, checksLocks: true });
    return "path ends";
  }
  scratchCallerSaved(env, curFrame(env.cur));
  setKfuncResult(env, meta);
  if (changesPacket(env, name)) clearPacketPointers(env);
  if (kfunc.flags.includes("iter-next") && meta.iter !== undefined) walkIterNext(env, meta.iter);
  env.insnIdx++;
  return "next";
}

/** A resilient lock may fail: that path has no lock and a negative error (H-82). */
function pushFailedLock(env: Env): void {
  const frame = curFrame(pushState(env, env.insnIdx + 1, env.insnIdx));
  for (let i = 0; i <= 5; i++) frame.regs[i] = NOT_INIT;
  frame.regs[0] = scalarReg(assumeSignedBoth(UNKNOWN_REG.val, -MAX_ERRNO, -1));
}

function runCallbacks(env: Env, meta: KfuncMeta): void {
  const { name } = meta.kfunc;
  if (name === "bpf_rbtree_add_impl") {
    const root = meta.root;
    enterCallback(env, meta.subprog, (_caller: Frame, callee: Frame) => {
      const btf = root?.target;
      const node = pointerReg(REG.btfId, {
        flags: FLAG.alloc | FLAG.nonOwnRef,
        off: root?.nodeOffset ?? 0,
        x: btf === undefined ? {} : { btf },
      });
      callee.regs[1] = node;
      callee.regs[2] = node;
    });
    return;
  }
  const isAsync = name === "bpf_wq_set_callback_impl" || name.startsWith("bpf_task_work_schedule_");
  if (isAsync && meta.map !== undefined) {
    const callee = enterAsyncCallback(env, meta.subprog, true);
    const [r1, r2, r3] = mapCallbackArgs(meta.map, meta.mapUid);
    callee.regs[1] = r1;
    callee.regs[2] = r2;
    callee.regs[3] = r3;
    callee.retRange = RET_0_0;
  }
}

/** RCU and preemption sections (H-85, H-86). */
function checkSections(env: Env, kfunc: Kfunc): void {
  const state = env.cur;
  const { name } = kfunc;
  const isSleeping = kfunc.flags.includes("sleepable");
  const isLock = name === "bpf_rcu_read_lock";
  const isUnlock = name === "bpf_rcu_read_unlock";
  if (state.isRcu) {
    if (isLock) bad(env, `nested rcu read lock (kernel function ${name})`);
    if (isUnlock) endRcu(env);
    else if (isSleeping) bad(env, `kernel func ${name} is sleepable within rcu_read_lock region`, "EACCES");
  } else if (isLock) state.isRcu = true;
  else if (isUnlock) bad(env, `unmatched rcu read unlock (kernel function ${name})`);
  if (name === "bpf_preempt_disable") state.preemptLocks++;
  else if (name === "bpf_preempt_enable") {
    if (state.preemptLocks === 0) {
      bad(env, `unmatched attempt to enable preemption (kernel function ${name})`);
    }
    state.preemptLocks--;
  } else if (isSleeping && state.preemptLocks > 0) {
    bad(env, `kernel func ${name} is sleepable within non-preemptible region`, "EACCES");
  }
  if (isSleeping && state.activeIrqId !== 0) {
    bad(env, `kernel func ${name} is sleepable within IRQ-disabled region`, "EACCES");
  }
}

/** The end of an RCU section: what it protected is untrusted from here on. */
function endRcu(env: Env): void {
  env.cur.isRcu = false;
  const untrust = (reg: Reg): Reg =>
    (reg.flags & FLAG.rcu) === 0
      ? reg
      : { ...reg, flags: (reg.flags & ~(FLAG.rcu | FLAG.maybeNull)) | FLAG.untrusted };
  mapRegs(env.cur, untrust);
  for (const frame of env.cur.frames) {
    frame.stack.forEach((slot, spi) => {
      if (slot.kinds[7] !== "i" || slot.reg === null) return;
      const next = untrust(slot.reg);
      if (next !== slot.reg) frame.stack[spi] = { kinds: slot.kinds, reg: next };
    });
  }
}

const GIVES_AWAY: ReadonlySet<string> = new Set([
  "bpf_list_push_front_impl",
  "bpf_list_push_back_impl",
  "bpf_rbtree_add_impl",
]);

function release(env: Env, meta: KfuncMeta): void {
  const { name } = meta.kfunc;
  if (meta.releaseRegno !== 0) {
    const reg = curFrame(env.cur).regs[meta.releaseRegno];
    if (!releaseRef(env, reg?.refObjId ?? 0)) {
      bad(env, `kfunc ${name}#${env.insns[env.insnIdx]?.imm ?? 0} reference has not been acquired before`);
    }
  }
  if (GIVES_AWAY.has(name)) toNonOwning(env, curFrame(env.cur).regs[2]?.refObjId ?? 0);
}
