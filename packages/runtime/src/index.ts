export type { Engine, EngineOptions, EngineProg, RunEnd } from "./engine.ts";
export type { LinkedFunc, LinkedProg } from "./linked-prog.ts";
export type { Machine, RunLimits } from "./machine.ts";
export { FRAME_STRIDE_BYTES } from "./machine.ts";
export type { Target } from "./target.ts";
export { FUNC_POINTER_HI, funcPointerLo, isFuncPointer } from "./target.ts";
