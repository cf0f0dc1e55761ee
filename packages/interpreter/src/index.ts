export type { CommandOptions, StepperOptions } from "./debug/stepper.ts";
export { Stepper } from "./debug/stepper.ts";
export type {
  Breakpoint,
  BreakpointOptions,
  Predicate,
  StepView,
  StopReason,
  Watchpoint,
  WatchTarget,
} from "./debug/stops.ts";
export { interpreter } from "./engine.ts";
