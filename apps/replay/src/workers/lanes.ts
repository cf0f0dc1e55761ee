import { PACKET_DESC } from "@tsbpf/jit";
import type { LinearMemory } from "@tsbpf/memory";
import { whenChanged } from "./wait.ts";

/** Bytes of a capture that one slot holds at once: a core's cache has room for all slots. */
export const CHUNK_BYTES = 1 << 17;
/** No program type takes a packet of more bytes; of longer ones no more is kept. */
export const KEPT_BYTES_MAX = 1 << 17;
/** Packets that straddle two chunks and frames that were made anew, which are smaller than their records, lie here. */
export const SPARE_BYTES = CHUNK_BYTES + 4 * KEPT_BYTES_MAX;
/** A chunk cannot hold more: a record has 16 bytes at least; one may straddle its start. */
export const SLOT_PACKETS_MAX = CHUNK_BYTES / 16 + 2;

/** Control words, each in a cache line of its own. */
const EVENT = 0;
const END = 16;
const SLEEPERS = 32;
const CONTROL_WORDS = 48;

/** Words at the start of a slot. */
const PUBLISHED = 0;
const REMAINING = 1;
const ODD = 2;
const STARTS = 3;

const NO_END = -1;
const PAGE = 4096;

/**
 * What the threads of a replay pass to each other in the linear memory that they share: a ring of slots. A slot is
 * filled with a stretch of the capture and, for each CPU, the descriptors of its packets in the order of the capture;
 * each CPU takes its part of every slot, in order, and the last one gives the slot back. Who fills it is the CPUs'
 * own business where they can read the capture, the main thread's elsewhere.
 *
 * Every thread makes the object over the same addresses.
 */
export class Lanes {
  readonly cpuCount: number;
  readonly slotCount: number;
  private readonly memory: LinearMemory;
  private readonly control: number;
  private readonly slots: number;
  private readonly slotBytes: number;
  private readonly headBytes: number;

  constructor(memory: LinearMemory, cpuCount: number) {
    this.memory = memory;
    this.cpuCount = cpuCount;
    // Few slots, so that what they hold stays in the cores' caches.
    this.slotCount = cpuCount + 2;
    this.headBytes = Math.ceil(((STARTS + cpuCount + 1) * 4) / PAGE) * PAGE;
    this.slotBytes = this.headBytes + CHUNK_BYTES + SPARE_BYTES + SLOT_PACKETS_MAX * (PACKET_DESC.bytes + 8);
    this.control = memory.allocRaw(CONTROL_WORDS * 4, PAGE);
    this.slots = memory.allocRaw(this.slotCount * this.slotBytes, PAGE);
  }

  /** Makes the lanes empty; the main thread does so before the others look. */
  reset(): void {
    this.put(this.control + END * 4, NO_END);
  }

  /** Address of the stretch of the capture that a slot holds; the spare bytes follow. */
  chunkAddress(seq: number): number {
    return this.slotAddress(seq) + this.headBytes;
  }
  spareAddress(seq: number): number {
    return this.chunkAddress(seq) + CHUNK_BYTES;
  }
  /** Address of the descriptors of a slot. */
  descAddress(seq: number): number {
    return this.spareAddress(seq) + SPARE_BYTES;
  }
  /** Address of a double for each descriptor: nanoseconds since boot. */
  timesAddress(seq: number): number {
    return this.descAddress(seq) + SLOT_PACKETS_MAX * PACKET_DESC.bytes;
  }

  /** Where the packets of a CPU start among the descriptors of a slot; of one past the last CPU, where they end. */
  startOf(seq: number, cpu: number): number {
    return this.get(this.slotAddress(seq) + (STARTS + cpu) * 4);
  }
  setStart(seq: number, cpu: number, start: number): void {
    this.put(this.slotAddress(seq) + (STARTS + cpu) * 4, start);
  }

  /** Whether some packets of the slot must be run one by one. */
  isOdd(seq: number): boolean {
    return this.get(this.slotAddress(seq) + ODD * 4) !== 0;
  }
  setOdd(seq: number, isOdd: boolean): void {
    this.put(this.slotAddress(seq) + ODD * 4, isOdd ? 1 : 0);
  }

  /** Says whether every CPU is done with what a slot held before. */
  isFree(seq: number): boolean {
    return Atomics.load(this.memory.i32, (this.slotAddress(seq) >>> 2) + REMAINING) === 0;
  }

  /** Resolves when every CPU is done with what a slot held before. */
  async whenFree(seq: number): Promise<void> {
    const { i32 } = this.memory;
    const at = (this.slotAddress(seq) >>> 2) + REMAINING;
    for (let left = Atomics.load(i32, at); left !== 0; left = Atomics.load(i32, at)) {
      await whenChanged(i32, at, left);
    }
  }

  /** Hands a filled slot to the CPUs. */
  publish(seq: number): void {
    const at = this.slotAddress(seq) >>> 2;
    Atomics.store(this.memory.i32, at + REMAINING, this.cpuCount);
    Atomics.store(this.memory.i32, at + PUBLISHED, seq + 1);
    this.signal();
  }

  /** Whether a slot is filled. */
  isPublished(seq: number): boolean {
    return Atomics.load(this.memory.i32, (this.slotAddress(seq) >>> 2) + PUBLISHED) === seq + 1;
  }

  /** Says that no slots follow those below `seq`. */
  end(seq: number): void {
    Atomics.store(this.memory.i32, (this.control >>> 2) + END, seq);
    this.signal();
  }

  /** Whether a slot will never be filled. */
  isPastEnd(seq: number): boolean {
    const end = Atomics.load(this.memory.i32, (this.control >>> 2) + END);
    return end !== NO_END && seq >= end;
  }

  /** Says that a CPU is done with its part of a slot. */
  finish(seq: number): void {
    const { i32 } = this.memory;
    const at = (this.slotAddress(seq) >>> 2) + REMAINING;
    if (Atomics.sub(i32, at, 1) !== 1) return;
    Atomics.notify(i32, at);
    this.signal();
  }

  /** A number that changes with everything that CPUs may wait for. */
  get event(): number {
    return Atomics.load(this.memory.i32, (this.control >>> 2) + EVENT);
  }

  /** Sleeps until something happens, unless it has since the number was taken. */
  sleep(event: number): void {
    const { i32 } = this.memory;
    const at = this.control >>> 2;
    Atomics.add(i32, at + SLEEPERS, 1);
    Atomics.wait(i32, at + EVENT, event);
    Atomics.sub(i32, at + SLEEPERS, 1);
  }

  /** Wakes the CPUs that sleep. */
  signal(): void {
    const { i32 } = this.memory;
    const at = this.control >>> 2;
    Atomics.add(i32, at + EVENT, 1);
    // Waking nobody costs microseconds. Who goes to sleep after this look sees the event first.
    if (Atomics.load(i32, at + SLEEPERS) !== 0) Atomics.notify(i32, at + EVENT);
  }

  private slotAddress(seq: number): number {
    return this.slots + (seq % this.slotCount) * this.slotBytes;
  }
  private get(address: number): number {
    return this.memory.i32[address >>> 2] as number;
  }
  private put(address: number, value: number): void {
    this.memory.i32[address >>> 2] = value;
  }
}
