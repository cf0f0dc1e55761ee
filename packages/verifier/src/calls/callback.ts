import { FOR_EACH_MAP_TYPES, type HelperProto } from "@tsbpf/abi";
import { type Env, newId, type Subprog } from "../env.ts";
import { scratchAll } from "../log/print-state.ts";
import type { MapInfo } from "../maps.ts";
import { reject } from "../reject.ts";
import { NOT_INIT, pointerReg, REG, type Reg, UNKNOWN_REG } from "../state/reg.ts";
import { curFrame, type Frame, makeFrame, makeState, RET_0_0, RET_0_1, type State } from "../state/state.ts";
import { pushState } from "../walk/pending.ts";
import type { CallMeta } from "./args.ts";
import { HELPER_ID } from "./call-kinds.ts";
import { pushFrame } from "./frames.ts";
import { noteStaticCall } from "./global.ts";

const MAX_PENDING = 8192;

/** Registers of a callback that gets a map, a key and a value (C-122). */
export function mapCallbackArgs(map: MapInfo, mapUid: number): [Reg, Reg, Reg] {
  const x = { map, mapUid };
  return [pointerReg(REG.mapPtr, { x }), pointerReg(REG.mapKey, { x }), pointerReg(REG.mapValue, { x })];
}

/** Fills r1..r4 of a synchronous callback of a helper (C-122). */
function fillArgs(env: Env, proto: HelperProto, meta: CallMeta, caller: Frame, callee: Frame): void {
  const at = (regno: number): Reg => caller.regs[regno] ?? NOT_INIT;
  switch (proto.id) {
    case HELPER_ID.loop:
      callee.regs[1] = UNKNOWN_REG;
      callee.regs[2] = at(3);
      return;
    case HELPER_ID.forEachMapElem: {
      const map = meta.map as MapInfo;
      if (!(FOR_EACH_MAP_TYPES as ReadonlySet<string>).has(map.spec.type)) {
        reject(env, "CALL_CALLBACK_MAP", "ENOTSUPP", "callback function not allowed for map");
      }
      const [, key, value] = mapCallbackArgs(map, at(1).x.mapUid);
      callee.regs[1] = at(1);
      callee.regs[2] = key;
      callee.regs[3] = value;
      callee.regs[4] = at(3);
      return;
    }
    case HELPER_ID.findVma:
      callee.regs[1] = at(1);
      callee.regs[2] = pointerReg(REG.btfId, {
        x: { btf: { name: "vm_area_struct", isKernel: true, typeId: 0 } },
      });
      callee.regs[3] = at(4);
      return;
    default:
      callee.regs[1] = pointerReg(REG.dynptr, {
        id: newId(env),
        x: { dynptr: { type: "local", isFirst: true } },
      });
      callee.regs[2] = at(3);
  }
}

/** Queues one run of a callback before the helper returns (C-125). */
export function pushSyncCallback(env: Env, proto: HelperProto, meta: CallMeta): void {
  enterCallback(env, meta.subprog, (caller, callee) => fillArgs(env, proto, meta, caller, callee));
}

/** Queues a callback's body as a frame above the current one; `fill` sets its arguments. */
export function enterCallback(
  env: Env,
  subprogIdx: number,
  fill: (caller: Frame, callee: Frame) => void,
): void {
  const subprog = env.subprogs[subprogIdx] as Subprog;
  noteStaticCall(env, subprog);
  subprog.isCallback = true;
  const caller = curFrame(env.cur);
  const state = pushState(env, subprog.start, env.insnIdx);
  const callee = pushFrame(env, state, subprogIdx, env.insnIdx);
  fill(caller, callee);
  callee.inCallback = true;
  callee.retRange = RET_0_1;
  state.callbackUnrollDepth++;
  (state.frames[state.frames.length - 2] as Frame).callbackDepth++;
  caller.callbackDepth = 0;
}

/** Queues a callback that runs later, on a stack of its own (C-131). */
export function pushAsyncCallback(env: Env, _proto: HelperProto, meta: CallMeta): void {
  const map = meta.map as MapInfo;
  const callee = enterAsyncCallback(env, meta.subprog, false);
  const [r1, r2, r3] = mapCallbackArgs(map, meta.mapUid);
  callee.regs[1] = r1;
  callee.regs[2] = r2;
  callee.regs[3] = r3;
  callee.retRange = RET_0_0;
}

/** Queues the entry of an asynchronous callback and returns its frame. */
export function enterAsyncCallback(env: Env, subprogIdx: number, isSleepable: boolean): Frame {
  const subprog = env.subprogs[subprogIdx] as Subprog;
  noteStaticCall(env, subprog);
  subprog.isCallback = true;
  subprog.isAsyncCallback = true;
  const frame = makeFrame(-1, 0, subprogIdx);
  const state: State = makeState(frame);
  state.inSleepable = isSleepable;
  scratchAll(env);
  frame.inAsyncCallback = true;
  frame.asyncEntryCnt = curFrame(env.cur).asyncEntryCnt + 1;
  env.pending.push({
    state,
    insnIdx: subprog.start,
    prevIdx: env.insnIdx,
    logPosition: env.log.position,
  });
  if (env.pending.length > MAX_PENDING) {
    reject(
      env,
      "LIMIT_BRANCHES",
      "E2BIG",
      `The sequence of ${env.pending.length} jumps is too complex for async cb.`,
    );
  }
  return frame;
}
