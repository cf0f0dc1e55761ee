import { encodeUtf8, InputError } from "@tsbpf/base";
import { checkU32, checkUpTo } from "../capture/checks.ts";
import type { ByteSink } from "../capture/sink.ts";
import { encodeTimeResolution } from "../capture/time.ts";
import type {
  InterfaceDescription,
  InterfaceStatistics,
  NameEntry,
  SectionDescription,
  TimeResolution,
} from "../capture/types.ts";
import {
  BYTE_ORDER_MAGIC,
  DEFAULT_TIME_RESOLUTION,
  INTERFACE_OPT,
  NAME_RECORD,
  OPT,
  SECTION_OPT,
  SECTION_VERSION_MAJOR,
  STATISTICS_OPT,
} from "./constants.ts";
import { checkAddress, type OptionWriter } from "./option-writer.ts";
import { padTo4 } from "./options.ts";

/** Section length that says nothing: we write streams. @source pcapng §4.1 */
const SECTION_LENGTH_UNKNOWN = (1n << 64n) - 1n;
const MAC_BYTES = 6;
/** First byte of if_filter that says a text follows. */
const FILTER_TEXT = "\0";

/** Encodes a Section Header Block's body and options; returns how many unknown options were left out. */
export function encodeSection(sink: ByteSink, options: OptionWriter, section: SectionDescription): number {
  sink.u32(BYTE_ORDER_MAGIC);
  sink.u16(SECTION_VERSION_MAJOR);
  sink.u16(0);
  sink.u64(SECTION_LENGTH_UNKNOWN);
  options.texts(OPT.comment, section.comments);
  options.text(SECTION_OPT.hardware, section.hardware);
  options.text(SECTION_OPT.os, section.os);
  options.text(SECTION_OPT.application, section.application);
  return options.raw(section.otherOptions);
}

/** Encodes an Interface Description Block's body and options; returns how many unknown options were left out. */
export function encodeInterface(
  sink: ByteSink,
  options: OptionWriter,
  description: InterfaceDescription,
  resolution: TimeResolution,
): number {
  sink.u16(checkUpTo("linkType", description.linkType, 0xffff));
  sink.u16(0);
  sink.u32(checkU32("snaplenBytes", description.snaplenBytes ?? 0));
  options.texts(OPT.comment, description.comments);
  options.text(INTERFACE_OPT.name, description.name);
  options.text(INTERFACE_OPT.description, description.description);
  const { macAddress, filter, timeOffsetSec = 0n } = description;
  if (macAddress !== undefined) {
    options.bytes(INTERFACE_OPT.macAddress, checkAddress("macAddress", macAddress, MAC_BYTES));
  }
  options.u64(INTERFACE_OPT.speed, "speedBitsPerSec", description.speedBitsPerSec);
  const { base, exponent } = DEFAULT_TIME_RESOLUTION;
  if (resolution.base !== base || resolution.exponent !== exponent) {
    options.u8(INTERFACE_OPT.timeResolution, "timeResolution", encodeTimeResolution(resolution));
  }
  if (filter !== undefined) options.text(INTERFACE_OPT.filter, FILTER_TEXT + filter);
  options.text(INTERFACE_OPT.os, description.os);
  options.u8(INTERFACE_OPT.fcsBytes, "fcsBytes", description.fcsBytes);
  if (timeOffsetSec !== 0n) {
    options.u64(INTERFACE_OPT.timeOffset, "timeOffsetSec", toField(timeOffsetSec));
  }
  options.text(INTERFACE_OPT.hardware, description.hardware);
  return options.raw(description.otherOptions);
}

/** Two's complement for a field of 64 signed bits; what does not fit stays out of range for the check behind. */
const toField = (value: bigint): bigint =>
  value < 0n && value >= -(1n << 63n) ? value + (1n << 64n) : value;

/** Encodes an Interface Statistics Block after its interface. */
export function encodeStatistics(
  sink: ByteSink,
  options: OptionWriter,
  statistics: InterfaceStatistics,
  ticksOf: (ns: bigint) => bigint,
): void {
  const optionalTicks = (ns: bigint | undefined): bigint | undefined =>
    ns === undefined ? undefined : ticksOf(ns);
  const ticks = ticksOf(statistics.tsNs);
  sink.u32(Number(ticks >> 32n));
  sink.u32(Number(ticks & 0xffff_ffffn));
  options.texts(OPT.comment, statistics.comments);
  options.ticks(STATISTICS_OPT.startTime, optionalTicks(statistics.startNs));
  options.ticks(STATISTICS_OPT.endTime, optionalTicks(statistics.endNs));
  options.u64(STATISTICS_OPT.received, "receivedCount", statistics.receivedCount);
  options.u64(STATISTICS_OPT.dropped, "droppedCount", statistics.droppedCount);
  options.u64(STATISTICS_OPT.filterAccepted, "filterAcceptedCount", statistics.filterAcceptedCount);
  options.u64(STATISTICS_OPT.osDropped, "osDroppedCount", statistics.osDroppedCount);
  options.u64(STATISTICS_OPT.delivered, "deliveredCount", statistics.deliveredCount);
}

const ADDRESS_BYTES: Readonly<Record<NameEntry["kind"], number>> = { ipv4: 4, ipv6: 16, eui48: 6, eui64: 8 };

/** Encodes the records of a Name Resolution Block. */
export function encodeNames(sink: ByteSink, entries: readonly NameEntry[]): void {
  for (const { kind, address, names } of entries) {
    checkAddress(`${kind} address`, address, ADDRESS_BYTES[kind]);
    for (const name of names) checkName(name);
    const texts = encodeUtf8(names.map((name) => `${name}\0`).join(""));
    const size = address.byteLength + texts.byteLength;
    sink.u16(NAME_RECORD[kind]);
    sink.u16(checkUpTo("bytes of a name record", size, 0xffff));
    sink.raw(address);
    sink.raw(texts);
    sink.zeros(padTo4(size) - size);
  }
  sink.u32(NAME_RECORD.end);
}

function checkName(name: string): void {
  if (name !== "" && !name.includes("\0")) return;
  throw new InputError("PCAPNG_NAME", `name ${JSON.stringify(name.slice(0, 64))} is empty or holds a NUL`);
}
