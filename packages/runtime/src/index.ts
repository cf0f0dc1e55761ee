export type { FrameView, Standing } from "./backtrace.ts";
export { backtrace } from "./backtrace.ts";
export { callBackInto } from "./call/callback.ts";
export type { ArgCheck } from "./call/check-args.ts";
export { makeArgChecks } from "./call/check-args.ts";
export {
  FRAME,
  FRAME_STRIDE_BYTES,
  FRAMES_MAX,
  Frames,
  framePointerOf,
  LEAVE,
  popFrame,
  pushFrame,
  UNKEPT_SHIFT,
} from "./call/frames.ts";
export type { Invoker, InvokerSite } from "./call/invoke.ts";
export { AFTER_CALL, entry, makeInvoker } from "./call/invoke.ts";
export type { MachineOptions } from "./create-machine.ts";
export { createMachine } from "./create-machine.ts";
export type { Engine, EngineOptions, EngineProg, ProgEntry, RunEnd } from "./engine.ts";
export { toEngineProg } from "./engine.ts";
export { MachineEnv } from "./env.ts";
export type { CallEvent, MemAccess, RunHooks } from "./hooks.ts";
export { indexHelpers, indexKfuncs } from "./link/index-helpers.ts";
export type { LinkCode } from "./link/refuse.ts";
export type { LinkOptions } from "./link/resolve.ts";
export { linkProg } from "./link/resolve.ts";
export type { LinkedFunc, LinkedProg } from "./linked-prog.ts";
export { funcAt, isFuncStart } from "./linked-prog.ts";
export type { Machine, RunLimits } from "./machine.ts";
export { namePointer } from "./name-pointer.ts";
export type { RecordedServices } from "./record-services.ts";
export { recordServices } from "./record-services.ts";
export type { RunContext, RunOptions, RunResult } from "./run.ts";
export { beginRun, DEFAULT_BUDGET, runProg } from "./run.ts";
export type { SavedMachine } from "./snapshot.ts";
export { restoreMachine, saveMachine } from "./snapshot.ts";
export type { Target, TargetKind } from "./target.ts";
export { FUNC_POINTER_HI, funcPointerLo, isFuncPointer } from "./target.ts";
export type { TrapCode, TrapPlace } from "./trap.ts";
export { helperThrew, locateTrap, RunSignal, TRAP_CODES, trap } from "./trap.ts";
