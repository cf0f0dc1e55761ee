import type { LinkedProg } from "./linked-prog.ts";
import type { Machine } from "./machine.ts";
import type { Target } from "./target.ts";

/** A load, store or atomic that is about to happen. */
export interface MemAccess {
  readonly slot: number;
  /** Address as the register and offset give it, low and high 32 bits. */
  readonly lo: number;
  readonly hi: number;
  readonly sizeBytes: number;
  readonly kind: "load" | "store" | "atomic";
}

/** A call that is about to happen, or has returned. */
export interface CallEvent {
  readonly prog: LinkedProg;
  readonly slot: number;
  readonly target: Target;
}

/**
 * Listeners of a run. A machine without hooks pays nothing: engines then take paths that never look.
 *
 * `regs` are the live registers, halves as in `Machine.regs`; a hook may read them. The jit honours `onCall` and
 * `onReturn` for calls that leave generated code, and nothing else.
 */
export interface RunHooks {
  /** Before each instruction. */
  onStep?(machine: Machine, prog: LinkedProg, slot: number, regs: Int32Array): void;
  /** Before each load, store and atomic, after `onStep`. */
  onMem?(machine: Machine, access: MemAccess, regs: Int32Array): void;
  /** Before a call of any kind; arguments are in r1..r5. */
  onCall?(machine: Machine, event: CallEvent, regs: Int32Array): void;
  /** After a helper or kfunc returned; the result is in r0. */
  onReturn?(machine: Machine, event: CallEvent, regs: Int32Array): void;
  /** When a bpf-to-bpf function, a callback or the program itself exits; `machine.depth` still counts its frame. */
  onExit?(machine: Machine, regs: Int32Array): void;
}
