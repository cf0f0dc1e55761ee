import { MAP_HEADER } from "@tsbpf/abi";
import type { LinearMemory } from "@tsbpf/memory";

/** States of the lock word: the last one also says that somebody sleeps. */
const FREE = 0;
const HELD = 1;
const AWAITED = 2;

/** Looks at a held lock before its taker sleeps: holders are done in less than a microsecond unless they are preempted. */
const SPINS = 200;
/** Wakes a sleeper whose holder is gone, so that it can be ended. */
const SLEEP_MS = 50;

/**
 * A lock in a map's header that one of several threads holds at a time, and the version that tells who looks without
 * it whether something changed meanwhile.
 *
 * It is not re-entrant: what runs under it calls no program and no other map.
 */
export class MapLock {
  private readonly memory: LinearMemory;
  private readonly at: number;
  private readonly versionAt: number;

  /** @param header - address of the map's header. */
  constructor(memory: LinearMemory, header: number) {
    this.memory = memory;
    this.at = (header + MAP_HEADER.lock) >>> 2;
    this.versionAt = (header + MAP_HEADER.version) >>> 2;
  }

  take(): void {
    const { i32 } = this.memory;
    if (Atomics.compareExchange(i32, this.at, FREE, HELD) !== FREE) this.takeSlowly(i32);
  }

  give(): void {
    const { i32 } = this.memory;
    if (Atomics.exchange(i32, this.at, FREE) === AWAITED) Atomics.notify(i32, this.at, 1);
  }

  /** Takes the lock to change what lookups read: the version is odd meanwhile. */
  takeToChange(): void {
    this.take();
    Atomics.add(this.memory.i32, this.versionAt, 1);
  }

  giveChanged(): void {
    Atomics.add(this.memory.i32, this.versionAt, 1);
    this.give();
  }

  private takeSlowly(i32: Int32Array): void {
    for (let i = 0; i < SPINS; i++) {
      if (Atomics.load(i32, this.at) !== FREE) continue;
      if (Atomics.compareExchange(i32, this.at, FREE, HELD) === FREE) return;
    }
    // Whoever has slept does not know whether others sleep too, so it wakes one when it gives the lock back.
    while (Atomics.exchange(i32, this.at, AWAITED) !== FREE) sleep(i32, this.at);
  }
}

function sleep(i32: Int32Array, at: number): void {
  try {
    Atomics.wait(i32, at, AWAITED, SLEEP_MS);
  } catch (error) {
    // The main thread of a page may not sleep; it looks again.
    if (!(error instanceof TypeError)) throw error;
  }
}
