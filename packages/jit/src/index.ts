export { PACKET_DESC } from "./batch-layout.ts";
export type { JitOptions } from "./jit.ts";
export { createJit } from "./jit.ts";
export type { Ahead } from "./run/ahead.ts";
export { compileAhead, compileReports } from "./run/ahead.ts";
export type { Batch } from "./run/batch.ts";
export { canRunBatch, runBatch } from "./run/batch.ts";
export type { CompileReport, InBackground } from "./run/cache.ts";
