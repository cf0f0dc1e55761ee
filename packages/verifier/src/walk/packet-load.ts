import { PROG_TYPES } from "@tsbpf/abi";
import type { Action, Insn } from "@tsbpf/isa";
import { checkUnmoved } from "../access/offsets.ts";
import { checkNothingHeld } from "../calls/leaks.ts";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { REG, UNKNOWN_REG, ZERO_REG } from "../state/reg.ts";
import { curFrame } from "../state/state.ts";
import { returnToCaller } from "./exit.ts";
import { pushState } from "./pending.ts";
import { readReg, scratchCallerSaved, writeReg } from "./regs.ts";

type PacketLoad = Extract<Action, { kind: "packet" }>;
const ALLOWED: ReadonlySet<number> = new Set([
  PROG_TYPES.socket_filter,
  PROG_TYPES.sched_cls,
  PROG_TYPES.sched_act,
]);

/** LD_ABS and LD_IND (A-140..A-144). */
export function walkPacketLoad(env: Env, insn: Insn, action: PacketLoad): void {
  if (!ALLOWED.has(env.progType)) {
    reject(env, "CALL_LD_ABS", "EINVAL", "BPF_LD_[ABS|IND] instructions not allowed for this program type");
  }
  if (insn.dst !== 0 || insn.off !== 0 || (action.mode === "abs" && insn.src !== 0)) {
    reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_LD_[ABS|IND] uses reserved fields");
  }
  const ctx = readReg(env, 6);
  checkNothingHeld(env, "BPF_LD_[ABS|IND]", { checksLocks: true });
  if (ctx.type !== REG.ctx) {
    reject(env, "REG_LD_ABS_CTX", "EINVAL", "at the time of BPF_LD_ABS|IND R6 != pointer to skb");
  }
  if (action.mode === "ind") readReg(env, insn.src);
  checkUnmoved(env, ctx, 6);
  scratchCallerSaved(env, curFrame(env.cur));
  writeReg(env, 0, UNKNOWN_REG);
  if (env.cur.frames.length === 1) {
    env.insnIdx++;
    return;
  }
  // A failing load ends the function with 0: that path goes on now, the successful load later.
  pushState(env, env.insnIdx + 1, env.insnIdx);
  writeReg(env, 0, ZERO_REG);
  returnToCaller(env);
}
