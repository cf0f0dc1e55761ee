import type { TrapError } from "@tsbpf/base";
import type { Effect } from "@tsbpf/plugin";

/** What one run decided. */
export interface Execution {
  /** The program's result, 0..2^64-1; 0 when it trapped. */
  readonly r0: bigint;
  /** Its low 32 bits, which is what the kernel looks at. */
  readonly retval: number;
  /** What the result means for the program type, e.g. `XDP_PASS`; the number when it has no name; `trap` after a trap. */
  readonly verdict: string;
  readonly effects: readonly Effect[];
  /** Instructions executed; a wide load counts as one. */
  readonly insnCount: number;
  /** Why the run ended early. */
  readonly trap?: TrapError;
}

/** What one run decided, and what it left of its input. */
export interface RunResult extends Execution {
  /** The packet afterwards; empty for program types without packets. */
  readonly packet: Uint8Array;
  /** The context afterwards, packet pointers as offsets. */
  readonly ctx: Uint8Array;
}
