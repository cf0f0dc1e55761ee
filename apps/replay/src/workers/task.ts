import { BugError, InputError, RejectError, TrapError, TsbpfError, UnsupportedError } from "@tsbpf/base";
import type { Verdict } from "@tsbpf/verifier";
import type { SharedVm } from "@tsbpf/vm";
import type { LoadOptions } from "../run/load.ts";
import type { CpuTotals } from "./totals.ts";

/** What a worker is given: all that it needs to become a CPU of the main thread's VM. */
export interface WorkerTask {
  readonly cpu: number;
  readonly cpuCount: number;
  readonly options: LoadOptions;
  readonly objectBytes: Uint8Array;
  readonly shared: SharedVm;
  /** What the verifier said, by program name. */
  readonly verdicts: ReadonlyMap<string, Verdict | undefined>;
  /** Paths of the captures. */
  readonly captures: readonly string[];
}

/** What a worker ends with. */
export interface WorkerEnd {
  readonly totals: CpuTotals;
  /** Why it ended early. */
  readonly error?: PlainError;
}

/** An error as it can be sent: classes do not survive. */
export interface PlainError {
  readonly kind: keyof typeof KINDS | "other";
  readonly code: string;
  readonly message: string;
  readonly stack: string;
}

const KINDS = { InputError, RejectError, TrapError, BugError, UnsupportedError } as const;

/** Makes an error sendable. */
export function toPlainError(error: unknown): PlainError {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  if (!(error instanceof TsbpfError)) {
    return { kind: "other", code: "", message: String(error), stack };
  }
  const kind = (Object.keys(KINDS) as (keyof typeof KINDS)[]).findLast(
    (name) => error instanceof KINDS[name],
  );
  return { kind: kind ?? "other", code: error.code, message: error.message, stack };
}

/** Makes the error again. */
export function fromPlainError({ kind, code, message, stack }: PlainError): Error {
  const error = kind === "other" ? new Error(message) : new KINDS[kind](code, message);
  error.stack = stack;
  return error;
}
