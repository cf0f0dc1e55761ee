import { PACKET_DESC } from "@tsbpf/jit";
import type { LinearMemory } from "@tsbpf/memory";
import type { PcapSpan } from "@tsbpf/trace";
import type { SpreadName } from "../spread/spread.ts";
import { SYMMETRIC_PARTS } from "../spread/toeplitz.ts";
import { SCAN_OWN, SCAN_SHARED } from "./scan.gen.ts";

/** Words of the block that tells the module what to do, then what it says of what it did. */
const CONFIG = {
  isSwapped: 0,
  plainBytesMax: 4,
  fractionEnd: 8,
  cpuCount: 12,
  spread: 16,
  nextCpu: 20,
  parts: 24,
  times: 28,
  nsPerFraction: 32,
  bootSec: 40,
  descEnd: 48,
  cutShort: 52,
  reason: 56,
  bytes: 64,
} as const;

/** Why a scan stopped. */
export const SCAN_STOP = {
  /** The next record is not whole. */
  bytes: 0,
  /** There is no room for another descriptor. */
  full: 1,
  /** The next record needs a closer look. */
  odd: 2,
} as const;

/** Frames of more bytes run one by one, so that program types can refuse them. */
const FRAME_BYTES_MAX = 65_535;
/** Verdicts that are counted by number. */
const TALLIED = 8;

const SPREAD_CODES: Readonly<Record<SpreadName, number>> = { flow: 1, "round-robin": 2, recorded: 0 };

interface Exports {
  scan(config: number, pos: number, end: number, desc: number, descEnd: number): number;
  count(desc: number, end: number, counts: number): void;
  sort(desc: number, end: number, to: number, places: number, times: number, timesTo: number): void;
  tally(desc: number, end: number, table: number): number;
}

export interface ScannerOptions {
  readonly cpuCount: number;
  /** Not `recorded`, of which pcap files know nothing. */
  readonly spread: SpreadName;
}

/** Where one scan reads from and writes to; addresses. */
export interface ScanRange {
  readonly start: number;
  readonly end: number;
  readonly desc: number;
  readonly descEnd: number;
  /** Of a double for each descriptor: nanoseconds since boot; 0 where nobody asks for the time. */
  readonly times: number;
}

/** What a scan found; reused. */
export interface ScanResult {
  /** Where the next record starts. */
  at: number;
  /** One past the last descriptor. */
  descEnd: number;
  cutShort: number;
  /** One of {@link SCAN_STOP}. */
  reason: number;
}

/** Describes and counts packets of pcap files in generated code, without a step of JavaScript for each of them. */
export class Scanner {
  readonly result: ScanResult = { at: 0, descEnd: 0, cutShort: 0, reason: 0 };
  private readonly memory: LinearMemory;
  private readonly exports: Exports;
  private readonly config: number;
  private readonly table: number;
  private readonly counts: number;
  private readonly cpuCount: number;

  /** Allocates some memory, so nothing may run on it meanwhile. */
  constructor(memory: LinearMemory, { cpuCount, spread }: ScannerOptions) {
    this.memory = memory;
    this.cpuCount = cpuCount;
    this.exports = instantiate(memory);
    this.config = memory.allocRaw(CONFIG.bytes, 64);
    this.table = memory.allocRaw(TALLIED * 16, 64);
    this.counts = memory.allocRaw((cpuCount + 1) * 4, 64);
    const parts = memory.allocRaw(SYMMETRIC_PARTS.byteLength, 64);
    memory.u8.set(new Uint8Array(SYMMETRIC_PARTS.buffer), parts);
    this.put(CONFIG.parts, parts);
    this.put(CONFIG.cpuCount, cpuCount);
    this.put(CONFIG.spread, cpuCount === 1 ? 0 : SPREAD_CODES[spread]);
  }

  /** Says how the records of a file are written. @param bootSec - second from which times count. */
  describe(span: PcapSpan, bootSec: number): void {
    const { view } = this.memory;
    this.put(CONFIG.isSwapped, span.isLittle ? 0 : 1);
    this.put(CONFIG.plainBytesMax, Math.min(span.plainBytesMax, FRAME_BYTES_MAX));
    this.put(CONFIG.fractionEnd, span.fractionEnd);
    view.setFloat64(this.config + CONFIG.nsPerFraction, span.nsPerFraction, true);
    view.setFloat64(this.config + CONFIG.bootSec, bootSec, true);
  }

  /** CPU that the next packet comes to when they take turns. */
  get nextCpu(): number {
    return this.get(CONFIG.nextCpu);
  }
  set nextCpu(cpu: number) {
    this.put(CONFIG.nextCpu, cpu);
  }

  /** Describes plain records; with several CPUs each descriptor's verdict is the CPU until `sort`. */
  scan({ start, end, desc, descEnd, times }: ScanRange): ScanResult {
    this.put(CONFIG.times, times);
    const { result } = this;
    result.at = this.exports.scan(this.config, start, end, desc, descEnd);
    result.descEnd = this.get(CONFIG.descEnd);
    result.cutShort = this.get(CONFIG.cutShort);
    result.reason = this.get(CONFIG.reason);
    return result;
  }

  /**
   * Copies descriptors and times, sorted by CPU.
   *
   * @returns index of each CPU's first descriptor, and of one past the last.
   */
  sort(from: ScanRange, to: { readonly desc: number; readonly times: number }): Uint32Array {
    const { counts, cpuCount } = this;
    const words = new Uint32Array(this.memory.u8.buffer, counts, cpuCount + 1);
    words.fill(0);
    this.exports.count(from.desc, from.descEnd, counts);
    const starts = new Uint32Array(cpuCount + 1);
    for (let cpu = 0, start = 0; cpu <= cpuCount; cpu++) {
      starts[cpu] = start;
      start += words[cpu] as number;
    }
    words.set(starts);
    this.exports.sort(from.desc, from.descEnd, to.desc, counts, from.times, to.times);
    return starts;
  }

  /**
   * Counts the verdicts of descriptors.
   *
   * @param onCount - told of each verdict below 8 with its packets and bytes, in the order of first occurrence.
   * @param onOther - told of the others, by address.
   */
  tally(
    desc: number,
    descEnd: number,
    onCount: (verdict: number, packets: number, bytes: number) => void,
    onOther: (desc: number) => void,
  ): void {
    const table = new Float64Array(this.memory.u8.buffer, this.table, 2 * TALLIED);
    for (let at = desc; at < descEnd; at += PACKET_DESC.bytes) {
      table.fill(0);
      const first = at;
      at = this.exports.tally(at, descEnd, this.table);
      this.report(first, at, table, onCount);
      if (at < descEnd) onOther(at);
    }
  }

  private report(
    desc: number,
    descEnd: number,
    table: Float64Array,
    onCount: (verdict: number, packets: number, bytes: number) => void,
  ): void {
    const { i32 } = this.memory;
    let left = 0;
    for (let verdict = 0; verdict < TALLIED; verdict++) if (table[2 * verdict] !== 0) left += 1;
    for (let at = desc; left > 0 && at < descEnd; at += PACKET_DESC.bytes) {
      const verdict = i32[(at + PACKET_DESC.verdict) >>> 2] as number;
      const packets = table[2 * verdict] as number;
      if (packets === 0) continue;
      onCount(verdict, packets, table[2 * verdict + 1] as number);
      table[2 * verdict] = 0;
      left -= 1;
    }
  }

  private get(offset: number): number {
    return this.memory.view.getUint32(this.config + offset, true);
  }
  private put(offset: number, value: number): void {
    this.memory.view.setUint32(this.config + offset, value, true);
  }
}

function instantiate(memory: LinearMemory): Exports {
  const bytes = Uint8Array.from(atob(memory.isShared ? SCAN_SHARED : SCAN_OWN), (char) => char.charCodeAt(0));
  const module = new WebAssembly.Module(bytes);
  return new WebAssembly.Instance(module, { e: { m: memory.wasm } }).exports as unknown as Exports;
}
