import { PACKET_DESC } from "@tsbpf/jit";
import { LINK_TYPE_ETHERNET, type RunSpan } from "@tsbpf/trace";
import type { Scanner } from "../scan/scanner.ts";
import type { InputParser } from "../trace/input.ts";
import { takesLinkType } from "./frame.ts";
import { type DescArea, runDescribed } from "./plain-records.ts";
import type { FrameSizes, RunDescriber } from "./run-describer.ts";
import type { Session } from "./session.ts";

/** Bytes that a run's size takes in a trace. */
export const SIZE_BYTES = 4;

/** Linear memory that runs are made ready in. */
export interface RunArea {
  readonly descs: DescArea;
  /** Where packets are copied that do not lie in linear memory. */
  readonly spareAddress: number;
  readonly spareBytes: number;
  /** Where their sizes are copied, {@link SIZE_BYTES} each, as many as there are descriptors. */
  readonly sizesAddress: number;
  readonly describer: RunDescriber;
  readonly sizes: FrameSizes;
}

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
  const { packets, start } = span;
  const { u8, i32 } = session.prog.memory;
  const isInPlace = packets.buffer === u8.buffer;
  const address = isInPlace ? packets.byteOffset + start : area.spareAddress;
  const descAddress = area.descs.address;
  const wanted = Math.min(span.count, area.descs.count);
  const count = area.describer.describe(
    {
      sizesAddress: sizesIn(u8, span, wanted, area),
      size: span.sizes.at(span.first),
      count: wanted,
      address,
      end: address + (isInPlace ? packets.byteLength - start : area.spareBytes),
      descAddress,
      ifindex: parser.ifindexOf(span.interfaceIdx),
      queue: Math.max(0, span.queue),
    },
    area.sizes,
  );
  if (count === 0) return { count, bytes: 0 };
  const last = descAddress + (count - 1) * PACKET_DESC.bytes;
  const bytes = ((i32[(last + PACKET_DESC.dataEnd) >>> 2] as number) >>> 0) - address;
  if (!isInPlace) u8.set(packets.subarray(start, start + bytes), address);
  session.cutShort += cutShortOf(span, count);
  return { count, bytes };
}

/** Address of the sizes of runs, which are copied there where they do not lie in linear memory; 0 when all have one. */
function sizesIn(
  u8: Uint8Array,
  { sizes, first }: RunSpan,
  count: number,
  { sizesAddress }: RunArea,
): number {
  const { bytes } = sizes;
  if (bytes === undefined) return 0;
  if (bytes.buffer === u8.buffer) return bytes.byteOffset + first * SIZE_BYTES;
  u8.set(bytes.subarray(first * SIZE_BYTES, (first + count) * SIZE_BYTES), sizesAddress);
  return sizesAddress;
}

/** How many of the first runs had more bytes on the wire. */
function cutShortOf({ sizes, wireSizes, first }: RunSpan, count: number): number {
  let cutShort = 0;
  if (wireSizes === undefined) return cutShort;
  for (let run = first; run < first + count; run++) if (wireSizes.at(run) > sizes.at(run)) cutShort += 1;
  return cutShort;
}
