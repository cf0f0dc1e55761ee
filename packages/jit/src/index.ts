export type { JitOptions } from "./jit.ts";
export { createJit } from "./jit.ts";
export type { CompileReport } from "./run/cache.ts";
