import type { SavedMemory } from "@tsbpf/memory";
import type { EngineProg } from "./engine.ts";
import type { Machine } from "./machine.ts";

/** A machine between two instructions, its memory included. Inert: it can be restored any number of times. */
export interface SavedMachine {
  readonly memory: SavedMemory;
  readonly regs: Int32Array;
  readonly frameWords: Int32Array;
  readonly callers: readonly (EngineProg | undefined)[];
  readonly current: EngineProg | undefined;
  readonly depth: number;
  readonly progBase: number;
  readonly tailCallCount: number;
  readonly insnCount: number;
  readonly budgetLeft: number;
  readonly effectCount: number;
  readonly runState: ReadonlyMap<string, unknown>;
  readonly vmState: ReadonlyMap<string, unknown>;
}

/**
 * Saves a machine that an engine left between two instructions, with registers in `machine.regs`.
 *
 * Maps keep their elements in memory and so come along. State that helpers keep in `runState` and `vmState` is copied
 * as far as it consists of plain data; other objects are kept as they are.
 *
 * @param earlier - a save of the same machine, whose unchanged memory pages are shared.
 */
export function saveMachine(machine: Machine, earlier?: SavedMachine): SavedMachine {
  const { env, frames } = machine;
  return {
    memory: env.memory.save(earlier?.memory),
    regs: machine.regs.slice(),
    frameWords: frames.words.slice(),
    callers: [...frames.callers],
    current: machine.current,
    depth: machine.depth,
    progBase: machine.progBase,
    tailCallCount: machine.tailCallCount,
    insnCount: machine.insnCount,
    budgetLeft: machine.budgetLeft,
    effectCount: machine.effects.length,
    runState: copyState(env.runState),
    vmState: copyState(env.vmState),
  };
}

/** Makes a machine and its memory what they were. Effects recorded since are dropped. */
export function restoreMachine(machine: Machine, saved: SavedMachine): void {
  const { env, frames } = machine;
  env.memory.restore(saved.memory);
  machine.regs.set(saved.regs);
  frames.words.set(saved.frameWords);
  saved.callers.forEach((caller, idx) => {
    frames.callers[idx] = caller;
  });
  machine.current = saved.current;
  machine.depth = saved.depth;
  machine.progBase = saved.progBase;
  machine.tailCallCount = saved.tailCallCount;
  machine.insnCount = saved.insnCount;
  machine.budgetLeft = saved.budgetLeft;
  if (machine.effects.length > saved.effectCount) machine.effects.length = saved.effectCount;
  putState(env.runState, saved.runState);
  putState(env.vmState, saved.vmState);
}

const copyState = (state: ReadonlyMap<string, unknown>): Map<string, unknown> =>
  new Map([...state].map(([name, value]) => [name, copyData(value)]));

function putState(state: Map<string, unknown>, saved: ReadonlyMap<string, unknown>): void {
  state.clear();
  for (const [name, value] of saved) state.set(name, copyData(value));
}

/** Copies plain data; instances of classes are returned as they are. */
function copyData(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyData);
  if (value instanceof Uint8Array) return value.slice();
  if (value instanceof Int32Array) return value.slice();
  if (value instanceof Map) return new Map([...value].map(([key, one]) => [key, copyData(one)]));
  if (value instanceof Set) return new Set(value);
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, copyData(one)]));
}
