import { PACKET_DESC } from "@tsbpf/jit";
import type { LinearMemory } from "@tsbpf/memory";
import { KEPT_BYTES_MAX, type Lanes, SLOT_PACKETS_MAX, SPARE_BYTES } from "./lanes.ts";

/** Smallest and largest frame that may lie in a batch; others run one by one, so that they can be refused. */
const FRAME_BYTES_MIN = 14;
const FRAME_BYTES_MAX = 65_535;

const WORDS = PACKET_DESC.bytes / 4;

/** What a packet is handed on with. */
export interface PacketNote {
  readonly cpu: number;
  readonly ifindex: number;
  readonly queue: number;
  /** Since boot. */
  readonly timeNs: number;
}

/** Collects the packets of a slot and sorts their descriptors by CPU. */
export class SlotWriter {
  private readonly memory: LinearMemory;
  private readonly lanes: Lanes;
  private readonly addresses = new Uint32Array(SLOT_PACKETS_MAX);
  private readonly lengths = new Uint32Array(SLOT_PACKETS_MAX);
  private readonly cpus = new Uint16Array(SLOT_PACKETS_MAX);
  private readonly ifindexes = new Uint32Array(SLOT_PACKETS_MAX);
  private readonly queues = new Uint32Array(SLOT_PACKETS_MAX);
  private readonly times = new Float64Array(SLOT_PACKETS_MAX);
  private count = 0;
  private seq = 0;
  private spareUsed = 0;
  private isOdd = false;

  constructor(memory: LinearMemory, lanes: Lanes) {
    this.memory = memory;
    this.lanes = lanes;
  }

  open(seq: number): void {
    this.seq = seq;
    this.count = 0;
    this.spareUsed = 0;
    this.isOdd = false;
  }

  /**
   * Adds a packet, in place where its bytes lie in the shared memory.
   *
   * @returns false when the slot has no room for it.
   */
  add(bytes: Uint8Array, offset: number, length: number, note: PacketNote): boolean {
    const { memory, count } = this;
    if (count === SLOT_PACKETS_MAX) return false;
    let address = bytes.byteOffset + offset;
    if (bytes.buffer !== memory.u8.buffer) {
      const kept = Math.min(length, KEPT_BYTES_MAX);
      if (this.spareUsed + kept > SPARE_BYTES) return false;
      address = this.lanes.spareAddress(this.seq) + this.spareUsed;
      memory.u8.set(bytes.subarray(offset, offset + kept), address);
      this.spareUsed += kept;
    }
    this.addresses[count] = address;
    this.lengths[count] = length;
    this.cpus[count] = note.cpu;
    this.ifindexes[count] = note.ifindex;
    this.queues[count] = note.queue;
    this.times[count] = note.timeNs;
    if (length < FRAME_BYTES_MIN || length > FRAME_BYTES_MAX) this.isOdd = true;
    this.count = count + 1;
    return true;
  }

  /** Writes the descriptors, those of CPU 0 first, each CPU's in the order in which they were added. */
  close(): void {
    const { lanes, seq, count, cpus } = this;
    const next = new Uint32Array(lanes.cpuCount + 1);
    for (let i = 0; i < count; i++) {
      const at = (cpus[i] as number) + 1;
      next[at] = (next[at] as number) + 1;
    }
    let start = 0;
    for (let cpu = 0; cpu <= lanes.cpuCount; cpu++) {
      start += next[cpu] as number;
      next[cpu] = start;
      lanes.setStart(seq, cpu, start);
    }
    lanes.setOdd(seq, this.isOdd);
    this.place(next);
  }

  private place(next: Uint32Array): void {
    const { lanes, seq, count, memory } = this;
    const words = memory.i32;
    const first = lanes.descAddress(seq) >>> 2;
    const times = new Float64Array(memory.u8.buffer, lanes.timesAddress(seq), SLOT_PACKETS_MAX);
    for (let i = 0; i < count; i++) {
      const cpu = this.cpus[i] as number;
      const idx = next[cpu] as number;
      next[cpu] = idx + 1;
      const at = first + idx * WORDS;
      const address = this.addresses[i] as number;
      words[at] = address;
      words[at + 1] = address + (this.lengths[i] as number);
      words[at + 2] = address;
      words[at + 3] = this.ifindexes[i] as number;
      words[at + 4] = this.queues[i] as number;
      words[at + 7] = 0;
      times[idx] = this.times[i] as number;
    }
  }
}
