import { decompressCapture, type PcapSpan, TraceCursor } from "@tsbpf/trace";
import type { ByteFile } from "../io.ts";
import { frameOf, takesLinkType } from "../run/frame.ts";
import { choose, countFailure, reportWarnings } from "../run/progress.ts";
import type { Session } from "../run/session.ts";
import type { Spread } from "../spread/spread.ts";
import { InputParser } from "../trace/input.ts";
import { CHUNK_BYTES, type Lanes } from "./lanes.ts";
import { findRecords, firstSec, HEAD_BYTES } from "./plain-file.ts";
import { SlotWriter } from "./slot-writer.ts";
import type { Stretch, StretchEnd, Stretches } from "./stretches.ts";

const GZIP_MAGIC = [0x1f, 0x8b] as const;
const RECORD_HEAD_BYTES = 16;
/** A stretch of fewer slots did not pay; more and more of the file is read here then before the next one. */
const SHORT_SLOTS = 16;
const CHUNKS_MAX = 64;
const TELL_MS = 100;

/** A capture that is being read. */
interface Input {
  readonly capture: string;
  readonly file: ByteFile;
  readonly parser: InputParser;
  readonly cursor: TraceCursor;
}

/**
 * Reads captures, chooses the CPU of each packet, and hands them on in slots. Files are read straight into the memory
 * that the CPUs share; only packets that straddle two stretches are copied there. What is plain in a file the CPUs
 * read themselves.
 */
export class Feeder {
  private readonly session: Session;
  private readonly lanes: Lanes;
  private readonly stretches: Stretches;
  private readonly spread: Spread;
  private readonly writer: SlotWriter;
  private seq = 0;
  private fed = 0;

  constructor(session: Session, lanes: Lanes, stretches: Stretches, spread: Spread) {
    this.session = session;
    this.lanes = lanes;
    this.stretches = stretches;
    this.spread = spread;
    this.writer = new SlotWriter(session.prog.memory, lanes);
  }

  /**
   * Hands on the packets of a capture.
   *
   * @param idx - of the capture, by which CPUs know it.
   * @returns false when no more are wanted.
   */
  async feed(capture: string, idx: number): Promise<boolean> {
    const file = await this.session.io.open(capture);
    if (file === undefined) return this.feedStream(capture);
    try {
      const head = new Uint8Array(HEAD_BYTES);
      const headBytes = file.readAt(head, 0);
      if (GZIP_MAGIC.every((byte, at) => head[at] === byte)) return await this.feedStream(capture);
      const plain = headBytes === HEAD_BYTES ? findRecords(this.session, this.spread, head) : undefined;
      const cursor = new TraceCursor();
      if (plain === undefined)
        return await this.feedFile({ capture, file, cursor, parser: this.createParser() });
      const { parser, span } = plain;
      file.seek(HEAD_BYTES);
      return await this.feedInTurns({ capture, file, cursor, parser }, idx, span);
    } finally {
      await file.close();
    }
  }

  /** Reads a file here from where it stands. */
  private async feedFile(input: Input): Promise<boolean> {
    const end = await this.feedChunks(input, Number.POSITIVE_INFINITY);
    if (end === "over") reportWarnings(this.session, input.capture, input.parser.warnings);
    return end === "over";
  }

  /** Lets the CPUs read what is plain, and reads here what is not. */
  private async feedInTurns(input: Input, idx: number, span: PcapSpan): Promise<boolean> {
    const { session, spread } = this;
    const { file, parser, cursor } = input;
    const bootSec = session.clock.bootSec(firstSec(span));
    let position = span.start;
    for (let chunks = 1; ; ) {
      const firstSeq = this.seq;
      const end = await this.readTogether(file, {
        capture: idx,
        position,
        firstSeq,
        nextCpu: spread.nextCpu ?? -1,
        form: { ...span, bootSec },
      });
      spread.pass?.(end.packets);
      if (session.isInterrupted) return false;
      if (end.position > position) {
        parser.skip(end.position - position, end.packets);
        file.seek(end.position);
      }
      chunks = this.seq - firstSeq < SHORT_SLOTS ? Math.min(2 * chunks, CHUNKS_MAX) : 1;
      cursor.index = -1;
      const fed = await this.feedChunks(input, chunks);
      if (fed !== "goes on") {
        if (fed === "over") reportWarnings(session, input.capture, parser.warnings);
        return fed === "over";
      }
      position = cursor.fileOffset + RECORD_HEAD_BYTES + cursor.capturedBytes;
    }
  }

  /** Lets the CPUs read until they stop, and shows how far they have come. */
  private async readTogether(file: ByteFile, stretch: Stretch): Promise<StretchEnd> {
    const { stretches, session } = this;
    const tell = (): void => {
      if (stretches.position > stretch.position) file.seek(stretches.position);
    };
    const timer = session.io.progress === undefined ? undefined : setInterval(tell, TELL_MS);
    try {
      stretches.begin(stretch);
      const end = await stretches.whenEnded();
      this.seq = end.lastSeq + 1;
      if (stretches.isAborted) session.isInterrupted = true;
      return end;
    } finally {
      clearInterval(timer);
    }
  }

  /**
   * Reads chunks here, at least so many; more when no packet ends in them.
   *
   * @returns whether the file is over, more of it is wanted, or the user wants no more.
   */
  private async feedChunks(input: Input, chunks: number): Promise<"over" | "goes on" | "done"> {
    const { file, parser, cursor } = input;
    for (let left = chunks; left > 0 || cursor.index < 0; left--) {
      await this.openSlot();
      const chunk = this.session.prog.memory.bytesAt(this.lanes.chunkAddress(this.seq), CHUNK_BYTES);
      const bytes = await file.read(chunk);
      if (bytes === 0) parser.end();
      else parser.push(chunk.subarray(0, bytes));
      const goesOn = await this.walk(input.capture, parser, cursor);
      this.publish();
      if (!goesOn) return "done";
      if (bytes === 0) return "over";
    }
    return "goes on";
  }

  /** Says that nothing follows. */
  end(): void {
    this.lanes.end(this.seq);
  }

  private createParser(): InputParser {
    return new InputParser({ strict: this.session.options.strict });
  }

  /** Reads what is no plain file: standard input, or what is compressed. Its packets are copied. */
  private async feedStream(capture: string): Promise<boolean> {
    const { io, options } = this.session;
    const parser = this.createParser();
    const cursor = new TraceCursor();
    const source = decompressCapture(io.read(capture), { strict: options.strict });
    await this.openSlot();
    let goesOn = true;
    for await (const chunk of source) {
      parser.push(chunk);
      goesOn = await this.walk(capture, parser, cursor);
      if (!goesOn) break;
    }
    if (goesOn) {
      parser.end();
      goesOn = await this.walk(capture, parser, cursor);
    }
    this.publish();
    reportWarnings(this.session, capture, [...source.warnings, ...parser.warnings]);
    return goesOn;
  }

  private async openSlot(): Promise<void> {
    await this.lanes.whenFree(this.seq);
    this.writer.open(this.seq);
  }

  private publish(): void {
    this.writer.close();
    this.lanes.publish(this.seq);
    this.seq += 1;
  }

  /** Takes all packets that the parser has; returns false when no more are wanted. */
  private async walk(capture: string, parser: InputParser, cursor: TraceCursor): Promise<boolean> {
    const { session } = this;
    const { options, io } = session;
    while (parser.next(cursor)) {
      const choice = choose(session, cursor, parser);
      if (choice === "skip") continue;
      if (choice === "stop" || this.isDone()) return false;
      if (cursor.capturedBytes < cursor.originalBytes) session.cutShort += 1;
      this.fed += 1;
      const cpu = this.spread.cpuOf(cursor, parser);
      if (!this.take(capture, parser, cursor, cpu)) {
        // What lies in a slot of its own has room there, so only copies get here.
        this.publish();
        await this.openSlot();
        this.take(capture, parser, cursor, cpu);
      }
      if (options.count !== undefined && this.isDone()) return false;
    }
    if (io.signal?.aborted === true) session.isInterrupted = true;
    return !session.isInterrupted;
  }

  private isDone(): boolean {
    const { count } = this.session.options;
    return count !== undefined && this.fed >= count;
  }

  /** Adds the packet under the cursor to the slot; false when it has no room there. */
  private take(capture: string, parser: InputParser, cursor: TraceCursor, cpu: number): boolean {
    const { session, writer } = this;
    let frame: Uint8Array | undefined;
    if (!takesLinkType(session, cursor.linkType)) {
      try {
        frame = frameOf(session, capture, cursor);
      } catch (error) {
        countFailure(session, error, cursor.capturedBytes);
        return true;
      }
    }
    const { ifindex, queue } = parser.originOf(cursor);
    return writer.add(
      frame ?? cursor.bytes,
      frame === undefined ? cursor.dataOffset : 0,
      frame?.length ?? cursor.capturedBytes,
      { cpu, ifindex, queue, timeNs: session.clock.nsOf(cursor.tsSec, cursor.tsNanos) },
    );
  }
}
