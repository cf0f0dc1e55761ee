import type { Target } from "@tsbpf/runtime";
import { callsMap } from "../ir/lowered.ts";
import type { FuncPlan, Plan } from "../ir/plan.ts";
import { liveInOf } from "../ir/plan.ts";
import { CELL } from "../run/cell.ts";
import { CodeWriter } from "../wasm/code.ts";
import { ModuleBuilder } from "../wasm/module.ts";
import { OP, TYPE, type ValueType } from "../wasm/opcodes.ts";
import { BATCH_TYPE, canBatch } from "./batch.ts";
import { BoundsOrder } from "./bounds-order.ts";
import { hasFrame, paramsOf } from "./emitter.ts";
import { emitFunction } from "./function.ts";
import type { Links } from "./links.ts";
import type { Mode } from "./mode.ts";
import { canEnter, canRepeat, canRepeatInside, emitEnter, emitRepeat, REPEAT_TYPE } from "./repeat.ts";

const { i32, i64 } = TYPE;
const MAIN: readonly [readonly ValueType[], readonly ValueType[]] = [[i32, i32], [i32]];

/** Names of the exports of a generated module. */
export const EXPORT = {
  main: "main",
  batch: "batch",
  repeat: "repeat",
  enter: "enter",
  func: (idx: number) => `f${idx}`,
  exact: (idx: number) => `x${idx}`,
} as const;

/** Names of what a generated module imports; calls are named by slot. */
export const IMPORT = {
  memory: "m",
  table: "t",
  ctx: "c",
  stack: "s",
  checkAccess: "a",
  tooDeep: "d",
  noBudget: "b",
  goExact: "x",
  findPacket: "p",
  checkJump: "j",
  call: (slot: number) => `h${slot}`,
  mapCall: (slot: number) => `u${slot}`,
} as const;

/** Whether calls of a target leave generated code, so that the engine has to act on them. */
export const isOutside = (target: Target): boolean => target.kind !== "subprog";

/** Whether the answer to a call decides how the function goes on. */
export const isAnswered = (target: Target): boolean =>
  target.kind === "tail_call" || target.kind === "indirect";

/** What a module knows of the machine that it is made for. */
export interface Surroundings {
  /** Address of the exchange block. */
  readonly cell: number;
  /** Reads a word of memory that never changes, e.g. of a map's header. */
  readonly readWord: (address: number) => number;
  /** Whether effects are recorded. */
  readonly isRecording: boolean;
  /** Address of the machine's first frame. */
  readonly stackBase: number;
}

/** Writes the module of a program for one machine. */
export function generate(plan: Plan, mode: Mode, place: Surroundings): Uint8Array<ArrayBuffer> {
  const steps = generateInSteps(plan, mode, place);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Does the same in steps of a few milliseconds at most. */
export function* generateInSteps(
  plan: Plan,
  mode: Mode,
  place: Surroundings,
): Generator<void, Uint8Array<ArrayBuffer>> {
  const module = new ModuleBuilder(64 * plan.insns.length + 1024);
  const { links, inner } = declare(module, plan, mode, place);
  const { readWord, isRecording, stackBase } = place;
  const context = { plan, mode, links, boundsOrder: new BoundsOrder(), readWord, isRecording, stackBase };
  inner.check?.();
  for (const func of inner.asFuncs) {
    const { locals, code } = yield* emitFunction(context, func, "func");
    module.body(locals, code);
  }
  const main = plan.funcs[0] as FuncPlan;
  const body = yield* emitFunction(context, main, "main");
  module.body(body.locals, body.code);
  for (const func of plan.funcs) module.body([], emitWrapper(func, mode, links, inner.main));
  if (canRepeatInside(plan, mode)) {
    const repeat = yield* emitFunction(context, main, "repeat");
    module.body(repeat.locals, repeat.code);
  } else if (canRepeat(plan, mode)) {
    module.body([[1, i32]], emitRepeat(plan, mode, links, inner.main));
  }
  if (canEnter(plan, mode)) module.body([], emitEnter(links, inner.main));
  if (canBatch(plan, mode)) {
    const batch = yield* emitFunction(context, main, "batch");
    module.body(batch.locals, batch.code);
  }
  if (mode.isExact) {
    for (const func of plan.funcs) {
      const exact = yield* emitFunction(context, func, "exact");
      module.body(exact.locals, exact.code);
    }
  }
  return module.finish();
}

interface Inner {
  /** Functions that are written with arguments as parameters, in order. */
  readonly asFuncs: readonly FuncPlan[];
  readonly main: number;
  /** Writes the body of the access check, when there is one. */
  readonly check: (() => void) | undefined;
}

/** r2..r5: what a program's entry never gets, but a host that calls it as a function may give. */
const HOST_ARGS = 0b11_1100;

/** The main function is called like any other only by recursion, through pointers, and by hosts that give it arguments. */
function funcsToWrite(plan: Plan): readonly FuncPlan[] {
  const [main] = plan.funcs;
  const isMainCalled =
    (main !== undefined && (liveInOf(main) & HOST_ARGS) !== 0) ||
    plan.funcs.some(({ callees }) => callees.includes(0)) ||
    [...plan.prog.targets.values()].some(callsThroughPointer);
  return isMainCalled ? plan.funcs : plan.funcs.slice(1);
}

const callsThroughPointer = (target: Target): boolean =>
  target.kind === "indirect" || ("helper" in target && target.helper.proto.callsBack);

function declare(
  module: ModuleBuilder,
  plan: Plan,
  mode: Mode,
  place: Surroundings,
): { links: Links; inner: Inner } {
  module.importMemory(IMPORT.memory, mode.isShared);
  const { cell } = place;
  const table = plan.funcs.some((func) => func.mayTailCall) ? module.importTable(IMPORT.table) : 0;
  const isEntered = canEnter(plan, mode);
  const ctx = isEntered ? module.importWord(IMPORT.ctx) : 0;
  const stack = isEntered ? module.importWord(IMPORT.stack) : 0;
  const checkImport = module.importFunction(IMPORT.checkAccess, [i32, i32, i32, i32], [i32]);
  const imports = {
    tooDeep: module.importFunction(IMPORT.tooDeep, [i32], []),
    noBudget: module.importFunction(IMPORT.noBudget, [i32], []),
    goExact: module.importFunction(IMPORT.goExact, [i32, i32, i32], []),
    findPacket: module.importFunction(IMPORT.findPacket, [i32, i32, i32, i32], [i32]),
    checkJump: module.importFunction(IMPORT.checkJump, [i32, i32, i32], [i32]),
  };
  const callAt = new Map<number, number>();
  for (const [slot, target] of plan.prog.targets) {
    if (!isOutside(target)) continue;
    const words = wordsOf(plan, mode, slot);
    const [params, results] = words ?? [[], isAnswered(target) ? [i32] : []];
    callAt.set(slot, module.importFunction(IMPORT.call(slot), params, results));
  }
  const mapCallAt = new Map<number, number>();
  for (const [slot, lowered] of plan.lowered) {
    if (mode.isHooked || !callsMap(lowered, mode.isShared)) continue;
    const { kind } = lowered;
    const params = kind === "update" ? [i32, i32, i32, i32] : [i32];
    mapCallAt.set(slot, module.importFunction(IMPORT.mapCall(slot), params, [i32]));
  }
  const asFuncs = funcsToWrite(plan);
  const checkAccess = module.declare(module.type([i64, i64, i32, i32], [i32]));
  const funcs: number[] = [];
  for (const func of asFuncs) funcs[func.func.idx] = module.declare(module.type(paramsOf(func, mode), [i64]));
  const mainType = module.type(...MAIN);
  const main = module.declare(mainType);
  module.exportFunction(EXPORT.main, main);
  const wrapperType = module.type([i32], [i32]);
  for (const { func } of plan.funcs)
    module.exportFunction(EXPORT.func(func.idx), module.declare(wrapperType));
  if (canRepeat(plan, mode)) {
    module.exportFunction(EXPORT.repeat, module.declare(module.type(...REPEAT_TYPE)));
  }
  if (isEntered) module.exportFunction(EXPORT.enter, module.declare(module.type([], [i32])));
  if (canBatch(plan, mode)) {
    module.exportFunction(EXPORT.batch, module.declare(module.type(...BATCH_TYPE)));
  }
  if (mode.isExact) {
    for (const { func } of plan.funcs)
      module.exportFunction(EXPORT.exact(func.idx), module.declare(mainType));
  }
  const links: Links = {
    cell,
    ctx,
    stack,
    mainType,
    callAt,
    mapCallAt,
    funcs,
    ...imports,
    checkAccess,
    table,
  };
  const check = (): void => module.body([], checkBody(cell, checkImport));
  return { links, inner: { asFuncs, main, check } };
}

/** Type of a helper that is a function of words; undefined for every other. */
function wordsOf(plan: Plan, mode: Mode, slot: number): [ValueType[], ValueType[]] | undefined {
  const lowered = mode.isHooked ? undefined : plan.lowered.get(slot);
  if (lowered?.kind !== "words") return undefined;
  const isVoid = lowered.helper.wasm?.kind !== "words" || lowered.helper.wasm.result === "void";
  return [new Array<ValueType>(lowered.argCount).fill(i32), isVoid ? [] : [i32]];
}

/** Splits the address, notes the count, and asks the engine. */
function checkBody(cell: number, checkImport: number): CodeWriter {
  const code = new CodeWriter(64);
  code.i32(cell);
  code.get(1);
  code.memory(OP.i64Store, CELL.countAtAccess);
  code.get(0);
  code.op(OP.i32WrapI64);
  code.get(0);
  code.i64(32, 0);
  code.op(OP.i64ShrU);
  code.op(OP.i32WrapI64);
  code.get(2);
  code.get(3);
  code.call(checkImport);
  return code;
}

/** Calls a function with the registers in the exchange block as arguments. */
function emitWrapper(func: FuncPlan, mode: Mode, links: Links, main: number): CodeWriter {
  const code = new CodeWriter(64);
  const callee = links.funcs[func.func.idx];
  if (callee === undefined) {
    code.i32(links.cell);
    code.memory(OP.i32Load, CELL.regs + 8);
    code.get(0);
    code.call(main);
    return code;
  }
  code.i32(links.cell);
  for (let reg = 1; reg <= 5; reg++) {
    if ((liveInOf(func) & (1 << reg)) === 0) continue;
    code.i32(links.cell);
    code.memory(OP.i64Load, CELL.regs + 8 * reg);
  }
  if (hasFrame(func, mode)) code.get(0);
  code.call(callee);
  code.memory(OP.i64Store, CELL.regs);
  code.i32(links.cell);
  code.memory(OP.i32Load, CELL.regs);
  return code;
}
