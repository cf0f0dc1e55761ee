import { ERRNO } from "@tsbpf/abi";
import { LIMITS } from "@tsbpf/base";
import { FRAME_STRIDE_BYTES } from "@tsbpf/runtime";
import type { Node } from "../ir/graph.ts";
import { callsMap, type Lowered, swapsElements } from "../ir/lowered.ts";
import { type FuncPlan, liveInOf } from "../ir/plan.ts";
import { CELL } from "../run/cell.ts";
import { OP } from "../wasm/opcodes.ts";
import { keepBase, takeBack } from "./call-base.ts";
import { emitEdge, flushCount, resumeCount } from "./count-code.ts";
import { type Emitter, hasFrame } from "./emitter.ts";
import { emitSwapUpdate, pushLookup } from "./maps.ts";
import { pushSharedLookup } from "./watched.ts";

/** Tail calls decide how a function goes on; `call.ts` writes them. */
type Kind = Exclude<Lowered["kind"], "tail">;
type Emit<K extends Kind> = (e: Emitter, node: Node, lowered: Extract<Lowered, { kind: K }>) => void;

const R0 = 0;
const R1 = 1;
const R2 = 2;
const R3 = 3;
const R4 = 4;

/** Says whether the mode of a module allows a call to become code of its own. */
export const mayLower = (e: Emitter, lowered: Lowered): lowered is Extract<Lowered, { kind: Kind }> =>
  !e.mode.isHooked && lowered.kind !== "tail" && !(e.mode.isDeep && lowered.kind === "loop");

/** Writes a helper call as code of its own. */
export function emitLowered(e: Emitter, node: Node, lowered: Extract<Lowered, { kind: Kind }>): void {
  (EMIT[lowered.kind] as Emit<Kind>)(e, node, lowered);
  if (lowered.kind === "loop") return;
  e.clearScratch(node);
  // A call that leaves generated code has counted already.
  if (lowered.kind !== "words" && node.fall >= 0) emitEdge(e, node, node.fall);
}

/** Pops a status into r0, sign-extended. */
function popStatus(e: Emitter, node: Node): void {
  e.code.op(OP.i64ExtendI32S);
  e.pop(node.frame, R0);
}

const EMIT: { readonly [K in Kind]: Emit<K> } = {
  lookup: (e, node, lowered) => {
    e.pushLow(node.frame, R2);
    if (callsMap(lowered, e.mode.isShared)) {
      pushSharedLookup(e, node, lowered.map);
    } else {
      e.code.set(e.word);
      pushLookup(e, lowered.map);
    }
    e.pop(node.frame, R0);
  },
  update: (e, node, { map }) => {
    const callMap = (): void => {
      e.pushLow(node.frame, R2);
      e.pushLow(node.frame, R3);
      e.pushLow(node.frame, R4);
      pushHigh(e, node, R4);
      e.code.call(e.links.mapCallAt.get(node.block.last) as number);
    };
    if (!swapsElements(map) || e.mode.isShared) {
      callMap();
      popStatus(e, node);
      return;
    }
    updateHash(e, node, map, callMap);
  },
  delete: (e, node) => {
    e.pushLow(node.frame, R2);
    e.code.call(e.links.mapCallAt.get(node.block.last) as number);
    popStatus(e, node);
  },
  cpu: (e, node) => {
    e.pushCell();
    e.code.memory(OP.i64Load32U, CELL.cpu);
    e.pop(node.frame, R0);
  },
  words: (e, node, { helper, argCount }) => {
    flushCount(e, node);
    e.pushCell();
    e.code.i32(node.block.last);
    e.code.memory(OP.i32Store, CELL.slot);
    for (let reg = 1; reg <= argCount; reg++) e.pushLow(node.frame, reg);
    e.code.call(e.links.callAt.get(node.block.last) as number);
    if (helper.wasm?.kind !== "words" || helper.wasm.result === "void") e.code.i64(0, 0);
    else e.code.op(helper.wasm.result === "u32" ? OP.i64ExtendI32U : OP.i64ExtendI32S);
    e.pop(node.frame, R0);
    resumeCount(e, node, false);
  },
  loop: emitLoop,
};

function pushHigh(e: Emitter, node: Node, reg: number): void {
  e.push(node.frame, reg);
  e.code.i64(32, 0);
  e.code.op(OP.i64ShrU);
  e.code.op(OP.i32WrapI64);
}

function updateHash(
  e: Emitter,
  node: Node,
  map: Extract<Lowered, { kind: "update" }>["map"],
  callMap: () => void,
): void {
  const { code } = e;
  // BPF_ANY and BPF_EXIST do the same to a present key.
  e.push(node.frame, R4);
  code.i64(-3, -1);
  code.op(OP.i64And);
  code.op(OP.i64Eqz);
  code.if();
  e.pushLow(node.frame, R2);
  code.set(e.word);
  e.pushLow(node.frame, R3);
  code.set(e.value);
  emitSwapUpdate(e, map, e.value, callMap);
  code.else();
  callMap();
  code.set(e.word4);
  code.end();
  code.get(e.word4);
  popStatus(e, node);
}

/** Writes `bpf_loop` as a loop of direct calls (C-128). */
function emitLoop(e: Emitter, node: Node, { funcIdx }: Extract<Lowered, { kind: "loop" }>): void {
  const { code } = e;
  const callee = e.plan.funcs[funcIdx] as FuncPlan;
  const isFlushed = e.mode.hasFuel || e.mode.isChecked || callee.mayLeave;
  if (isFlushed) flushCount(e, node);
  e.push(node.frame, R4);
  code.op(OP.i64Eqz);
  code.if();
  e.pushLow(node.frame, R1);
  code.tee(e.word2);
  code.i32(LIMITS.loops);
  code.op(OP.i32LeU);
  code.if();
  emitRounds(e, node, callee);
  code.else();
  code.i64(-ERRNO.E2BIG, -1);
  e.pop(node.frame, R0);
  code.end();
  code.else();
  code.i64(-ERRNO.EINVAL, -1);
  e.pop(node.frame, R0);
  code.end();
  e.clearScratch(node);
  if (isFlushed) resumeCount(e, node, true);
  else if (node.fall >= 0) emitEdge(e, node, node.fall);
}

function emitRounds(e: Emitter, node: Node, callee: FuncPlan): void {
  const { code } = e;
  keepBase(e, callee);
  code.i32(0);
  code.set(e.word);
  code.block();
  code.loop();
  code.get(e.word);
  code.get(e.word2);
  code.op(OP.i32GeU);
  code.brIf(1);
  pushRound(e, node, callee);
  code.op(OP.i32WrapI64);
  takeBack(e, callee);
  code.get(e.word);
  code.i32(1);
  code.op(OP.i32Add);
  code.set(e.word);
  code.op(OP.i32Eqz);
  code.brIf(0);
  code.end();
  code.end();
  code.get(e.word);
  e.popLow(node.frame, R0);
}

/** Pushes the result of one call of the function: r1 is the round, r2 what the caller gave, the others are 0. */
function pushRound(e: Emitter, node: Node, callee: FuncPlan): void {
  const { code } = e;
  for (let reg = R1; reg <= 5; reg++) {
    if ((liveInOf(callee) & (1 << reg)) === 0) continue;
    if (reg === R1) {
      code.get(e.word);
      code.op(OP.i64ExtendI32U);
    } else if (reg === R2) e.push(node.frame, R3);
    else code.i64(0, 0);
  }
  if (hasFrame(callee, e.mode)) e.pushFrame(node.frame, FRAME_STRIDE_BYTES);
  code.call(e.links.funcs[callee.func.idx] as number);
}
