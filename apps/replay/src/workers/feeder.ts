import { decompressCapture, TraceCursor } from "@tsbpf/trace";
import { frameOf, takesLinkType } from "../run/frame.ts";
import { choose, countFailure, reportWarnings } from "../run/progress.ts";
import type { Session } from "../run/session.ts";
import type { Spread } from "../spread/spread.ts";
import { InputParser } from "../trace/input.ts";
import { CHUNK_BYTES, type Lanes } from "./lanes.ts";
import { SlotWriter } from "./slot-writer.ts";

const GZIP_MAGIC = [0x1f, 0x8b] as const;

/** Resolves when a slot may be filled again. */
export type WaitForSlot = (seq: number) => Promise<void>;

/**
 * Reads captures, chooses the CPU of each packet, and hands them on in slots. Files are read straight into the memory
 * that the CPUs share; only packets that straddle two stretches are copied there.
 */
export class Feeder {
  private readonly session: Session;
  private readonly lanes: Lanes;
  private readonly spread: Spread;
  private readonly waitForSlot: WaitForSlot;
  private readonly writer: SlotWriter;
  private seq = 0;
  private fed = 0;

  constructor(session: Session, lanes: Lanes, spread: Spread, waitForSlot: WaitForSlot) {
    this.session = session;
    this.lanes = lanes;
    this.spread = spread;
    this.waitForSlot = waitForSlot;
    this.writer = new SlotWriter(session.prog.memory, lanes);
  }

  /** Number of slots that were handed on. */
  get slots(): number {
    return this.seq;
  }

  /** Hands on the packets of a capture; returns false when no more are wanted. */
  async feed(capture: string): Promise<boolean> {
    const file = await this.session.io.open(capture);
    if (file === undefined) return this.feedStream(capture);
    const parser = this.createParser();
    const cursor = new TraceCursor();
    try {
      for (let isFirst = true; ; isFirst = false) {
        await this.openSlot();
        const chunk = this.session.prog.memory.bytesAt(this.lanes.chunkAddress(this.seq), CHUNK_BYTES);
        const bytes = await file.read(chunk);
        if (isFirst && GZIP_MAGIC.every((byte, idx) => chunk[idx] === byte)) return this.feedStream(capture);
        if (bytes === 0) parser.end();
        else parser.push(chunk.subarray(0, bytes));
        const goesOn = await this.walk(capture, parser, cursor);
        this.publish();
        if (!goesOn) return false;
        if (bytes === 0) break;
      }
    } finally {
      await file.close();
    }
    reportWarnings(this.session, capture, parser.warnings);
    return true;
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
    await this.waitForSlot(this.seq);
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
