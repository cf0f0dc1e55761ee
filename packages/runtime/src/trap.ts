import { BugError, type Details, TrapError, TsbpfError } from "@tsbpf/base";

/** Codes with which a run ends by rule; memory faults come from the one range check of `memory`. */
export const TRAP_CODES = [
  /** An access outside its region. */
  "RUN_BOUNDS",
  /** An access near address 0. */
  "RUN_NULL",
  /** An address with bits above 32. */
  "RUN_ADDRESS",
  "RUN_READ_ONLY",
  "RUN_WRITE_ONLY",
  /** More instructions than the run may execute. */
  "RUN_BUDGET",
  /** More frames than a program may have. */
  "RUN_DEPTH",
  /** A call of the kernel that has no implementation here. */
  "RUN_HELPER_MISSING",
  /** An argument that the helper's prototype does not allow. */
  "RUN_ARGUMENT",
  /** A helper implementation that threw. */
  "RUN_HELPER_THREW",
  /** A helper implementation that returned no integer. */
  "RUN_HELPER_RESULT",
  /** An indirect call or jump through a value that is no code address. */
  "RUN_CODE_ADDRESS",
  /** An atomic operation on an address that is not a multiple of its size. */
  "RUN_UNALIGNED",
  /** An instruction that cannot be executed where it stands. */
  "RUN_OPCODE",
] as const;
export type TrapCode = (typeof TRAP_CODES)[number];

/** Makes the end of a run by rule. */
export const trap = (code: TrapCode, text: string, details: Details = {}): TrapError =>
  new TrapError(code, text, { details });

/**
 * Unwinds a run on its host's behalf, e.g. when a debugger stops inside a callback. It passes through helpers and
 * engines untouched.
 */
export class RunSignal extends Error {}

/** Turns what a helper's implementation threw into the end of the run; traps, signals and our own bugs stay. */
export function helperThrew(thrown: unknown, helper: string): Error {
  if (thrown instanceof TrapError || thrown instanceof RunSignal || thrown instanceof BugError) return thrown;
  const text = thrown instanceof TsbpfError ? thrown.summary() : String(thrown);
  return new TrapError("RUN_HELPER_THREW", `${helper} ended with ${text}`, {
    details: { helper },
    cause: thrown,
  });
}

/** Where a run ended: the slot, its opcode byte, and the program's name. */
export interface TrapPlace {
  readonly slot: number;
  readonly op: number;
  readonly prog: string;
}

/**
 * Adds to a trap where the run ended, unless it says so already: the innermost frame is asked first, so an outer one
 * never overwrites its place.
 */
export function locateTrap(found: TrapError, place: TrapPlace): TrapError {
  if (found.details.slot !== undefined) return found;
  return new TrapError(found.code, `${found.message}, at slot ${place.slot}`, {
    details: { ...found.details, ...place },
    ...(found.cause === undefined ? {} : { cause: found.cause }),
  });
}
