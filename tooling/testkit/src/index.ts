export type { BothCase, BothOutcomes, Outcome } from "./both-engines.ts";
export { bothEngines, loadFor } from "./both-engines.ts";
