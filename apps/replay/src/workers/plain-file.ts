import { LINK_TYPE_ETHERNET, type PcapSpan } from "@tsbpf/trace";
import { takesLinkType } from "../run/frame.ts";
import type { Session } from "../run/session.ts";
import type { Spread } from "../spread/spread.ts";
import { InputParser } from "../trace/input.ts";

/** A pcap file's header and the head of its first record. */
export const HEAD_BYTES = 40;

/** A parser that has seen the head of a file, and what the head says of the records. */
export interface PlainFile {
  readonly parser: InputParser;
  readonly span: PcapSpan;
}

/** Returns the second of the first record of a file. */
export function firstSec({ bytes, start, isLittle }: PcapSpan): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(start, isLittle);
}

/**
 * Looks whether the CPUs may read a file themselves: a pcap file all of whose packets are wanted, whose frames the
 * program takes, and whose packets can be spread without more than is in them.
 *
 * @param head - its first {@link HEAD_BYTES}.
 */
export function findRecords(session: Session, spread: Spread, head: Uint8Array): PlainFile | undefined {
  const { packets, filter, count, strict } = session.options;
  if (packets !== undefined || filter !== undefined || count !== undefined) return undefined;
  const parser = new InputParser({ strict });
  let span: PcapSpan | undefined;
  try {
    parser.push(head);
    span = parser.span();
  } catch {
    // Who reads the file from its start says what is wrong with it.
    return undefined;
  }
  if (span === undefined || !takesLinkType(session, span.linkType)) return undefined;
  const isSpreadable =
    spread.nextCpu !== undefined || (spread.isByFlow && span.linkType === LINK_TYPE_ETHERNET);
  return isSpreadable ? { parser, span } : undefined;
}
