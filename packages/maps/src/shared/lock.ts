import { MAP_HEADER } from "@tsbpf/abi";
import { type LinearMemory, sleepOn } from "@tsbpf/memory";

/** States of the lock word: the last one also says that somebody sleeps. */
const FREE = 0;
const HELD = 1;
const AWAITED = 2;

/** Looks at a held lock before its taker sleeps: holders are done in less than a microsecond unless they are preempted. */
const SPINS = 200;
/** Wakes a sleeper whose holder is gone, so that it can be ended. */
const SLEEP_MS = 50;

/**
 * A lock in a map's header that one of several threads holds at a time.
 *
 * It is not re-entrant: what runs under it calls no program and no other map.
 */
export class MapLock {
  private readonly memory: LinearMemory;
  private readonly at: number;

  /** @param header - address of the map's header. */
  constructor(memory: LinearMemory, header: number) {
    this.memory = memory;
    this.at = (header + MAP_HEADER.lock) >>> 2;
  }

  take(): void {
    const { i32 } = this.memory;
    if (Atomics.compareExchange(i32, this.at, FREE, HELD) !== FREE) this.takeSlowly(i32);
  }

  give(): void {
    const { i32 } = this.memory;
    if (Atomics.exchange(i32, this.at, FREE) === AWAITED) Atomics.notify(i32, this.at, 1);
  }

  private takeSlowly(i32: Int32Array): void {
    for (let i = 0; i < SPINS; i++) {
      if (Atomics.load(i32, this.at) !== FREE) continue;
      if (Atomics.compareExchange(i32, this.at, FREE, HELD) === FREE) return;
    }
    // Whoever has slept does not know whether others sleep too, so it wakes one when it gives the lock back.
    while (Atomics.exchange(i32, this.at, AWAITED) !== FREE)
      sleepOn(i32, this.at, { value: AWAITED, ms: SLEEP_MS });
  }
}
