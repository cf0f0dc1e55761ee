import type { LinearMemory } from "@tsbpf/memory";
import { cpuOfHash, TABLE_MASK } from "../spread/spread.ts";
import { SYMMETRIC_PARTS } from "../spread/toeplitz.ts";
import { CONFIG, FRAME_BYTES_MAX, instantiate, type ScanExports } from "./config.ts";

/** The address of a record and its CPU. */
const RECORD_BYTES = 8;

/** How the records of a pcap file are written, and when its packets were captured. */
export interface RecordForm {
  readonly isLittle: boolean;
  /** Records of more bytes need a closer look. */
  readonly plainBytesMax: number;
  /** Fractions of a second are below. */
  readonly fractionEnd: number;
  readonly nsPerFraction: number;
  /** Second since 1970 from which times count. */
  readonly bootSec: number;
}

/** Addresses of what a walk looks at. */
export interface WalkRange {
  readonly start: number;
  /** Records that begin from here on are not for this walk. */
  readonly limit: number;
  /** One past the last byte that is there. */
  readonly end: number;
}

/** Where packets are described; addresses. */
export interface Places {
  readonly desc: number;
  /** Of a double for each descriptor; 0 where nobody asks for the time. */
  readonly times: number;
}

/** Finds the records of pcap files in memory and describes them, sorted by CPU, in generated code. */
export class Spreader {
  /** Records that were found since `begin`. */
  count = 0;
  /** How many of them are cut short by the capture, and how many are too small for a frame. */
  cutShort = 0;
  small = 0;
  private readonly memory: LinearMemory;
  private readonly exports: ScanExports;
  private readonly cpuCount: number;
  private readonly recordsMax: number;
  private readonly config: number;
  private readonly records: number;
  private readonly counts: number;
  private nextCpu = 0;

  /** Allocates some memory, so nothing may run on it meanwhile. @param recordsMax - of one walk. */
  constructor(memory: LinearMemory, cpuCount: number, recordsMax: number) {
    this.memory = memory;
    this.cpuCount = cpuCount;
    this.recordsMax = recordsMax;
    this.exports = instantiate(memory);
    this.config = memory.allocRaw(CONFIG.bytes, 64);
    this.records = memory.allocRaw(recordsMax * RECORD_BYTES, 64);
    this.counts = memory.allocRaw(cpuCount * 4, 64);
    const table = Uint16Array.from({ length: TABLE_MASK + 1 }, (_, hash) => cpuOfHash(hash, cpuCount));
    const parts = memory.allocRaw(SYMMETRIC_PARTS.byteLength + table.byteLength, 64);
    memory.u8.set(new Uint8Array(SYMMETRIC_PARTS.buffer), parts);
    memory.u8.set(new Uint8Array(table.buffer), parts + SYMMETRIC_PARTS.byteLength);
    this.put(CONFIG.parts, parts);
    this.put(CONFIG.counts, this.counts);
    this.put(CONFIG.cpuCount, cpuCount);
  }

  /** Says how the records of a file are written. */
  describe(form: RecordForm): void {
    const { view } = this.memory;
    this.put(CONFIG.isSwapped, form.isLittle ? 0 : 1);
    this.put(CONFIG.plainBytesMax, Math.min(form.plainBytesMax, FRAME_BYTES_MAX));
    this.put(CONFIG.fractionEnd, form.fractionEnd);
    view.setFloat64(this.config + CONFIG.nsPerFraction, form.nsPerFraction, true);
    view.setFloat64(this.config + CONFIG.bootSec, form.bootSec, true);
  }

  /**
   * Forgets what was found.
   *
   * @param nextCpu - CPU of the next record when they take turns; negative when flows decide.
   */
  begin(nextCpu: number): void {
    this.nextCpu = nextCpu;
    this.count = 0;
    this.cutShort = 0;
    this.small = 0;
    new Int32Array(this.memory.u8.buffer, this.counts, this.cpuCount).fill(0);
  }

  /**
   * Finds plain records, chooses their CPUs, and adds them to those that were found.
   *
   * @returns where it stopped, and why, as `SCAN_STOP` says.
   */
  walk({ start, limit, end }: WalkRange): { readonly at: number; readonly reason: number } {
    const { records, recordsMax, nextCpu, cpuCount, count } = this;
    const out = records + count * RECORD_BYTES;
    const outEnd = records + recordsMax * RECORD_BYTES;
    const next = nextCpu < 0 ? nextCpu : (nextCpu + count) % cpuCount;
    const at = this.exports.walk(this.config, start, limit, end, out, outEnd, next);
    this.count += (this.get(CONFIG.outEnd) - out) / RECORD_BYTES;
    this.cutShort += this.get(CONFIG.cutShort);
    this.small += this.get(CONFIG.small);
    return { at, reason: this.get(CONFIG.reason) };
  }

  /**
   * Describes what was found, each CPU's packets in the order of the file.
   *
   * @param onStart - told where the packets of each CPU start among the descriptors, and those of one past the last.
   */
  place({ desc, times }: Places, onStart: (cpu: number, start: number) => void): void {
    const { exports, config, records, counts, cpuCount } = this;
    const words = new Int32Array(this.memory.u8.buffer, counts, cpuCount);
    let start = 0;
    for (let cpu = 0; cpu < cpuCount; cpu++) {
      const found = words[cpu] as number;
      words[cpu] = start;
      onStart(cpu, start);
      start += found;
    }
    onStart(cpuCount, start);
    exports.place(config, records, records + this.count * RECORD_BYTES, counts, desc, times);
  }

  private get(offset: number): number {
    return this.memory.view.getUint32(this.config + offset, true);
  }
  private put(offset: number, value: number): void {
    this.memory.view.setUint32(this.config + offset, value, true);
  }
}
