import type { HelperProto } from "@tsbpf/abi";
import { PROG_TYPES } from "@tsbpf/abi";
import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { regTypeName } from "../log/print-reg.ts";
import { markPrecise } from "../precise/mark.ts";
import { reject } from "../reject.ts";
import { isNullReg, REG, type Reg } from "../state/reg.ts";
import { curFrame } from "../state/state.ts";
import type { StepEnd } from "../walk/step.ts";
import type { CallMeta } from "./args.ts";
import { HELPER_ID } from "./call-kinds.ts";
import { pushAsyncCallback, pushSyncCallback } from "./callback.ts";
import { checkNothingHeld } from "./leaks.ts";
import { pushTailCallReturn } from "./tail-call.ts";

/** What some helpers check or do beyond their prototype (H-90, C-125, C-131, C-161). */
export function runExtras(env: Env, proto: HelperProto, meta: CallMeta): StepEnd {
  const regs = curFrame(env.cur).regs;
  switch (proto.id) {
    case HELPER_ID.tailCall:
      checkNothingHeld(env, "tail_call", { checksLocks: true });
      if (pushTailCallReturn(env)) return "returns";
      break;
    case 81:
      if (!isNullReg(regs[2] as Reg)) {
        reject(env, "CALL_ARG_FLAGS", "EINVAL", "get_local_storage() doesn't support non-zero flags");
      }
      break;
    case HELPER_ID.forEachMapElem:
    case HELPER_ID.findVma:
    case HELPER_ID.userRingbufDrain:
      pushSyncCallback(env, proto, meta);
      break;
    case HELPER_ID.loop:
      runLoop(env, proto, meta);
      break;
    case HELPER_ID.timerSetCallback:
      pushAsyncCallback(env, proto, meta);
      break;
    case HELPER_ID.dynptrFromMem:
      if (regs[1]?.type !== REG.mapValue) {
        reject(
          env,
          "CALL_ARG_DYNPTR_DATA",
          "EACCES",
          `Unsupported reg type ${regTypeName(regs[1] as Reg)} for bpf_dynptr_from_mem data`,
        );
      }
      break;
    case HELPER_ID.dynptrWrite:
      if (meta.dynptrType === "skb" || meta.dynptrType === "skb_meta") meta.clearsPacket = true;
      meta.keepsPacket = true;
      break;
    case HELPER_ID.getFuncIp:
      if (env.progType !== PROG_TYPES.kprobe && env.progType !== PROG_TYPES.tracing) {
        reject(
          env,
          "CALL_HELPER_PROG",
          "ENOTSUPP",
          `func ${proto.name}#${proto.id} not supported for program type ${env.progType}`,
        );
      }
      break;
    default:
  }
  return "next";
}

/** The index of a tail call is exact where it is constant: jumps are patched by it (C-165). */
export function markTailCallIndex(env: Env, maxEntries: number): void {
  const index = curFrame(env.cur).regs[3] as Reg;
  if (index.type !== REG.scalar || !isConst(index.val)) return;
  if (index.val.umin < BigInt(maxEntries)) markPrecise(env, 3);
}

/** bpf_loop: as many simulated iterations as its largest count allows (C-128). */
function runLoop(env: Env, proto: HelperProto, meta: CallMeta): void {
  const frame = curFrame(env.cur);
  const flags = frame.regs[4] as Reg;
  if (isNullReg(flags)) markPrecise(env, 4);
  const count = frame.regs[1] as Reg;
  if (count.type !== REG.scalar) {
    reject(env, "LIMIT_BACKTRACK", "EFAULT", "verifier bug: backtracking misuse");
  }
  markPrecise(env, 1);
  if (BigInt(frame.callbackDepth) < count.val.umax) {
    pushSyncCallback(env, proto, meta);
    return;
  }
  frame.callbackDepth = 0;
  if (env.log.isVerbose) {
    env.log.write(`frame${frame.frameno} bpf_loop iteration limit reached\n`);
  }
}
