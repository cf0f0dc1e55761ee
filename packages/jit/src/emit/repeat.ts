import { LIMITS } from "@tsbpf/base";
import { FRAME_STRIDE_BYTES } from "@tsbpf/runtime";
import { buildGraph } from "../ir/graph.ts";
import type { FuncPlan, Plan } from "../ir/plan.ts";
import { isSealed } from "../ir/sealed.ts";
import { CELL } from "../run/cell.ts";
import { CodeWriter } from "../wasm/code.ts";
import { BULK, OP, TYPE, type ValueType } from "../wasm/opcodes.ts";
import { hasFlushes } from "./batch.ts";
import { type Emitter, REPEAT_LOCAL } from "./emitter.ts";
import type { Links } from "./links.ts";
import { inliningOf, type Mode } from "./mode.ts";
import { emitStructured } from "./structure.ts";

/** Parameters of the loop over whole runs: context, frame, how many; it gives the last one's low half of r0. */
export const REPEAT_TYPE: readonly [readonly ValueType[], readonly ValueType[]] = [
  [TYPE.i32, TYPE.i32, TYPE.i32],
  [TYPE.i32],
];

/** Local of the result, after the parameters. */
const RESULT = 3;

/** Says whether a program can run several times inside one call of generated code. */
export const canRepeat = (plan: Plan, mode: Mode): boolean =>
  !mode.isHooked && !mode.isExact && !mode.isBatch && !mode.isDeep && isSealed(plan);

/** Writes a loop of whole runs on the input as it stands; each begins as the engine would begin it. */
export function emitRepeat({ prog, funcs }: Plan, mode: Mode, { cell }: Links, main: number): CodeWriter {
  const code = new CodeWriter(128);
  code.loop();
  code.i32(cell);
  if (mode.hasFuel) {
    code.i32(cell);
    code.memory(OP.i64Load, CELL.budget);
  } else code.i64(0, 0);
  code.memory(OP.i64Store, CELL.count);
  if (funcs.some(({ mayTailCall }) => mayTailCall)) {
    code.i32(cell);
    code.i32(0);
    code.memory(OP.i32Store, CELL.tailCalls);
    code.i32(cell);
    code.get(1);
    code.memory(OP.i32Store, CELL.base);
  }
  if (mode.isChecked && prog.usesStack) {
    const frames = prog.funcs.length > 1 ? LIMITS.callFrames : 1;
    code.get(1);
    code.i32(0);
    code.i32((frames - 1) * FRAME_STRIDE_BYTES + LIMITS.stackBytes);
    code.op(OP.prefixBulk);
    code.u32(BULK.memoryFill);
    code.u8(0);
  }
  code.get(0);
  code.get(1);
  code.call(main);
  code.set(RESULT);
  code.get(2);
  code.i32(1);
  code.op(OP.i32Sub);
  code.tee(2);
  code.brIf(0);
  code.end();
  code.get(RESULT);
  return code;
}

/** Slots of a program that is written once more for its repeats. */
const INSIDE_SLOTS_MAX = 256;

/** Says whether a repeat has the program as its body, so that a run is not even a call: small ones gain by it. */
export const canRepeatInside = (plan: Plan, mode: Mode): boolean =>
  canRepeat(plan, mode) &&
  !mode.isChecked &&
  !mode.hasFuel &&
  !mode.isMoved &&
  plan.insns.length <= INSIDE_SLOTS_MAX &&
  !plan.funcs.some(({ mayTailCall }) => mayTailCall) &&
  // A load that finds no packet exits from the middle of a node.
  !plan.actions.some((action) => action?.kind === "packet") &&
  // Exits of such a repeat are jumps out of structured code.
  buildGraph(plan, plan.funcs[0] as FuncPlan, inliningOf(mode)).order.isReducible;

/** Writes that loop: exits leave the body, with the result in r0 and the count in its local. */
export function emitRepeatInside(e: Emitter): void {
  const { code } = e;
  const main = { plan: e.func, level: 0 };
  const isFlushed = hasFlushes(e);
  const clearCount = (): void => {
    e.pushCell();
    code.i64(0, 0);
    code.memory(OP.i64Store, CELL.count);
  };
  // A trap adds to what lies there.
  if (!isFlushed) clearCount();
  code.loop();
  if (isFlushed) clearCount();
  code.i64(0, 0);
  code.set(e.count);
  code.i32(0);
  code.set(e.loops);
  code.get(REPEAT_LOCAL.ctx);
  e.popLow(main, 1);
  code.block();
  emitStructured(e);
  code.op(OP.unreachable);
  code.end();
  code.get(REPEAT_LOCAL.times);
  code.i32(1);
  code.op(OP.i32Sub);
  code.tee(REPEAT_LOCAL.times);
  code.brIf(0);
  code.end();
  e.pushCell();
  code.get(e.count);
  if (isFlushed) {
    e.pushCell();
    code.memory(OP.i64Load, CELL.count);
    code.op(OP.i64Add);
  }
  code.memory(OP.i64Store, CELL.count);
  e.pushCell();
  e.push(main, 0);
  code.memory(OP.i64Store, CELL.regs);
  e.pushLow(main, 0);
}

/** Whether a program has an entry that takes nothing: one that needs no proof given or budget taken. */
export const canEnter = (plan: Plan, mode: Mode): boolean =>
  !mode.isChecked && !mode.hasFuel && canRepeat(plan, mode);

/** Writes that entry: only the count begins anew. Context and frame are words that the instance imports. */
export function emitEnter({ cell, ctx, stack }: Links, main: number): CodeWriter {
  const code = new CodeWriter(32);
  code.i32(cell);
  code.i64(0, 0);
  code.memory(OP.i64Store, CELL.count);
  code.globalGet(ctx);
  code.globalGet(stack);
  code.op(OP.returnCall);
  code.u32(main);
  return code;
}
