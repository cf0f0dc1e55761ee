import type { TraceCursor } from "./cursor.ts";
import type { TraceParser } from "./parser-types.ts";
import type { MapChangeEntry, MapContents, TraceDefinitions, TraceEvent, TraceRunInput } from "./types.ts";
import type { TraceWriter } from "./writer-types.ts";

/** What is defined by number, in the order of the writer's own numbers. */
interface Defined {
  readonly programs: Map<string, number>;
  readonly maps: Map<string, number>;
  readonly interfaces: Map<string, number>;
  readonly helpers: Set<string>;
}

/** Definitions that a writer got so far, shared by all that copy to it: equal ones are written once. */
export const createDefined = (): Defined => ({
  programs: new Map(),
  maps: new Map(),
  interfaces: new Map(),
  helpers: new Set(),
});

/** Two definitions are equal when they print the same. */
const keyOf = (value: object): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "bigint" ? `${inner}n` : inner instanceof Uint8Array ? [...inner] : inner,
  );

/** Copies items of one trace to a writer, giving programs, maps and interfaces the writer's numbers. */
export class TraceCopier {
  private readonly source: TraceDefinitions;
  private readonly writer: TraceWriter;
  private readonly defined: Defined;
  private readonly programs: number[] = [];
  private readonly maps: number[] = [];
  private readonly interfaces: number[] = [];
  private helpers = 0;

  constructor(source: TraceDefinitions, writer: TraceWriter, defined: Defined) {
    this.source = source;
    this.writer = writer;
    this.defined = defined;
  }

  /** Defines what the source has defined since the last time. */
  define(): void {
    const { source, writer, defined } = this;
    follow(source.programs, this.programs, defined.programs, (one) => writer.defineProgram(one));
    follow(source.maps, this.maps, defined.maps, (one) => writer.defineMap(one));
    follow(source.interfaces, this.interfaces, defined.interfaces, (one) => writer.defineInterface(one));
    for (; this.helpers < source.helpers.length; this.helpers++) {
      const helper = source.helpers[this.helpers];
      if (helper === undefined || defined.helpers.has(keyOf(helper))) continue;
      defined.helpers.add(keyOf(helper));
      writer.defineHelper(helper);
    }
  }

  /** The number that a map of the source has in the copy. */
  mapIdx(mapIdx: number): number {
    return this.maps[mapIdx] ?? mapIdx;
  }

  contents(contents: MapContents): void {
    this.define();
    this.writer.writeContents({ ...contents, mapIdx: this.mapIdx(contents.mapIdx) });
  }

  /** Copies events; those of phase "before" belong to the run that is copied next. */
  events(events: readonly TraceEvent[]): void {
    this.define();
    for (const event of events) this.writer.writeEvent(this.translate(event));
  }

  /** Copies the run under the cursor, with its events. */
  run(parser: TraceParser, cursor: TraceCursor): void {
    this.define();
    const { writer } = this;
    const { events } = cursor;
    for (const event of events) if (event.phase === "before") writer.writeEvent(this.translate(event));
    const { index: _i, events: _e, ...run } = parser.run(cursor);
    writer.writeRun(this.translateRun(run));
    for (const event of events) if (event.phase === "during") writer.writeEvent(this.translate(event));
  }

  private translateRun(run: TraceRunInput): TraceRunInput {
    return {
      ...run,
      programIdx: this.programs[run.programIdx ?? 0] ?? 0,
      ...(run.interfaceIdx === undefined
        ? {}
        : { interfaceIdx: this.interfaces[run.interfaceIdx] ?? run.interfaceIdx }),
    };
  }

  private translate(event: TraceEvent): TraceEvent {
    if (event.kind === "map") return { ...event, mapIdx: this.mapIdx(event.mapIdx) };
    if (event.kind !== "call" || event.changes === undefined) return event;
    const changes = event.changes.map(
      (change): MapChangeEntry => ({ ...change, mapIdx: this.mapIdx(change.mapIdx) }),
    );
    return { ...event, changes };
  }
}

function follow<T extends object>(
  source: readonly T[],
  numbers: number[],
  defined: Map<string, number>,
  define: (one: T) => number,
): void {
  while (numbers.length < source.length) {
    const one = source[numbers.length] as T;
    const key = keyOf(one);
    let number = defined.get(key);
    if (number === undefined) {
      number = define(one);
      defined.set(key, number);
    }
    numbers.push(number);
  }
}
