import type { MapContents, TraceDefinitions, TraceEvent } from "@tsbpf/trace";
import type { Visit } from "../trace/walk.ts";
import type { Difference } from "./differ.ts";
import type { Outcome } from "./outcome.ts";

/** A map of one side, as far as it can be read. */
export interface SideMap {
  readonly name: string;
  readonly type: string;
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** Reads all elements, by key in hex; elements of queues are numbered. */
  read(): ReadonlyMap<string, Uint8Array>;
  /** Reads one element. */
  get(key: string): Uint8Array | undefined;
}

/** What was seen of side A in all. */
export interface Seen {
  readonly packets: number;
  readonly verdicts: ReadonlyMap<string, number>;
}

/** What a program did, from wherever it is known: an engine, the running kernel, a trace, expectations. */
export interface Side {
  /** One line for people. */
  readonly title: string;
  /** Facts for machines. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Maps by name; undefined when nothing is known of them. */
  readonly maps: ReadonlyMap<string, SideMap> | undefined;
  /** Maps that this side has and that cannot be read. */
  readonly unreadable?: ReadonlySet<string> | undefined;
  /** Why maps are not compared, for people. */
  readonly mapsNote?: string | undefined;
  run(visit: Visit): Outcome | Promise<Outcome>;
  /** Lists what differs in all, when every packet was run. */
  finish?(other: Side, seen: Seen): readonly Difference[];
  /** Takes what a trace holds beside runs. */
  contents(trace: TraceDefinitions, contents: MapContents): void;
  changes(trace: TraceDefinitions, events: readonly TraceEvent[]): void;
  close(): void;
}

/** Makes a side anew, as it is before the first packet. */
export type OpenSide = () => Promise<Side>;
