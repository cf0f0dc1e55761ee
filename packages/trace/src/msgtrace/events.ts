import { InputError, U32_MAX, unreachable } from "@tsbpf/base";
import { Fields, toU64Value } from "./fields.ts";
import { isMap } from "./msgpack.ts";
import { decodeNotes, encodeNotes } from "./packet-notes.ts";
import type { EventPhase, HelperWrite, MapChange, TraceEvent, TraceEventKind } from "./types.ts";

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
/** Registers that hold arguments. */
const ARGS_MAX = 5;

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

/** A block's events before they are decoded: lists whose first value, the run, is checked. */
export interface EventLists {
  readonly lists: readonly (readonly unknown[])[];
  /** What error texts call the block. */
  readonly what: string;
  /** File offset of the block. */
  readonly offset: number;
}

/**
 * Checks that every event names a run of its block, in order; the rest is checked when a run takes its events.
 *
 * @param runEnd - the run that stands for one still to come.
 * @throws TRACE_FIELD, TRACE_EVENT_ORDER (InputError).
 */
export function openEvents(
  values: readonly unknown[],
  what: string,
  offset: number,
  runEnd: number,
): EventLists {
  let last = 0;
  const lists = values.map((value, i) => {
    const run: unknown = Array.isArray(value) ? value[0] : undefined;
    if (typeof run !== "number" || !Number.isInteger(run) || run < 0 || run > runEnd) {
      const fields = new Fields({ run: Array.isArray(value) ? run : value }, `event ${i} of ${what}`, offset);
      throw fields.wrong("run", `a list that starts with a run in 0..${runEnd}`);
    }
    if (run < last) {
      throw new InputError(
        "TRACE_EVENT_ORDER",
        `event ${i} of ${what} belongs to run ${run}, after one of run ${last}, at offset ${offset}`,
        { details: { event: i, run, offset } },
      );
    }
    last = run;
    return value as readonly unknown[];
  });
  return { lists, what, offset };
}

/** The run that an event belongs to; undefined past the last event. */
export const runOfEvent = (events: EventLists, idx: number): number | undefined =>
  events.lists[idx]?.[0] as number | undefined;

/**
 * Decodes one event; its bytes are copies.
 *
 * @returns undefined for a kind of a later version.
 * @throws TRACE_FIELD (InputError).
 */
export function decodeEvent(events: EventLists, idx: number): TraceEvent | undefined {
  const values = new EventValues(events, idx);
  const phase = PHASES[values.uint(1, "phase", 1)] ?? "before";
  const kind = KIND_OF.get(values.uint(2, "kind", U32_MAX));
  switch (kind) {
    case "map":
      return decodeMapChange(phase, values);
    case "clock":
      return { phase, kind, clock: values.text(3, "clock"), value: values.u64(4, "value") };
    case "random":
      return { phase, kind, value: values.u64(3, "value") };
    case "call":
      return {
        phase,
        kind,
        name: values.text(3, "name"),
        result: values.u64(4, "result"),
        writes: values.writes(5),
      };
    case "output":
      return { phase, kind, channel: values.text(3, "channel"), bytes: values.bytes(4, "bytes") };
    case "notes":
      return { phase, kind, notes: decodeNotes(values.nested(3, "notes")) };
    case undefined:
      return undefined;
    default:
      return unreachable(kind);
  }
}

function decodeMapChange(phase: EventPhase, values: EventValues): TraceEvent {
  const key = values.optionalBytes(5, "key");
  const value = values.optionalBytes(6, "value");
  return {
    phase,
    kind: "map",
    mapIdx: values.uint(3, "map", U32_MAX),
    change: CHANGES[values.uint(4, "change", CHANGES.length - 1)] ?? "update",
    ...(key === undefined ? {} : { key }),
    ...(value === undefined ? {} : { value }),
    flags: values.u64(7, "flags"),
  };
}

/** Typed access to one event's list by position. */
class EventValues {
  private readonly events: EventLists;
  private readonly idx: number;
  private readonly list: readonly unknown[];

  constructor(events: EventLists, idx: number) {
    this.events = events;
    this.idx = idx;
    this.list = events.lists[idx] ?? [];
  }

  uint(at: number, name: string, max: number): number {
    const value = this.list[at];
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max) return value;
    throw this.wrong(at, name, `a whole number in 0..${max}`);
  }

  u64(at: number, name: string): bigint {
    const value = toU64Value(this.list[at]);
    if (value !== undefined) return value;
    throw this.wrong(at, name, "a whole number in 0..2^64-1");
  }

  text(at: number, name: string): string {
    const value = this.list[at];
    if (typeof value === "string") return value;
    throw this.wrong(at, name, "a text");
  }

  bytes(at: number, name: string): Uint8Array {
    const value = this.list[at];
    if (value instanceof Uint8Array) return new Uint8Array(value);
    throw this.wrong(at, name, "bytes");
  }

  optionalBytes(at: number, name: string): Uint8Array | undefined {
    const value = this.list[at];
    return value === null || value === undefined ? undefined : this.bytes(at, name);
  }

  nested(at: number, name: string): Fields {
    const value = this.list[at];
    if (isMap(value))
      return new Fields(value, `event ${this.idx} of ${this.events.what}`, this.events.offset);
    throw this.wrong(at, name, "a map");
  }

  writes(at: number): HelperWrite[] {
    const value = this.list[at];
    if (!Array.isArray(value)) throw this.wrong(at, "writes", "a list");
    return value.map((write: unknown) => {
      const [arg, offset, bytes] = Array.isArray(write) ? (write as unknown[]) : [];
      const isSound = typeof arg === "number" && arg >= 1 && arg <= ARGS_MAX && Number.isInteger(arg);
      const offsetValue = toU64Value(offset);
      if (!isSound || offsetValue === undefined || !(bytes instanceof Uint8Array)) {
        throw this.wrong(at, "writes", "lists of register 1..5, offset and bytes");
      }
      return { arg, offset: Number(offsetValue), bytes: new Uint8Array(bytes) };
    });
  }

  private wrong(at: number, name: string, allowed: string): InputError {
    const { what, offset } = this.events;
    return new Fields({ [name]: this.list[at] }, `event ${this.idx} of ${what}`, offset).wrong(name, allowed);
  }
}
