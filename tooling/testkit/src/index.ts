export type { BothCase, BothOutcomes, Outcome } from "./both-engines.ts";
export { bothEngines, loadFor } from "./both-engines.ts";
export type { ExploredStates, SoundnessOptions, SoundnessViolation } from "./soundness.ts";
export { exploreStates, SoundnessOracle } from "./soundness.ts";
