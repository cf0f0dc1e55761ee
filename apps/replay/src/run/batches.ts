import { TrapError } from "@tsbpf/base";
import { PACKET_DESC, runBatch } from "@tsbpf/jit";
import { CHECKSUM_AREA_BYTES, TraceCursor } from "@tsbpf/trace";
import type { ByteFile } from "../io.ts";
import { Scanner } from "../scan/scanner.ts";
import { executeForTotals } from "../trace/execute.ts";
import { InputParser, type PacketOrigin } from "../trace/input.ts";
import { Breather } from "./breather.ts";
import { canBatch, mayBatchLater } from "./can-batch.ts";
import { takesLinkType } from "./frame.ts";
import { runPlainRecords, takesAll } from "./plain-records.ts";
import { runPlainRuns, SIZE_BYTES } from "./plain-runs.ts";
import { choose, countFailure, mustStop, noteTrap, reportWarnings } from "./progress.ts";
import { RunDescriber } from "./run-describer.ts";
import type { Session } from "./session.ts";

const CHUNK_BYTES = 1 << 20;
/** Takes a chunk behind the start of a block; blocks of a trace are about 256 KiB. */
const JOIN_BYTES = 2 * CHUNK_BYTES;
const BATCH_PACKETS = 4096;
/** Frames that may lie in a batch. Smaller ones XDP does not take, so that they are counted as refused; about larger ones the program type decides. */
const FRAME_SIZES = { min: 14, max: 65_535 } as const;
const WORDS = PACKET_DESC.bytes / 4;
const GZIP_MAGIC = [0x1f, 0x8b] as const;

/** Linear memory that a replay reads files into and describes packets in; made once a session. */
interface Buffers {
  readonly chunkAddress: number;
  /** Packets that straddle two chunks are copied here. */
  readonly spareAddress: number;
  readonly descAddress: number;
  readonly scanner: Scanner;
  /** Sizes of packets of traces. */
  readonly sizesAddress: number;
  readonly describer: RunDescriber;
  /** Where chunks of traces are read behind the start of a block that straddles them, {@link JOIN_BYTES}. */
  readonly joinAddress: number;
  readonly areaAddress: number;
}

const buffersOf = new WeakMap<Session, Buffers>();

function allocate(session: Session): Buffers {
  const known = buffersOf.get(session);
  if (known !== undefined) return known;
  const { memory } = session.prog.machine().env;
  const made = {
    chunkAddress: memory.allocRaw(CHUNK_BYTES, 64),
    spareAddress: memory.allocRaw(CHUNK_BYTES, 64),
    descAddress: memory.allocRaw(BATCH_PACKETS * PACKET_DESC.bytes, 64),
    scanner: new Scanner(memory),
    sizesAddress: memory.allocRaw(BATCH_PACKETS * SIZE_BYTES, 64),
    describer: new RunDescriber(memory),
    joinAddress: memory.allocRaw(JOIN_BYTES, 64),
    areaAddress: memory.allocRaw(CHECKSUM_AREA_BYTES, 64),
  };
  buffersOf.set(session, made);
  return made;
}

/** One batch in the making. */
class PacketBatch {
  count = 0;
  /** Whether the program asks for random numbers, which a trace may answer. */
  readonly asksRandom: boolean;
  private readonly session: Session;
  private readonly buffers: Buffers;
  private readonly words: Int32Array;
  private readonly memoryBytes: Uint8Array;
  private readonly first: number;
  private spareUsed = 0;
  private readonly lengths = new Int32Array(BATCH_PACKETS);

  constructor(session: Session, buffers: Buffers) {
    this.session = session;
    this.buffers = buffers;
    const { memory } = session.prog.machine().env;
    this.words = memory.i32;
    this.memoryBytes = memory.u8;
    this.first = buffers.descAddress / 4;
    this.asksRandom = [...session.prog.linked.targets.values()].some(
      (target) => "helper" in target && target.helper.proto.name === "bpf_get_prandom_u32",
    );
  }

  /** Takes the packet under the cursor; false when the batch must run first. */
  add(cursor: TraceCursor, origin: PacketOrigin): boolean {
    if (this.count === BATCH_PACKETS) return false;
    const bytes = cursor.capturedBytes;
    let address = cursor.bytes.byteOffset + cursor.dataOffset;
    if (cursor.bytes.buffer !== this.memoryBytes.buffer) {
      if (this.spareUsed + bytes > CHUNK_BYTES) return false;
      address = this.buffers.spareAddress + this.spareUsed;
      this.memoryBytes.set(cursor.data(), address);
      this.spareUsed += bytes;
    }
    const { words } = this;
    const at = this.first + this.count * WORDS;
    words[at] = address;
    words[at + 1] = address + bytes;
    words[at + 2] = address;
    words[at + 3] = origin.ifindex;
    words[at + 4] = origin.queue;
    words[at + 7] = 0;
    this.lengths[this.count] = bytes;
    this.count += 1;
    return true;
  }

  /** Runs what was added and counts the verdicts. */
  run(): void {
    const { session, words, lengths, count } = this;
    if (count === 0) return;
    const { prog, tally } = session;
    const { histogram } = session.insight;
    runBatch(prog.engineProg, {
      machine: prog.machine(),
      ctxAddress: prog.context().address,
      budget: prog.budget,
      descAddress: this.buffers.descAddress,
      count,
    });
    for (let i = 0; i < count; i++) {
      const at = this.first + i * WORDS;
      histogram?.add((words[at + PACKET_DESC.insnCount / 4] as number) >>> 0);
      if (words[at + 7] !== 0) noteTrap(session, lengths[i] as number);
      else tally.addResult((words[at + 5] as number) >>> 0, lengths[i] as number);
    }
    this.count = 0;
    this.spareUsed = 0;
  }
}

/**
 * Replays a capture by reading the file into linear memory and running the program on the packets in place.
 *
 * @returns false, with nothing read, when the program or the file does not allow it.
 */
export async function replayInBatches(session: Session, capture: string): Promise<boolean> {
  // A batch runs on one CPU.
  if (session.vm.cpuCount > 1 || session.options.count !== undefined) return false;
  if (!canBatch(session.prog) && !mayBatchLater(session.prog)) return false;
  const file = await session.io.open(capture);
  if (file === undefined) return false;
  try {
    return await walkFile(session, capture, file);
  } finally {
    await file.close();
  }
}

/** @param isRunAtOnce - whether packets run before the parser is asked for more, so that it may overwrite them then. */
function openParser({ options, feed, prog }: Session, buffers: Buffers, isRunAtOnce: boolean): InputParser {
  const { memory } = prog.machine().env;
  const { areaAddress, joinAddress } = buffers;
  const join = isRunAtOnce ? memory.bytesAt(joinAddress, JOIN_BYTES) : undefined;
  return new InputParser({ strict: options.strict, feed, memory: { wasm: memory.wasm, areaAddress, join } });
}

/** Chooses where to read to: behind what is left of the last chunk where there is room, otherwise to `chunk`. */
function targetOf(parser: InputParser, chunk: Uint8Array): Uint8Array {
  const room = parser.room();
  return room === undefined || room.length < chunk.length / 2 ? chunk : room.subarray(0, chunk.length);
}

async function walkFile(session: Session, capture: string, file: ByteFile): Promise<boolean> {
  const buffers = allocate(session);
  const { memory } = session.prog.machine().env;
  const { feed } = session;
  const scanner = takesAll(session) ? buffers.scanner : undefined;
  const breather = new Breather(session.prog);
  // Until a program is compiled that the interpreter began, each packet runs alone.
  let isBatched = canBatch(session.prog);
  const parser = openParser(session, buffers, scanner !== undefined);
  const cursor = new TraceCursor();
  const batch = new PacketBatch(session, buffers);
  const chunk = memory.bytesAt(buffers.chunkAddress, CHUNK_BYTES);
  if (feed !== undefined) feed.beforeChange = () => batch.run();
  const descs = { address: buffers.descAddress, count: BATCH_PACKETS };
  const { spareAddress, sizesAddress, describer } = buffers;
  const area = { descs, spareAddress, spareBytes: CHUNK_BYTES, sizesAddress, describer, sizes: FRAME_SIZES };
  const isAnswered = (span: { readonly hasAnswers: boolean }): boolean =>
    batch.asksRandom && feed?.answersFor(parser.trace, span) === true;
  let isFirst = true;
  for (;;) {
    const target = targetOf(parser, chunk);
    const bytes = await file.read(target);
    if (isFirst && GZIP_MAGIC.every((byte, idx) => target[idx] === byte)) return false;
    isFirst = false;
    if (bytes === 0) parser.end();
    else parser.push(target.subarray(0, bytes));
    for (;;) {
      if (scanner !== undefined && isBatched) {
        batch.run();
        runPlainRecords(session, scanner, parser, descs);
        runPlainRuns(session, scanner, parser, area, (span) => !isAnswered(span));
      }
      if (!parser.next(cursor)) break;
      const choice = choose(session, cursor, parser);
      if (choice === "skip") continue;
      if (choice === "stop") {
        batch.run();
        return true;
      }
      if (isBatched) takePacket(session, batch, { capture, parser, cursor });
      else {
        takeAlone(session, { capture, parser, cursor });
        if (!breather.isDue) continue;
        if (await breather.breathe()) isBatched = canBatch(session.prog);
        if (mustStop(session)) return true;
      }
    }
    // The chunk's memory is read into next, so its packets must be done.
    batch.run();
    if (bytes === 0) break;
    if (mustStop(session)) return true;
  }
  reportWarnings(session, capture, parser.warnings);
  return true;
}

/** A packet and where it comes from. */
interface Incoming {
  readonly capture: string;
  readonly parser: InputParser;
  readonly cursor: TraceCursor;
}

function takePacket(session: Session, batch: PacketBatch, incoming: Incoming): void {
  const { parser, cursor } = incoming;
  if (cursor.capturedBytes < cursor.originalBytes) session.cutShort += 1;
  // What must be made anew, what is too short for a frame, and what needs more than its packet runs alone, after those
  // before it.
  const isAlone =
    !takesLinkType(session, cursor.linkType) ||
    cursor.capturedBytes < FRAME_SIZES.min ||
    cursor.capturedBytes > FRAME_SIZES.max ||
    session.feed?.needsMore(parser.trace, cursor) === true ||
    (batch.asksRandom && session.feed?.answersFor(parser.trace, cursor) === true);
  if (!isAlone) {
    const origin = parser.originOf(cursor);
    if (batch.add(cursor, origin)) return;
    batch.run();
    if (batch.add(cursor, origin)) return;
  }
  batch.run();
  runAlone(session, incoming);
}

function takeAlone(session: Session, incoming: Incoming): void {
  const { cursor } = incoming;
  if (cursor.capturedBytes < cursor.originalBytes) session.cutShort += 1;
  session.clock(cursor.tsSec, cursor.tsNanos);
  runAlone(session, incoming);
}

function runAlone(session: Session, { capture, parser, cursor }: Incoming): void {
  const { histogram } = session.insight;
  try {
    session.tally.addResult(executeForTotals(session, capture, parser, cursor), cursor.capturedBytes);
    histogram?.add(session.prog.machine().insnCount);
  } catch (error) {
    countFailure(session, error, cursor.capturedBytes);
    if (error instanceof TrapError) histogram?.add(session.prog.machine().insnCount);
  }
}
