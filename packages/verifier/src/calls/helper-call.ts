import { type HelperProto, isMapAllowedForHelper, maySetSockMap } from "@tsbpf/abi";
import type { Insn } from "@tsbpf/isa";
import { frameOfPointer } from "../access/stack-bounds.ts";
import { fillStack } from "../access/stack-write.ts";
import { isHelperAllowedAtTarget } from "../btf/lsm-hooks.ts";
import type { Env } from "../env.ts";
import { isReadOnlyToProg, type MapInfo } from "../maps.ts";
import { reject, rejectUnterminated } from "../reject.ts";
import type { Reg } from "../state/reg.ts";
import { curFrame } from "../state/state.ts";
import { scratchCallerSaved } from "../walk/regs.ts";
import type { StepEnd } from "../walk/step.ts";
import { type CallMeta, checkArgs, newCallMeta } from "./args.ts";
import { HELPER_ID } from "./call-kinds.ts";
import { releaseDynptr } from "./dynptr.ts";
import { markTailCallIndex, runExtras } from "./helper-extras.ts";
import { setResult } from "./helper-result.ts";
import { helperById, isHelperOffered } from "./protos.ts";
import { clearPacketPointers, exchangeRef, releaseRef } from "./refs.ts";

const WRITING: ReadonlySet<string> = new Set([
  "bpf_map_update_elem",
  "bpf_map_delete_elem",
  "bpf_map_push_elem",
  "bpf_map_pop_elem",
]);

const bad = (env: Env, code: string, text: string): never => reject(env, code, "EINVAL", text);

/** Checks that the helper may be called here at all (H-1..H-4). */
function checkCallable(env: Env, id: number): HelperProto {
  const state = env.cur;
  if (state.activeLocks > 0 && id !== HELPER_ID.spinUnlock) {
    bad(env, "CALL_UNDER_LOCK", "function calls are not allowed while holding a lock");
  }
  const proto = helperById(env, id);
  if (id === 0) bad(env, "CALL_HELPER_PROG", "program of this type cannot use helper bpf_unspec#0");
  if (proto === undefined) return bad(env, "CALL_HELPER_UNKNOWN", `invalid func unknown#${id}`);
  const name = `${proto.name}#${id}`;
  if (!isHelperOffered(env, proto)) {
    bad(env, "CALL_HELPER_PROG", `program of this type cannot use helper ${name}`);
  }
  if (proto.isGplOnly && !env.isGpl) {
    bad(env, "CALL_HELPER_LICENSE", "cannot call GPL-restricted function from non-GPL compatible program");
  }
  if (!isHelperAllowedAtTarget(env, proto.name)) {
    bad(env, "CALL_HELPER_TARGET", "helper call is not allowed in probe");
  }
  if (proto.maySleep) {
    if (!state.inSleepable) {
      bad(env, "CALL_HELPER_SLEEP", "helper call might sleep in a non-sleepable prog");
    }
    if (state.isRcu) bad(env, "CALL_HELPER_SLEEP", `sleepable helper ${name} in rcu_read_lock region`);
    if (state.preemptLocks > 0) {
      bad(env, "CALL_HELPER_SLEEP", `sleepable helper ${name} in non-preemptible region`);
    }
    if (state.activeIrqId !== 0) {
      bad(env, "CALL_HELPER_SLEEP", `sleepable helper ${name} in IRQ-disabled region`);
    }
  }
  return proto;
}

/** A helper call, in the kernel's order of checks (H-1..H-11). */
export function walkHelperCall(env: Env, insn: Insn): StepEnd {
  const proto = checkCallable(env, insn.imm);
  const meta = newCallMeta(proto);
  checkArgs(env, proto, meta);
  checkMapUse(env, proto, meta);
  if (meta.rawSize > 0) fillMemory(env, meta);
  release(env, proto, meta);
  if (runExtras(env, proto, meta) === "returns") return "next";
  const percpu = curFrame(env.cur).regs[1] as Reg;
  scratchCallerSaved(env, curFrame(env.cur));
  setResult(env, proto, meta, percpu);
  checkMapCompatible(env, proto, meta);
  if (proto.invalidatesPacket && !meta.keepsPacket) clearPacketPointers(env);
  if (meta.clearsPacket) clearPacketPointers(env);
  env.insnIdx++;
  return "next";
}

/** The helper writes its output memory, which lies in a frame at a known place. */
function fillMemory(env: Env, meta: CallMeta): void {
  const reg = curFrame(env.cur).regs[meta.rawRegno] as Reg;
  const min = (reg.off + reg.val.sminNumber) | 0;
  fillStack(env, frameOfPointer(env, reg), { min, end: min + meta.rawSize });
}

function checkMapUse(env: Env, proto: HelperProto, meta: CallMeta): void {
  const map = meta.map;
  if (map !== undefined && WRITING.has(proto.name) && isReadOnlyToProg(map)) {
    reject(env, "MEM_MAP_FLAGS", "EACCES", "write into map forbidden");
  }
  if (proto.id !== HELPER_ID.tailCall) return;
  if (map?.spec.type !== "prog_array") {
    rejectUnterminated(env, "CALL_MAP_TYPE", "EINVAL", "expected prog array map for tail call");
  }
  markTailCallIndex(env, map.maxEntries);
}

function release(env: Env, proto: HelperProto, meta: CallMeta): void {
  if (meta.releaseRegno === 0) return;
  const reg = curFrame(env.cur).regs[meta.releaseRegno];
  if (meta.releasesDynptr) {
    releaseDynptr(env, meta.releaseRegno);
    return;
  }
  if (reg === undefined || reg.refObjId === 0) return;
  const isExchanged = proto.id === HELPER_ID.kptrXchg;
  if (isExchanged ? exchangeRef(env, reg.refObjId) : releaseRef(env, reg.refObjId)) return;
  bad(env, "REF_NOT_ACQUIRED", `func ${proto.name}#${proto.id} reference has not been acquired before`);
}

function checkMapCompatible(env: Env, proto: HelperProto, meta: CallMeta): void {
  const map = meta.map;
  if (map === undefined || env.customHelpers.has(proto.id)) return;
  if (isMapAllowedForHelper(map.spec.type, proto.id) && maySetSocks(env, map, proto.id)) return;
  bad(env, "CALL_MAP_TYPE", `cannot pass map_type ${map.type} into func ${proto.name}#${proto.id}`);
}

/** Only some programs may change which sockets a map holds. */
function maySetSocks(env: Env, map: MapInfo, helperId: number): boolean {
  const isSockMap = map.spec.type === "sockmap" || map.spec.type === "sockhash";
  const isDelete = helperId === HELPER_ID.mapDeleteElem;
  if (!isSockMap || !(isDelete || helperId === HELPER_ID.mapUpdateElem)) return true;
  return maySetSockMap(env.spec.type, env.attachType, isDelete);
}
