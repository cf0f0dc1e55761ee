import { PACKET_DESC, runBatch } from "@tsbpf/jit";
import { SCAN_STOP, type Scanner } from "../scan/scanner.ts";
import type { InputParser } from "../trace/input.ts";
import { takesLinkType } from "./frame.ts";
import { noteTrap } from "./progress.ts";
import type { Session } from "./session.ts";

/** Whether a session takes all packets as they come and counts verdicts alone, so that records may be walked in bulk. */
export const takesAll = ({ options, insight }: Session): boolean =>
  options.packets === undefined && options.filter === undefined && insight.histogram === undefined;

/** Descriptors that packets are run from. */
export interface DescArea {
  readonly address: number;
  readonly count: number;
}

/**
 * Runs the plain records of a pcap file that the parser has whole in linear memory, without a step for each packet;
 * what is left needs the parser's own `next`.
 */
export function runPlainRecords(
  session: Session,
  scanner: Scanner,
  parser: InputParser,
  { address: desc, count }: DescArea,
): void {
  const span = parser.span();
  const { memory } = session.prog;
  if (span === undefined || !takesLinkType(session, span.linkType)) return;
  if (span.bytes.buffer !== memory.u8.buffer) return;
  scanner.describe(span);
  const base = span.bytes.byteOffset;
  const end = base + span.end;
  const descEnd = desc + count * PACKET_DESC.bytes;
  let start = base + span.start;
  let packets = 0;
  for (let isFull = true; isFull; ) {
    const found = scanner.scan({ start, end, desc, descEnd });
    const taken = (found.descEnd - desc) / PACKET_DESC.bytes;
    start = found.at;
    packets += taken;
    session.cutShort += found.cutShort;
    isFull = found.reason === SCAN_STOP.full;
    if (taken > 0) runDescribed(session, scanner, desc, taken);
  }
  parser.skip(start - base - span.start, packets);
}

/** Runs described packets and counts their verdicts. */
export function runDescribed(session: Session, scanner: Scanner, descAddress: number, count: number): void {
  const { prog, tally } = session;
  const { i32 } = prog.memory;
  runBatch(prog.engineProg, {
    machine: prog.machine(),
    ctxAddress: prog.context().address,
    budget: prog.budget,
    descAddress,
    count,
  });
  scanner.tally(
    descAddress,
    descAddress + count * PACKET_DESC.bytes,
    (verdict, packets, bytes) => tally.addResults(verdict, packets, bytes),
    (desc) => {
      const at = desc >>> 2;
      const bytes = (i32[at + 1] as number) - (i32[at] as number);
      if (i32[at + PACKET_DESC.isTrap / 4] !== 0) noteTrap(session, bytes);
      else tally.addResult((i32[at + PACKET_DESC.verdict / 4] as number) >>> 0, bytes);
    },
  );
}
