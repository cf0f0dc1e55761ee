import { InputError, joinU64, type TrapError, type U64 } from "@tsbpf/base";
import type { EngineProg, LinkedProg, Machine } from "@tsbpf/runtime";
import type { InterpreterProg } from "../prog.ts";

/** Why a stepper stands where it stands. */
export type StopReason =
  | { readonly kind: "start" }
  | { readonly kind: "step" }
  | { readonly kind: "breakpoint"; readonly id: number }
  | { readonly kind: "watchpoint"; readonly id: number; readonly before: bigint; readonly after: bigint }
  /** What the command waited for. */
  | { readonly kind: "until" }
  /** The command executed as many instructions as it may. */
  | { readonly kind: "limit" }
  | { readonly kind: "exit"; readonly r0: U64 }
  | { readonly kind: "trap"; readonly trap: TrapError };

/** The instruction that is about to run, for conditions. Valid only during the call. */
export interface StepView {
  readonly machine: Machine;
  readonly prog: LinkedProg;
  readonly slot: number;
  /** Frames in use, the running one included. */
  readonly depth: number;
  readonly insnCount: number;
  /** Value of rn. */
  reg(n: number): U64;
}

export type Predicate = (view: StepView) => boolean;

export interface BreakpointOptions {
  readonly slot: number;
  /** The program it belongs to; the one the stepper started with when omitted. */
  readonly prog?: EngineProg;
  /** Stops only when it holds. */
  readonly condition?: Predicate;
}

export interface Breakpoint {
  readonly id: number;
  readonly slot: number;
  readonly prog: InterpreterProg;
  readonly condition: Predicate | undefined;
}

/** What to watch: a register of the frame that runs now, or 1..8 bytes of memory, little endian. */
export type WatchTarget =
  | { readonly kind: "reg"; readonly reg: number }
  | { readonly kind: "memory"; readonly address: number; readonly bytes: number };

export interface Watchpoint {
  readonly id: number;
  readonly target: WatchTarget;
  /** The frame whose register is meant, as a depth. */
  readonly depth: number;
}

const REG_LAST = 10;
const WATCH_BYTES_MAX = 8;

/** @throws DEBUG_WATCH (InputError) when the target cannot be watched. */
export function checkWatch(target: WatchTarget): void {
  const isGood =
    target.kind === "reg"
      ? Number.isInteger(target.reg) && target.reg >= 0 && target.reg <= REG_LAST
      : Number.isInteger(target.bytes) && target.bytes >= 1 && target.bytes <= WATCH_BYTES_MAX;
  if (isGood) return;
  const text =
    target.kind === "reg"
      ? `register ${target.reg} found, 0..${REG_LAST} allowed`
      : `${target.bytes} bytes found, 1..${WATCH_BYTES_MAX} allowed`;
  throw new InputError("DEBUG_WATCH", text);
}

/** Says whether the registers at the moment are those of the frame that a watch means. */
export const isWatchable = (target: WatchTarget, depth: number, machine: Machine): boolean =>
  target.kind === "memory" || machine.depth === depth;

/** Reads what is watched; `regs` is where the registers are at the moment. */
export function watchedValue(target: WatchTarget, machine: Machine, regs: Int32Array): bigint {
  if (target.kind === "reg")
    return joinU64(regs[2 * target.reg] as number, regs[2 * target.reg + 1] as number);
  const { u8 } = machine.env.memory;
  let value = 0n;
  for (let i = target.bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(u8[target.address + i] ?? 0);
  return value;
}
