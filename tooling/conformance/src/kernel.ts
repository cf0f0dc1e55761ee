// The one place that reaches over to tooling/kernel: no package lists it as a dependency yet.
export type { KernelCase, KernelMap } from "../../kernel/src/index.ts";
export { isBpfAllowed, KernelClient, probeBpf, runKernelCases } from "../../kernel/src/index.ts";
