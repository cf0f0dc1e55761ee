import type { LinearMemory } from "@tsbpf/memory";
import type { ByteFile } from "../io.ts";
import { FRAME_BYTES_MAX, SCAN_STOP } from "../scan/config.ts";
import { Spreader } from "../scan/spreader.ts";
import { CHUNK_BYTES, type Lanes, SLOT_PACKETS_MAX } from "./lanes.ts";
import type { Stretch, Stretches } from "./stretches.ts";

/** Slots that may be filled before a CPU has run its part of the first of them. */
const AHEAD = 3;
/** Bytes behind a chunk that are read with it: most packets that straddle its end are whole then. */
const MORE_BYTES = 2048;
/** Bytes behind a chunk that its last record may need. */
const REST_BYTES_MAX = 16 + FRAME_BYTES_MAX;

/** Opens captures for reading at any place; on a thread of its own. */
export type OpenFile = (path: string) => Promise<ByteFile | undefined>;

export interface ReaderParts {
  readonly memory: LinearMemory;
  readonly lanes: Lanes;
  readonly stretches: Stretches;
  readonly captures: readonly string[];
  readonly open: OpenFile;
  /** Whether the program asks for the time of each packet. */
  readonly needsTimes: boolean;
}

/** A file that is read, and what is read of it. */
interface Source {
  readonly stretch: Stretch;
  readonly file: ByteFile;
}

/** A chunk of a file: `count` of its bytes have been read. */
interface Chunk {
  readonly file: ByteFile;
  readonly position: number;
  readonly bytes: Uint8Array;
  readonly count: number;
}

/** Takes part in reading captures: one CPU's share of it. */
export class StretchReader {
  /** Packets that it found cut short. */
  cutShort = 0;
  private readonly parts: ReaderParts;
  private readonly spreader: Spreader;
  private readonly files = new Map<number, ByteFile>();
  private source: Source | undefined;
  private joined = 0;

  /** Allocates some memory, so nothing may run on it meanwhile. */
  constructor(parts: ReaderParts) {
    this.parts = parts;
    this.spreader = new Spreader(parts.memory, parts.lanes.cpuCount, SLOT_PACKETS_MAX);
  }

  /** Whether there is a stretch that it has not joined yet. */
  get isAwaited(): boolean {
    return this.parts.stretches.number !== this.joined;
  }

  /** Begins to take part in the stretch at hand. @throws what opening its file throws. */
  async join(): Promise<void> {
    const { stretches, captures, open } = this.parts;
    this.joined = stretches.number;
    const stretch = stretches.current;
    let file = this.files.get(stretch.capture);
    if (file === undefined) {
      file = await open(captures[stretch.capture] ?? "");
      if (file === undefined) throw new Error(`${captures[stretch.capture]} is no file any more`);
      this.files.set(stretch.capture, file);
    }
    this.spreader.describe(stretch.form);
    this.source = { stretch, file };
  }

  /**
   * Fills a slot if there is one to fill.
   *
   * @param seq - the slot that its CPU runs next.
   * @returns whether it did.
   */
  step(seq: number): boolean {
    const { source } = this;
    const { stretches, lanes } = this.parts;
    if (source === undefined) return false;
    if (stretches.isStopped) {
      this.source = undefined;
      stretches.leave();
      return false;
    }
    const claimed = stretches.claim(seq + Math.min(AHEAD, lanes.slotCount - 1));
    if (claimed === undefined) return false;
    this.fill(source, claimed);
    return true;
  }

  async close(): Promise<void> {
    for (const file of this.files.values()) await file.close();
  }

  private fill({ stretch, file }: Source, seq: number): void {
    const { memory, lanes, stretches } = this.parts;
    const { spreader } = this;
    const position = stretch.position + (seq - stretch.firstSeq) * CHUNK_BYTES;
    const bytes = memory.bytesAt(lanes.chunkAddress(seq), CHUNK_BYTES + REST_BYTES_MAX);
    const count = file.readAt(bytes.subarray(0, CHUNK_BYTES + MORE_BYTES), position);
    const from = stretches.waitForPlace(seq);
    if (from === undefined) return;
    const { nextCpu } = stretch;
    spreader.begin(nextCpu < 0 ? nextCpu : (nextCpu + from.packets) % lanes.cpuCount);
    const start = from.position - position;
    const { at, goesOn } = stretches.isAborted
      ? { at: start, goesOn: false }
      : this.walk({ file, position, bytes, count }, start);
    const place = { position: position + at, packets: from.packets + spreader.count };
    if (goesOn) stretches.pass(seq, place);
    else stretches.stop(seq, place);
    this.place(seq);
    lanes.publish(seq);
  }

  /** Finds the records of a chunk from `at` on; they end within, with the file or with one that is not plain, or go on. */
  private walk({ file, position, bytes, count }: Chunk, at: number): { at: number; goesOn: boolean } {
    const base = bytes.byteOffset;
    for (let start = at, end = count; ; ) {
      const found = this.spreader.walk({ start: base + start, limit: base + CHUNK_BYTES, end: base + end });
      start = found.at - base;
      if (found.reason === SCAN_STOP.limit) return { at: start, goesOn: true };
      const more = found.reason === SCAN_STOP.bytes ? file.readAt(bytes.subarray(end), position + end) : 0;
      if (more === 0) return { at: start, goesOn: false };
      end += more;
    }
  }

  /** Describes what was found. */
  private place(seq: number): void {
    const { lanes, needsTimes } = this.parts;
    const { spreader } = this;
    const places = { desc: lanes.descAddress(seq), times: needsTimes ? lanes.timesAddress(seq) : 0 };
    spreader.place(places, (cpu, start) => lanes.setStart(seq, cpu, start));
    lanes.setOdd(seq, spreader.small > 0);
    this.cutShort += spreader.cutShort;
  }
}
