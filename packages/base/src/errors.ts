/** Facts of an error or reject, readable by programs; values print as decimal, or hex where the text says so. */
export type Details = Readonly<Record<string, unknown>>;

export interface ErrorOptions {
  readonly details?: Details;
  readonly cause?: unknown;
}

/** The root of everything tsbpf throws: a stable `code` beside the text. */
export abstract class TsbpfError extends Error {
  readonly code: string;
  readonly details: Details;

  constructor(code: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.details = options.details ?? {};
  }

  /** Returns the one line that a person needs: the code and the text. */
  summary(): string {
    return `${this.code}: ${this.message}`;
  }
}

/** A file, text or option that cannot be used as it is. */
export class InputError extends TsbpfError {}

/** Something valid that this version does not handle; names what has it. */
export class UnsupportedError extends InputError {}

/** The verifier's "no", for callers that want it thrown; normally it stays inside a verdict. */
export class RejectError extends TsbpfError {}

/** The end of a run by rule: bounds, budget, depth. */
export class TrapError extends TsbpfError {}

/** An invariant of tsbpf itself broke. */
export class BugError extends TsbpfError {
  constructor(code: string, message: string, options: ErrorOptions = {}) {
    super(code, `${message} (this is a bug in tsbpf, please report it)`, options);
  }
}

/**
 * Asserts what the code around it relies on.
 *
 * @throws BUG_INVARIANT (BugError) when `condition` is false.
 */
export function invariant(condition: boolean, message: string, details?: Details): asserts condition {
  if (!condition) throw new BugError("BUG_INVARIANT", message, details === undefined ? {} : { details });
}

/** Ends an exhaustive branch; the compiler proves it is never reached. */
export function unreachable(value: never): never {
  throw new BugError("BUG_UNREACHABLE", `unexpected value ${String(value)}`);
}
