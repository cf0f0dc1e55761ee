import type { LinearMemory } from "@tsbpf/memory";
import type { RecordForm } from "../scan/spreader.ts";
import type { Lanes } from "./lanes.ts";
import { whenChanged } from "./wait.ts";

/** A part of a capture whose records the CPUs find themselves, as far as they are plain. */
export interface Stretch {
  /** Index of the capture. */
  readonly capture: number;
  /** Where its first record lies in the file. */
  readonly position: number;
  /** The slot that its first chunk goes to. */
  readonly firstSeq: number;
  /** CPU of its first packet when they take turns; negative when flows decide. */
  readonly nextCpu: number;
  readonly form: RecordForm;
}

/** Where records begin: behind so many packets of the stretch. */
export interface Place {
  /** In the file. */
  readonly position: number;
  readonly packets: number;
}

/** How a stretch ended: with something that is not plain, or with the file. */
export interface StretchEnd extends Place {
  /** Its last slot. */
  readonly lastSeq: number;
}

/** Words, each in a cache line of its own. */
const NUMBER = 0;
const CLAIM = 16;
const STOPPED = 32;
const LEFT = 48;
const ABORTED = 64;
/** Doubles that say what the stretch is; bytes from the start. */
const FIELDS = 384;
/** Where records begin: a word for the slot and two doubles, for each slot of the ring. */
const PLACES = 512;
const PLACE_BYTES = 64;

const RUNS = -1;

/**
 * What the CPUs agree upon while they read a stretch of a capture together. A CPU that takes the next slot reads that
 * slot's chunk; where the first record in it begins it learns from who has the chunk before.
 *
 * Every thread makes the object over the same addresses.
 */
export class Stretches {
  private readonly memory: LinearMemory;
  private readonly lanes: Lanes;
  private readonly at: number;

  constructor(memory: LinearMemory, lanes: Lanes) {
    this.memory = memory;
    this.lanes = lanes;
    this.at = memory.allocRaw(PLACES + lanes.slotCount * PLACE_BYTES, 64);
  }

  /** Lets the CPUs read. The one before, if there was one, has ended. */
  begin({ capture, position, firstSeq, nextCpu, form }: Stretch): void {
    const { isLittle, plainBytesMax, fractionEnd, nsPerFraction, bootSec } = form;
    const fields = [
      ...[capture, position, firstSeq, nextCpu],
      ...[isLittle ? 1 : 0, plainBytesMax, fractionEnd, nsPerFraction, bootSec],
    ];
    fields.forEach((value, idx) => {
      this.memory.view.setFloat64(this.at + FIELDS + 8 * idx, value, true);
    });
    this.store(LEFT, 0);
    this.store(CLAIM, firstSeq);
    this.store(STOPPED, RUNS);
    this.pass(firstSeq - 1, { position, packets: 0 });
    this.store(NUMBER, this.number + 1);
    this.lanes.signal();
  }

  /** Resolves when all CPUs have stopped reading. */
  async whenEnded(): Promise<StretchEnd> {
    const { cpuCount } = this.lanes;
    const { i32 } = this.memory;
    const word = (this.at >>> 2) + LEFT;
    for (let left = Atomics.load(i32, word); left !== cpuCount; left = Atomics.load(i32, word)) {
      await whenChanged(i32, word, left);
    }
    const lastSeq = this.load(STOPPED);
    return { lastSeq, ...this.placeAfter(lastSeq) };
  }

  /** Makes the CPUs stop reading as soon as they can, now and in all stretches that follow. */
  abort(): void {
    this.store(ABORTED, 1);
  }
  get isAborted(): boolean {
    return this.load(ABORTED) !== 0;
  }

  /** How far reading has come in the file, about. */
  get position(): number {
    const seq = this.load(CLAIM) - 1;
    return this.has(seq) ? this.placeAfter(seq).position : 0;
  }

  /** Counts stretches. */
  get number(): number {
    return this.load(NUMBER);
  }

  /** The stretch at hand. */
  get current(): Stretch {
    const [capture, position, firstSeq, nextCpu, isLittle, ...form] = Array.from({ length: 9 }, (_, idx) =>
      this.memory.view.getFloat64(this.at + FIELDS + 8 * idx, true),
    ) as [number, number, number, number, number, number, number, number, number];
    const [plainBytesMax, fractionEnd, nsPerFraction, bootSec] = form;
    return {
      capture,
      position,
      firstSeq,
      nextCpu,
      form: { isLittle: isLittle !== 0, plainBytesMax, fractionEnd, nsPerFraction, bootSec },
    };
  }

  /** Whether its last slot is known. */
  get isStopped(): boolean {
    return this.load(STOPPED) !== RUNS;
  }

  /**
   * Takes the next slot to fill, unless it is not free or lies too far ahead.
   *
   * @param end - slots from here on are too far.
   */
  claim(end: number): number | undefined {
    const seq = this.load(CLAIM);
    if (seq >= end || !this.lanes.isFree(seq)) return undefined;
    const { i32 } = this.memory;
    return Atomics.compareExchange(i32, (this.at >>> 2) + CLAIM, seq, seq + 1) === seq ? seq : undefined;
  }

  /** Waits until it is known where the records of a slot begin; undefined when the stretch ends before. */
  waitForPlace(seq: number): Place | undefined {
    for (;;) {
      const { event } = this.lanes;
      const last = this.load(STOPPED);
      if (last !== RUNS && last < seq) return undefined;
      if (this.has(seq - 1)) return this.placeAfter(seq - 1);
      this.lanes.sleep(event);
    }
  }

  /** Says where the records behind those of a slot begin. */
  pass(seq: number, { position, packets }: Place): void {
    const at = this.placeAddress(seq);
    this.memory.view.setFloat64(at + 8, position, true);
    this.memory.view.setFloat64(at + 16, packets, true);
    Atomics.store(this.memory.i32, at >>> 2, seq + 2);
    this.lanes.signal();
  }

  /** Says that a slot is the last one, and where its records end. */
  stop(seq: number, place: Place): void {
    // Who waits for the place behind sees first that there is nothing.
    this.store(STOPPED, seq);
    this.pass(seq, place);
  }

  /** Says that a CPU reads no more. */
  leave(): void {
    const { i32 } = this.memory;
    const word = (this.at >>> 2) + LEFT;
    if (Atomics.add(i32, word, 1) + 1 === this.lanes.cpuCount) Atomics.notify(i32, word);
  }

  private has(seq: number): boolean {
    return Atomics.load(this.memory.i32, this.placeAddress(seq) >>> 2) === seq + 2;
  }
  private placeAfter(seq: number): Place {
    const at = this.placeAddress(seq);
    const { view } = this.memory;
    return { position: view.getFloat64(at + 8, true), packets: view.getFloat64(at + 16, true) };
  }
  private placeAddress(seq: number): number {
    const { slotCount } = this.lanes;
    return this.at + PLACES + ((seq + slotCount) % slotCount) * PLACE_BYTES;
  }
  private load(word: number): number {
    return Atomics.load(this.memory.i32, (this.at >>> 2) + word);
  }
  private store(word: number, value: number): void {
    Atomics.store(this.memory.i32, (this.at >>> 2) + word, value);
  }
}
