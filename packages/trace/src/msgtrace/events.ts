import { unreachable } from "@tsbpf/base";
import { Fields, toU64Value } from "./fields.ts";
import { isMap } from "./msgpack.ts";
import { decodeNotes, encodeNotes } from "./packet-notes.ts";
import type { HelperWrite, MapChange, TraceEvent, TraceEventKind } from "./types.ts";

/** The number that stands for a kind of event in a file. */
export const EVENT_CODE: Readonly<Record<TraceEventKind, number>> = {
  map: 1,
  clock: 2,
  random: 3,
  call: 4,
  output: 5,
  notes: 6,
};
const KIND_OF: ReadonlyMap<unknown, TraceEventKind> = new Map(
  Object.entries(EVENT_CODE).map(([kind, code]) => [code, kind as TraceEventKind]),
);
const CHANGES: readonly MapChange[] = ["update", "delete", "push", "pop"];
const PHASES = ["before", "during"] as const;

/** An event and the run of its block that it belongs to; a run past the block's last stands for one still to come. */
export interface PlacedEvent {
  readonly run: number;
  readonly event: TraceEvent;
}

/** Encodes an event as a list: run, phase, kind, then the kind's own values. */
export function encodeEvent(run: number, event: TraceEvent): readonly unknown[] {
  return [run, PHASES.indexOf(event.phase), EVENT_CODE[event.kind], ...eventValues(event)];
}

function eventValues(event: TraceEvent): readonly unknown[] {
  switch (event.kind) {
    case "map":
      return [event.mapIdx, CHANGES.indexOf(event.change), event.key, event.value, event.flags];
    case "clock":
      return [event.clock, event.value];
    case "random":
      return [event.value];
    case "call":
      return [event.name, event.result, event.writes.map(({ arg, offset, bytes }) => [arg, offset, bytes])];
    case "output":
      return [event.channel, event.bytes];
    case "notes":
      return [encodeNotes(event.notes)];
    default:
      return unreachable(event);
  }
}

/** How much an encoded value takes in a block, at most. */
export interface Measure {
  bytes: number;
  values: number;
}

const NUMBER_BYTES = 9;
const HEAD_BYTES = 5;
const UTF8_BYTES_MAX = 3;

/** Adds what a value takes to `total`. */
export function measure(value: unknown, total: Measure): void {
  total.values++;
  if (Array.isArray(value)) {
    total.bytes += HEAD_BYTES;
    for (const item of value) measure(item, total);
  } else if (value instanceof Uint8Array) total.bytes += HEAD_BYTES + value.byteLength;
  else if (typeof value === "string") total.bytes += HEAD_BYTES + UTF8_BYTES_MAX * value.length;
  else if (isMap(value)) {
    total.bytes += HEAD_BYTES;
    for (const [key, item] of Object.entries(value)) {
      measure(key, total);
      measure(item, total);
    }
  } else total.bytes += NUMBER_BYTES;
}

/**
 * Decodes one event; its bytes are copies.
 *
 * @returns undefined for a kind of a later version.
 * @throws TRACE_FIELD (InputError).
 */
export function decodeEvent(
  value: unknown,
  what: string,
  offset: number,
  runEnd: number,
): PlacedEvent | undefined {
  const list = Array.isArray(value) ? value : [];
  const named = (names: readonly string[], from: number): Fields =>
    new Fields(Object.fromEntries(names.map((name, i) => [name, list[from + i]])), what, offset);
  const place = named(["run", "phase", "kind"], 0);
  const run = place.uint("run", runEnd);
  const phase = PHASES[place.uint("phase", 1)] ?? "before";
  const kind = KIND_OF.get(place.uint("kind"));
  if (kind === undefined) return undefined;
  return { run, event: decodeKind(kind, phase, (names) => named(names, 3)) };
}

function decodeKind(
  kind: TraceEventKind,
  phase: TraceEvent["phase"],
  named: (names: readonly string[]) => Fields,
): TraceEvent {
  switch (kind) {
    case "map":
      return decodeMapChange(phase, named(["map", "change", "key", "value", "flags"]));
    case "clock": {
      const fields = named(["clock", "value"]);
      return { phase, kind, clock: fields.text("clock"), value: fields.u64("value") };
    }
    case "random":
      return { phase, kind, value: named(["value"]).u64("value") };
    case "call": {
      const fields = named(["name", "result", "writes"]);
      return {
        phase,
        kind,
        name: fields.text("name"),
        result: fields.u64("result"),
        writes: decodeWrites(fields),
      };
    }
    case "output": {
      const fields = named(["channel", "bytes"]);
      return { phase, kind, channel: fields.text("channel"), bytes: fields.bytes("bytes") };
    }
    case "notes": {
      const fields = named(["notes"]);
      const map = fields.raw("notes");
      if (!isMap(map)) throw fields.wrong("notes", "a map");
      return { phase, kind, notes: decodeNotes(fields.inside(map)) };
    }
    default:
      return unreachable(kind);
  }
}

function decodeMapChange(phase: TraceEvent["phase"], fields: Fields): TraceEvent {
  const key = fields.optional("key", "bytes");
  const value = fields.optional("value", "bytes");
  return {
    phase,
    kind: "map",
    mapIdx: fields.uint("map"),
    change: CHANGES[fields.uint("change", CHANGES.length - 1)] ?? "update",
    ...(key === undefined ? {} : { key }),
    ...(value === undefined ? {} : { value }),
    flags: fields.u64("flags"),
  };
}

function decodeWrites(fields: Fields): HelperWrite[] {
  return fields.list("writes").map((value) => {
    const [arg, offset, bytes] = Array.isArray(value) ? (value as unknown[]) : [];
    const argNumber = toU64Value(arg) ?? 0n;
    const offsetNumber = toU64Value(offset);
    if (argNumber < 1n || argNumber > 5n || offsetNumber === undefined || !(bytes instanceof Uint8Array)) {
      throw fields.wrong("writes", "a list of register 1..5, offset and bytes");
    }
    return { arg: Number(argNumber), offset: Number(offsetNumber), bytes: new Uint8Array(bytes) };
  });
}
