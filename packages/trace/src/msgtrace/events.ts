import { InputError, S32_MAX, S32_MIN, U32_MAX, unreachable } from "@tsbpf/base";
import { Fields, isU32, toS64Value, toU64Value } from "./fields.ts";
import { isMap } from "./msgpack.ts";
import { decodeNotes, encodeNotes } from "./packet-notes.ts";
import type {
  AskedValue,
  HelperFailure,
  HelperQuestion,
  HelperWrite,
  MapChange,
  MapChangeEntry,
  TraceEvent,
  TraceEventKind,
  TraceValueMap,
} from "./types.ts";
import { toPlainMap } from "./values.ts";

/** The number that stands for a kind of event in a file. */
const EVENT_CODE: Readonly<Record<TraceEventKind, number>> = {
  map: 1,
  clock: 2,
  random: 3,
  call: 4,
  output: 5,
  notes: 6,
  effect: 7,
};
const KIND_OF: ReadonlyMap<unknown, TraceEventKind> = new Map(
  Object.entries(EVENT_CODE).map(([kind, code]) => [code, kind as TraceEventKind]),
);
const CHANGES: readonly MapChange[] = ["update", "delete", "push", "pop", "write"];
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
      return encodeChange(event);
    case "clock":
      return [event.clock, event.value];
    case "random":
      return [event.value];
    case "call":
      return trimEnd([
        event.name,
        event.result,
        event.writes.map(({ arg, offset, bytes }) => [arg, offset, bytes]),
        event.asked,
        event.changes?.map(encodeChange),
        event.effects,
        event.error === undefined ? undefined : [event.error.code, event.error.message],
      ]);
    case "output":
      return [event.channel, event.bytes];
    case "effect":
      return [event.effect];
    case "notes":
      return [encodeNotes(event.notes)];
    default:
      return unreachable(event);
  }
}

const encodeChange = ({ mapIdx, change, key, value, flags }: MapChangeEntry): readonly unknown[] => [
  mapIdx,
  CHANGES.indexOf(change),
  key,
  value,
  flags,
];

/** Leaves out what is undefined at a list's end. */
function trimEnd(values: readonly unknown[]): readonly unknown[] {
  return values.slice(0, values.findLastIndex((value) => value !== undefined) + 1);
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
      return { phase, kind, ...values.change(3) };
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
        ...values.callExtras(6),
      };
    case "output":
      return { phase, kind, channel: values.text(3, "channel"), bytes: values.bytes(4, "bytes") };
    case "effect":
      return { phase, kind, effect: values.plainMap(3, "effect") };
    case "notes":
      return { phase, kind, notes: decodeNotes(values.nested(3, "notes")) };
    case undefined:
      return undefined;
    default:
      return unreachable(kind);
  }
}

/** Typed access to one event's list by position. */
class EventValues {
  private readonly events: EventLists;
  private readonly idx: number;
  private readonly list: readonly unknown[];

  /** @param shownIdx - number that error texts give the event, where the list is a part of one. */
  constructor(events: EventLists, idx: number, shownIdx = idx) {
    this.events = events;
    this.idx = shownIdx;
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

  plainMap(at: number, name: string): TraceValueMap {
    const value = toPlainMap(this.list[at]);
    if (value !== undefined) return value;
    throw this.wrong(at, name, "a map");
  }

  /** Decodes the change of a map whose values start at `at`. */
  change(at: number): MapChangeEntry {
    const key = this.optionalBytes(at + 2, "key");
    const value = this.optionalBytes(at + 3, "value");
    return {
      mapIdx: this.uint(at, "map", U32_MAX),
      change: CHANGES[this.uint(at + 1, "change", CHANGES.length - 1)] ?? "update",
      ...(key === undefined ? {} : { key }),
      ...(value === undefined ? {} : { value }),
      flags: this.u64(at + 4, "flags"),
    };
  }

  writes(at: number): HelperWrite[] {
    return this.items(at, "writes").map((write: unknown) => {
      const [arg, offset, bytes] = Array.isArray(write) ? (write as unknown[]) : [];
      const isSound = typeof arg === "number" && arg >= 0 && arg <= ARGS_MAX && Number.isInteger(arg);
      const place = toS64Value(offset);
      const least = arg === 0 ? S32_MIN : 0;
      const most = arg === 0 ? S32_MAX : U32_MAX;
      if (
        !isSound ||
        place === undefined ||
        place < least ||
        place > most ||
        !(bytes instanceof Uint8Array)
      ) {
        throw this.wrong(at, "writes", "lists of register 0..5, offset and bytes");
      }
      return { arg, offset: place, bytes: new Uint8Array(bytes) };
    });
  }

  /** Decodes what a call may say beyond its result: the question, changes of maps, effects, its failure. */
  callExtras(at: number): {
    readonly asked?: HelperQuestion;
    readonly changes?: readonly MapChangeEntry[];
    readonly effects?: readonly TraceValueMap[];
    readonly error?: HelperFailure;
  } {
    const has = (place: number): boolean => (this.list[place] ?? null) !== null;
    return {
      ...(has(at) ? { asked: this.items(at, "asked").map((value) => this.askedValue(at, value)) } : {}),
      ...(has(at + 1) ? { changes: this.changes(at + 1) } : {}),
      ...(has(at + 2) ? { effects: this.effects(at + 2) } : {}),
      ...(has(at + 3) ? { error: this.failure(at + 3) } : {}),
    };
  }

  private failure(at: number): HelperFailure {
    const [code, message] = this.items(at, "error");
    if (typeof code === "string" && typeof message === "string") return { code, message };
    throw this.wrong(at, "error", "a list of two texts");
  }

  private changes(at: number): MapChangeEntry[] {
    return this.items(at, "changes").map((item) => {
      if (!Array.isArray(item)) throw this.wrong(at, "changes", "a list of lists");
      return new EventValues({ ...this.events, lists: [item] }, 0, this.idx).change(0);
    });
  }

  private effects(at: number): TraceValueMap[] {
    return this.items(at, "effects").map((item) => {
      const effect = toPlainMap(item);
      if (effect === undefined) throw this.wrong(at, "effects", "a list of maps");
      return effect;
    });
  }

  private askedValue(at: number, value: unknown): AskedValue {
    if (value === null || typeof value === "string") return value;
    if (value instanceof Uint8Array) return new Uint8Array(value);
    const number = toU64Value(value);
    if (number !== undefined) return number;
    const { bytes, crc } = isMap(value) ? value : {};
    if (isU32(bytes) && isU32(crc)) return { bytes, crc };
    throw this.wrong(at, "asked", "a list of numbers, bytes, texts, maps of bytes and crc, and nil");
  }

  private items(at: number, name: string): readonly unknown[] {
    const value = this.list[at];
    if (Array.isArray(value)) return value;
    throw this.wrong(at, name, "a list");
  }

  private wrong(at: number, name: string, allowed: string): InputError {
    const { what, offset } = this.events;
    return new Fields({ [name]: this.list[at] }, `event ${this.idx} of ${what}`, offset).wrong(name, allowed);
  }
}
