import type { LinearMemory } from "./linear-memory.ts";

const HELD = 1;
/** Looks before who waits sleeps between them: holders are done in nanoseconds unless they are preempted. */
const SPINS = 1000;
const SLEEP_MS = 1;
const SLEEPS_MAX = 2000;

/**
 * Takes a lock of one word as Linux's `bpf_spin_lock`: 0 when free, 1 when held.
 *
 * @param address - of the word, a multiple of 4.
 * @returns false when nobody gave it back for some seconds, or, where no other thread could, at once.
 */
export function takeSpinLock(memory: LinearMemory, address: number): boolean {
  const { i32, isShared } = memory;
  const at = address >>> 2;
  if (Atomics.compareExchange(i32, at, 0, HELD) === 0) return true;
  if (!isShared) return false;
  for (let i = 0; i < SPINS; i++) {
    if (Atomics.load(i32, at) === 0 && Atomics.compareExchange(i32, at, 0, HELD) === 0) return true;
  }
  for (let i = 0; i < SLEEPS_MAX; i++) {
    sleepOn(i32, at, { value: HELD, ms: SLEEP_MS });
    if (Atomics.compareExchange(i32, at, 0, HELD) === 0) return true;
  }
  return false;
}

/** Gives the lock back. Nobody is woken, so that this costs no more than a store: who waits looks again soon. */
export function giveSpinLock(memory: LinearMemory, address: number): void {
  Atomics.store(memory.i32, address >>> 2, 0);
}

/** Sleeps for so many ms while a word holds a value, or until it is notified. A thread that may not sleep goes on. */
export function sleepOn(i32: Int32Array, at: number, { value, ms }: { value: number; ms: number }): void {
  try {
    Atomics.wait(i32, at, value, ms);
  } catch (error) {
    // The main thread of a page may not sleep; it looks again.
    if (!(error instanceof TypeError)) throw error;
  }
}
