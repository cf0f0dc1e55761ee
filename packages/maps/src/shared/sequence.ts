import { MAP_HEADER } from "@tsbpf/abi";
import type { LinearMemory } from "@tsbpf/memory";

/** Times that a reader looks again before it takes the lock. */
const TRIES = 3;

/**
 * The number in a map's header that every change makes odd at its start and even at its end: what a reader found
 * between two looks at the same even number is true, though it took no lock. Readers write nothing that other threads
 * read, so any number of them run at full speed.
 *
 * Changes begin and end under the map's lock.
 */
export class ChangeCount {
  private readonly memory: LinearMemory;
  private readonly at: number;
  /** This thread's own. */
  private readonly fence = new Int32Array(1);

  /** @param header - address of the map's header. */
  constructor(memory: LinearMemory, header: number) {
    this.memory = memory;
    this.at = (header + MAP_HEADER.changes) >>> 2;
  }

  begin(): void {
    Atomics.add(this.memory.i32, this.at, 1);
  }

  end(): void {
    Atomics.add(this.memory.i32, this.at, 1);
  }

  /** Returns an even number, or -1 when others keep changing the map. */
  get settled(): number {
    const { i32 } = this.memory;
    for (let i = 0; i < TRIES; i++) {
      const count = Atomics.load(i32, this.at);
      if ((count & 1) === 0) return count & 0x7fff_ffff;
    }
    return -1;
  }

  /** Whether nothing has changed since the number was taken; reads before this call stay before it. */
  isStill(count: number): boolean {
    // A plain load may pass an atomic one that follows it, but no atomic store.
    Atomics.add(this.fence, 0, 0);
    return (Atomics.load(this.memory.i32, this.at) & 0x7fff_ffff) === count;
  }
}
