import { PACKET_DESC } from "@tsbpf/jit";
import type { LinearMemory } from "@tsbpf/memory";
import type { PcapSpan } from "@tsbpf/trace";
import { CONFIG, FRAME_BYTES_MAX, instantiate, type ScanExports } from "./config.ts";

export { SCAN_STOP } from "./config.ts";

/** Verdicts that are counted by number. */
const TALLIED = 8;

/** Where one scan reads from and writes to; addresses. */
export interface ScanRange {
  readonly start: number;
  readonly end: number;
  readonly desc: number;
  readonly descEnd: number;
}

/** What a scan found; reused. */
export interface ScanResult {
  /** Where the next record starts. */
  at: number;
  /** One past the last descriptor. */
  descEnd: number;
  cutShort: number;
  /** One of `SCAN_STOP`. */
  reason: number;
}

/** Describes and counts packets of pcap files in generated code, without a step of JavaScript for each of them. */
export class Scanner {
  readonly result: ScanResult = { at: 0, descEnd: 0, cutShort: 0, reason: 0 };
  private readonly memory: LinearMemory;
  private readonly exports: ScanExports;
  private readonly config: number;
  private readonly table: number;

  /** Allocates some memory, so nothing may run on it meanwhile. */
  constructor(memory: LinearMemory) {
    this.memory = memory;
    this.exports = instantiate(memory);
    this.config = memory.allocRaw(CONFIG.bytes, 64);
    this.table = memory.allocRaw(TALLIED * 16, 64);
  }

  /** Says how the records of a file are written. */
  describe(span: PcapSpan): void {
    this.put(CONFIG.isSwapped, span.isLittle ? 0 : 1);
    this.put(CONFIG.plainBytesMax, Math.min(span.plainBytesMax, FRAME_BYTES_MAX));
    this.put(CONFIG.fractionEnd, span.fractionEnd);
  }

  /** Describes plain records. */
  scan({ start, end, desc, descEnd }: ScanRange): ScanResult {
    const { result } = this;
    result.at = this.exports.scan(this.config, start, end, desc, descEnd);
    result.descEnd = this.get(CONFIG.outEnd);
    result.cutShort = this.get(CONFIG.cutShort);
    result.reason = this.get(CONFIG.reason);
    return result;
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
