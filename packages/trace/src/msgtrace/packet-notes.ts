import type { Endian } from "@tsbpf/base";
import type { InterfaceDescription, PacketVerdict, RawOption, TimeResolution } from "../capture/types.ts";
import type { Fields } from "./fields.ts";
import type { MsgpackMap } from "./msgpack.ts";
import type { PacketNotes, TraceInterface } from "./types.ts";

/** Leaves out keys whose value is undefined. */
export function compact<T extends object>(value: T): MsgpackMap {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined));
}

export function encodeNotes(notes: PacketNotes): MsgpackMap {
  return compact({
    flags: notes.flags,
    drops: notes.dropCount,
    id: notes.packetId,
    verdicts: notes.verdicts?.map(encodeVerdict),
    comments: notes.comments,
    options: notes.otherOptions?.map(encodeOption),
    ticks: notes.tsTicks,
  });
}

export function decodeNotes(fields: Fields): PacketNotes {
  return compact({
    flags: fields.optionalUint("flags"),
    dropCount: fields.optional("drops", "u64"),
    packetId: fields.optional("id", "u64"),
    verdicts: fields.has("verdicts") ? fields.maps("verdicts").map(decodeVerdict) : undefined,
    comments: fields.optional("comments", "texts"),
    otherOptions: fields.has("options") ? fields.maps("options").map(decodeOption) : undefined,
    tsTicks: fields.optional("ticks", "u64"),
  }) as PacketNotes;
}

function encodeVerdict(verdict: PacketVerdict): MsgpackMap {
  if ("value" in verdict) return { kind: verdict.kind, value: verdict.value };
  if (verdict.kind === "hardware") return { kind: verdict.kind, bytes: verdict.bytes };
  return { kind: verdict.kind, type: verdict.type, bytes: verdict.bytes };
}

function decodeVerdict(fields: Fields): PacketVerdict {
  const kind = fields.text("kind");
  if (kind === "tc" || kind === "xdp") return { kind, value: fields.u64("value") };
  if (kind === "hardware") return { kind, bytes: fields.bytes("bytes") };
  if (kind === "other") return { kind, type: fields.uint("type", 0xff), bytes: fields.bytes("bytes") };
  throw fields.wrong("kind", "tc, xdp, hardware or other");
}

const encodeOption = ({ code, value, endian }: RawOption): MsgpackMap => ({ code, value, endian });

const decodeOption = (fields: Fields): RawOption => ({
  code: fields.uint("code", 0xffff),
  value: fields.bytes("value"),
  endian: decodeEndian(fields),
});

function decodeEndian(fields: Fields): Endian {
  const endian = fields.text("endian");
  if (endian === "little" || endian === "big") return endian;
  throw fields.wrong("endian", "little or big");
}

export function encodeInterface(description: TraceInterface): MsgpackMap {
  const { timeResolution, otherOptions } = description;
  return compact({
    ifindex: description.ifindex,
    link: description.linkType,
    snaplen: description.snaplenBytes,
    name: description.name,
    description: description.description,
    filter: description.filter,
    os: description.os,
    hardware: description.hardware,
    mac: description.macAddress,
    speed: description.speedBitsPerSec,
    timeBase: timeResolution?.base,
    timeExponent: timeResolution?.exponent,
    timeOffset: description.timeOffsetSec,
    fcs: description.fcsBytes,
    comments: description.comments,
    options: otherOptions?.map(encodeOption),
  });
}

export function decodeInterface(fields: Fields): TraceInterface {
  return {
    ifindex: fields.uint("ifindex"),
    linkType: fields.uint("link", 0xffff),
    ...(compact({
      snaplenBytes: fields.optionalUint("snaplen"),
      name: fields.optional("name", "text"),
      description: fields.optional("description", "text"),
      filter: fields.optional("filter", "text"),
      os: fields.optional("os", "text"),
      hardware: fields.optional("hardware", "text"),
      macAddress: fields.optional("mac", "bytes"),
      speedBitsPerSec: fields.optional("speed", "u64"),
      timeResolution: decodeResolution(fields),
      timeOffsetSec: fields.optional("timeOffset", "s64"),
      fcsBytes: fields.optionalUint("fcs", 0xff),
      comments: fields.optional("comments", "texts"),
      otherOptions: fields.has("options") ? fields.maps("options").map(decodeOption) : undefined,
    }) as Partial<InterfaceDescription>),
  };
}

function decodeResolution(fields: Fields): TimeResolution | undefined {
  if (!fields.has("timeBase")) return undefined;
  const base = fields.uint("timeBase", 10);
  if (base !== 2 && base !== 10) throw fields.wrong("timeBase", "2 or 10");
  return { base, exponent: fields.uint("timeExponent", 0x7f) };
}
