export type { BothCase, BothOutcomes, Outcome } from "./both-engines.ts";
export { bothEngines, loadFor } from "./both-engines.ts";
export type { BpftCase, BpftExpectation, BpftPlace } from "./bpft.ts";
export { parseBpft } from "./bpft.ts";
export type { BpftOutcome } from "./bpft-run.ts";
export { compareWithKernel, runBpft, toKernelQuestion } from "./bpft-run.ts";
export type { ExploredStates, SoundnessOptions, SoundnessViolation } from "./soundness.ts";
export { exploreStates, SoundnessOracle } from "./soundness.ts";
