import type { Repl } from "./repl.ts";
import type { Session } from "./session.ts";

export type VerbGroup = "program" | "run" | "stops" | "look" | "back" | "change" | "input" | "session";

/** What an argument of a verb may be completed with. */
export type Completion = "file" | "map" | "func" | "helper" | "verb" | "reg" | "prog" | "none";

/** One verb: help, completion and dispatch read this. */
export interface Verb {
  /** Without the dot. */
  readonly name: string;
  /** Other names, with a dot in front when typed. */
  readonly aliases?: readonly string[];
  /** gdb's words, typed without a dot. */
  readonly words?: readonly string[];
  readonly group: VerbGroup;
  /** Arguments, as in `[N]`. */
  readonly args?: string;
  readonly summary: string;
  readonly examples?: readonly string[];
  readonly completes?: Completion;
  /** Whether `.save` writes it down. */
  readonly isSaved?: boolean;
  /** Whether an empty line at a terminal repeats it. */
  readonly isRepeated?: boolean;
  /** Says whether the arguments go on with the next lines, until their brackets close. */
  isOpen?(args: string): boolean;
  run(session: Session, args: string, repl: Repl): Promise<void> | void;
}
