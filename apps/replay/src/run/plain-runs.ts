import { PACKET_DESC } from "@tsbpf/jit";
import { LINK_TYPE_ETHERNET, type RunSpan } from "@tsbpf/trace";
import type { Scanner } from "../scan/scanner.ts";
import type { InputParser } from "../trace/input.ts";
import { takesLinkType } from "./frame.ts";
import { type DescArea, runDescribed } from "./plain-records.ts";
import type { Session } from "./session.ts";

/** Sizes of frames that may run in a batch. */
export interface FrameSizes {
  readonly min: number;
  readonly max: number;
}

/** Linear memory that runs are made ready in. */
export interface RunArea {
  readonly descs: DescArea;
  /** Where packets are copied that do not lie in linear memory. */
  readonly spareAddress: number;
  readonly spareBytes: number;
  readonly sizes: FrameSizes;
}

const DESC_WORDS = PACKET_DESC.bytes / 4;
const WORD = {
  data: PACKET_DESC.data / 4,
  dataEnd: PACKET_DESC.dataEnd / 4,
  dataMeta: PACKET_DESC.dataMeta / 4,
  ifindex: PACKET_DESC.ifindex / 4,
  queue: PACKET_DESC.rxQueue / 4,
  isTrap: PACKET_DESC.isTrap / 4,
} as const;

/**
 * Runs the plain packets of a trace that its parser has at hand, without filling a cursor for each; what is left needs
 * the parser's own `next`.
 *
 * @param isFree - false for runs whose trace answers what the program asks, so that they go one by one.
 */
export function runPlainRuns(
  session: Session,
  scanner: Scanner,
  parser: InputParser,
  area: RunArea,
  isFree: (span: RunSpan) => boolean,
): void {
  for (let span = parser.runSpan(); span !== undefined; span = parser.runSpan()) {
    const linkType = span.interfaceIdx < 0 ? LINK_TYPE_ETHERNET : span.linkType;
    if (!takesLinkType(session, linkType) || !isFree(span)) return;
    const { count, bytes } = describe(session, parser, span, area);
    if (count === 0) return;
    runDescribed(session, scanner, area.descs.address, count);
    parser.skip(bytes, count);
  }
}

/** Writes the descriptors of as many runs as fit, and brings their packets into linear memory. */
function describe(
  session: Session,
  parser: InputParser,
  span: RunSpan,
  area: RunArea,
): { readonly count: number; readonly bytes: number } {
  const { sizes, wireSizes, packets, start, first } = span;
  const { i32, u8 } = session.prog.memory;
  const isInPlace = packets.buffer === u8.buffer;
  const base = isInPlace ? packets.byteOffset + start : area.spareAddress;
  const roomEnd = base + (isInPlace ? packets.byteLength - start : area.spareBytes);
  const ifindex = parser.ifindexOf(span.interfaceIdx);
  const queue = Math.max(0, span.queue);
  const { min, max } = area.sizes;
  const end = first + Math.min(span.count, area.descs.count);
  let at = base;
  let word = area.descs.address / 4;
  let run = first;
  for (; run < end; run++) {
    const bytes = sizes.at(run);
    if (bytes < min || bytes > max || at + bytes > roomEnd) break;
    i32[word + WORD.data] = at;
    i32[word + WORD.dataEnd] = at + bytes;
    i32[word + WORD.dataMeta] = at;
    i32[word + WORD.ifindex] = ifindex;
    i32[word + WORD.queue] = queue;
    i32[word + WORD.isTrap] = 0;
    if (wireSizes !== undefined && wireSizes.at(run) > bytes) session.cutShort += 1;
    at += bytes;
    word += DESC_WORDS;
  }
  if (!isInPlace) u8.set(packets.subarray(start, start + at - base), base);
  return { count: run - first, bytes: at - base };
}
