import { InputError } from "@tsbpf/base";
import { decodeTimeResolution, type TimeScale, ticksToNs } from "../capture/time.ts";
import type {
  CaptureInterface,
  CaptureSection,
  InterfaceStatistics,
  NameEntry,
  RawOption,
} from "../capture/types.ts";
import { type Block, blockOffset, openBlock, optionSpan } from "./block.ts";
import {
  DEFAULT_TIME_RESOLUTION,
  INTERFACE_OPT,
  NAME_RECORD,
  OPT,
  SECTION_OPT,
  STATISTICS_OPT,
} from "./constants.ts";
import { decodeText, OptionReader, padTo4 } from "./options.ts";

const SECTION_BODY_BYTES = 24;
const INTERFACE_BODY_BYTES = 16;
const STATISTICS_BODY_BYTES = 20;
const BODY_START = 8;
const MAC_BYTES = 6;
/** First byte of if_filter that says a text follows. */
const FILTER_TEXT = 0;

/** Leaves out the keys whose value is undefined: absent and undefined are different things in our types. */
function present<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}

const someTexts = (texts: string[]): string[] | undefined => (texts.length === 0 ? undefined : texts);
const someOptions = (options: readonly RawOption[]): readonly RawOption[] | undefined =>
  options.length === 0 ? undefined : options;

/** Decodes a Section Header Block whose byte order and version are checked. @source pcapng §4.1 */
export function decodeSection(block: Block): CaptureSection {
  openBlock(block, SECTION_BODY_BYTES + 4);
  const options = new OptionReader(optionSpan(block, SECTION_BODY_BYTES));
  return {
    endian: block.endian,
    fileOffset: blockOffset(block),
    ...present<Partial<CaptureSection>>({
      hardware: options.text(SECTION_OPT.hardware),
      os: options.text(SECTION_OPT.os),
      application: options.text(SECTION_OPT.application),
      comments: someTexts(options.texts(OPT.comment)),
      otherOptions: someOptions(options.rest),
    }),
  };
}

/** Decodes an Interface Description Block. @source pcapng §4.2 */
export function decodeInterface(block: Block, index: number, sectionIdx: number): CaptureInterface {
  const reader = openBlock(block, INTERFACE_BODY_BYTES + 4);
  const options = new OptionReader(optionSpan(block, INTERFACE_BODY_BYTES));
  const resolution = options.u8(INTERFACE_OPT.timeResolution);
  return {
    index,
    sectionIdx,
    linkType: reader.u16(BODY_START),
    snaplenBytes: reader.u32(BODY_START + 4),
    timeResolution: resolution === undefined ? DEFAULT_TIME_RESOLUTION : decodeTimeResolution(resolution),
    timeOffsetSec: options.s64(INTERFACE_OPT.timeOffset) ?? 0n,
    ...present<Partial<CaptureInterface>>({
      name: options.text(INTERFACE_OPT.name),
      description: options.text(INTERFACE_OPT.description),
      os: options.text(INTERFACE_OPT.os),
      hardware: options.text(INTERFACE_OPT.hardware),
      macAddress: options.exact(INTERFACE_OPT.macAddress, MAC_BYTES),
      speedBitsPerSec: options.u64(INTERFACE_OPT.speed),
      fcsBytes: options.u8(INTERFACE_OPT.fcsBytes),
      comments: someTexts(options.texts(OPT.comment)),
      filter: takeFilter(options),
      otherOptions: someOptions(options.rest),
    }),
  };
}

/** Takes a filter that is a text; one that is BPF code stays among the other options. */
function takeFilter(options: OptionReader): string | undefined {
  const raw = options.rest.find((option) => option.code === INTERFACE_OPT.filter);
  if (raw === undefined || raw.value[0] !== FILTER_TEXT) return undefined;
  options.take(INTERFACE_OPT.filter);
  return decodeText(raw.value.subarray(1));
}

/** The interface (numbered within its section) that a statistics block is about. */
export const statisticsInterface = (block: Block): number =>
  openBlock(block, STATISTICS_BODY_BYTES + 4).u32(BODY_START);

/** Decodes an Interface Statistics Block. @source pcapng §4.6 */
export function decodeStatistics(block: Block, scale: TimeScale): InterfaceStatistics {
  const reader = openBlock(block, STATISTICS_BODY_BYTES + 4);
  const options = new OptionReader(optionSpan(block, STATISTICS_BODY_BYTES));
  const timeOf = (code: number): bigint | undefined => {
    const ticks = options.ticks(code);
    return ticks && ticksToNs(ticks.hi, ticks.lo, scale);
  };
  return {
    tsNs: ticksToNs(reader.u32(BODY_START + 4), reader.u32(BODY_START + 8), scale),
    ...present<Partial<InterfaceStatistics>>({
      startNs: timeOf(STATISTICS_OPT.startTime),
      endNs: timeOf(STATISTICS_OPT.endTime),
      receivedCount: options.u64(STATISTICS_OPT.received),
      droppedCount: options.u64(STATISTICS_OPT.dropped),
      filterAcceptedCount: options.u64(STATISTICS_OPT.filterAccepted),
      osDroppedCount: options.u64(STATISTICS_OPT.osDropped),
      deliveredCount: options.u64(STATISTICS_OPT.delivered),
      comments: someTexts(options.texts(OPT.comment)),
    }),
  };
}

const NAME_KINDS: ReadonlyMap<number, { readonly kind: NameEntry["kind"]; readonly addressBytes: number }> =
  new Map([
    [NAME_RECORD.ipv4, { kind: "ipv4", addressBytes: 4 }],
    [NAME_RECORD.ipv6, { kind: "ipv6", addressBytes: 16 }],
    [NAME_RECORD.eui48, { kind: "eui48", addressBytes: 6 }],
    [NAME_RECORD.eui64, { kind: "eui64", addressBytes: 8 }],
  ]);

/**
 * Decodes the names of a Name Resolution Block; record types of later versions are passed over.
 *
 * @param onEntry - is told how many names an entry has before it is kept, and throws when they are too many.
 * @source pcapng §4.5
 */
export function decodeNames(block: Block, onEntry: (nameCount: number) => void): NameEntry[] {
  const reader = openBlock(block, BODY_START + 4);
  const entries: NameEntry[] = [];
  let at = BODY_START;
  while (at < reader.lengthBytes) {
    const type = reader.u16(at);
    if (type === NAME_RECORD.end) break;
    const size = reader.u16(at + 2);
    const restBytes = reader.lengthBytes - at - 4;
    if (size > restBytes) throw nameTooLong(type, size, restBytes, blockOffset(block) + at);
    const value = reader.slice(at + 4, size);
    const known = NAME_KINDS.get(type);
    if (known !== undefined && value.byteLength >= known.addressBytes) {
      const names = decodeText(value.slice(known.addressBytes))
        .split("\0")
        .filter((name) => name !== "");
      onEntry(names.length);
      entries.push({ kind: known.kind, address: value.slice(0, known.addressBytes), names });
    }
    at += 4 + padTo4(value.byteLength);
  }
  return entries;
}

function nameTooLong(type: number, size: number, restBytes: number, offset: number): InputError {
  return new InputError(
    "PCAPNG_NAME_LENGTH",
    `name record of type ${type} claims ${size} bytes, ${restBytes} are left in the block, at offset ${offset}`,
    { details: { type, size, rest: restBytes, offset } },
  );
}
