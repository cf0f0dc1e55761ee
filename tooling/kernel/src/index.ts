export type {
  KernelAnswer,
  KernelCase,
  KernelMap,
  KernelMapDump,
  KernelMapValue,
  KernelRun,
  KernelRunAnswer,
} from "./case.ts";
export type { KernelClientOptions } from "./client.ts";
export { KernelClient, KernelProg, runKernelCases } from "./client.ts";
export type { FromSpecOptions } from "./from-spec.ts";
export { toKernelCase } from "./from-spec.ts";
export type { BpfProbe } from "./probe.ts";
export { isBpfAllowed, probeBpf } from "./probe.ts";
