import type { BpfMap, HelperPlugin, Services } from "@tsbpf/plugin";
import type {
  MapChangeEntry,
  MapContents,
  TraceCursor,
  TraceDefinitions,
  TraceEvent,
  TraceMap,
} from "@tsbpf/trace";
import type { LoadedProgram, Surroundings } from "../run/load.ts";
import type { Plugins } from "../run/plugins.ts";
import { AnswerQueue } from "./answers.ts";
import { addContents, applyChange, clearMap, otherMap, slotsOf, whyOther } from "./maps.ts";
import { answeringServices } from "./services.ts";
import { type HostRef, withStandIns } from "./stand-ins.ts";

/** What a replay did with the answers of its traces. */
export interface FeedSummary {
  /** Runs that asked for something else than was recorded, and what the first of them asked. */
  readonly diverged: number;
  readonly firstDiverged: string;
  /** Runs that asked for less than was recorded, and the first of them. */
  readonly unasked: number;
  readonly firstUnasked: string;
  /** Maps of the trace that the object does not have. */
  readonly missingMaps: readonly string[];
}

/** A map of the object that a trace names, or why there is none that could take what the trace says. */
interface FoundMap {
  readonly name: string;
  readonly map: BpfMap | undefined;
  readonly why: string | undefined;
}

/** Is told of what traces do to maps, after it is done. */
export interface FeedListener {
  contents(map: BpfMap, contents: MapContents): void;
  change(map: BpfMap, change: MapChangeEntry): void;
}

type Definitions = Pick<TraceDefinitions, "info" | "maps">;

/**
 * Gives a program what its traces hold beside runs: answers of clocks, random numbers and helpers, contents of maps and
 * changes that the host made.
 */
export class TraceFeed {
  readonly answers = new AnswerQueue();
  private readonly definitions: readonly TraceDefinitions[];
  private readonly isLive: boolean;
  private readonly ref: HostRef = { host: undefined };
  private loaded: LoadedProgram | undefined;
  /** Set by a recording, which writes down what it learns from the traces it replays. */
  listener: FeedListener | undefined;
  /** Set by whoever runs packets in batches: runs those that come before what is about to change. */
  beforeChange: (() => void) | undefined;
  private cpuCount = 1;
  /** Maps of the object by number in the trace at hand. */
  private maps: FoundMap[] = [];
  private mapsOf: Definitions | undefined;
  /** Maps that the trace at hand has put something in. */
  private readonly filled = new Set<BpfMap>();
  private readonly missing = new Set<string>();
  private unasked = 0;
  private firstUnasked = "";

  /**
   * @param definitions - what the traces to come define before their first runs.
   * @param isLive - whether clocks, random numbers and helpers are asked anew, whatever the traces hold.
   */
  constructor(definitions: readonly TraceDefinitions[], isLive = false) {
    this.definitions = definitions;
    this.isLive = isLive;
  }

  /** What a program that is to get the answers must be loaded with. */
  surroundings(): Surroundings {
    const { answers, ref } = this;
    const recorded = this.isLive ? [] : this.definitions.flatMap((one) => one.helpers);
    const seed = this.definitions.find((one) => one.info.settings?.seed !== undefined)?.info.settings?.seed;
    return {
      ...(typeof seed === "number" || typeof seed === "bigint"
        ? { seed: Number(BigInt.asIntN(32, BigInt(seed))) }
        : {}),
      services: (services: Services) => answeringServices(services, answers),
      helpers: (kernel: readonly HelperPlugin[], plugins: Plugins) =>
        withStandIns(kernel, plugins.helpers, recorded, { answers, ref }),
    };
  }

  /** CPUs that the traces were recorded with; undefined when they do not say. */
  get recordedCpus(): number | undefined {
    const counts = this.definitions.flatMap(({ info }) => {
      const cpus = info.settings?.cpus;
      return typeof cpus === "number" && cpus > 0 ? [cpus] : [];
    });
    return counts.length === 0 ? undefined : Math.max(...counts);
  }

  /** Takes the program when it is loaded. */
  attach(loaded: LoadedProgram): void {
    const { vm, object } = loaded;
    this.loaded = loaded;
    this.cpuCount = vm.cpuCount;
    const specs = [...object.maps.values()].map((map) => map.spec);
    const scratchBytes = Math.max(
      8,
      ...specs.map((spec) => Math.ceil(spec.keyBytes / 8) * 8 + spec.valueBytes),
    );
    this.ref.host = {
      memory: vm.memory,
      scratchAddress: vm.memory.allocRaw(scratchBytes, 8),
      scratchBytes,
      mapOf: (mapIdx) => {
        const found = this.maps[mapIdx];
        return found?.why === undefined ? found?.map : undefined;
      },
    };
  }

  /** Puts a part of a map's initial contents in. */
  contents(trace: Definitions, contents: MapContents): void {
    const map = this.mapAt(trace, contents.mapIdx);
    if (map === undefined) return;
    this.beforeChange?.();
    if (!this.filled.has(map)) {
      this.filled.add(map);
      clearMap(map);
    }
    addContents(map, contents, slotsOf(map, this.cpuCount));
    this.listener?.contents(map, contents);
  }

  /** Repeats what the host changed before a run. */
  changes(trace: Definitions, events: readonly TraceEvent[]): void {
    for (const event of events) {
      if (event.kind !== "map" || event.phase !== "before") continue;
      const map = this.mapAt(trace, event.mapIdx);
      if (map === undefined) continue;
      this.beforeChange?.();
      applyChange(map, event, slotsOf(map, this.cpuCount));
      this.listener?.change(map, event);
    }
  }

  /** Prepares for the run under the cursor; `trace` is undefined for a packet of a capture. */
  begin(trace: Definitions | undefined, cursor: TraceCursor): void {
    if (trace === undefined) return;
    if (cursor.events.length > 0) this.changes(trace, cursor.events);
    if (this.isLive || !cursor.hasAnswers) return;
    this.find(trace);
    this.answers.begin(cursor.events, cursor.index + 1);
  }

  /**
   * Ends a run.
   *
   * @param hasTrapped - whether it stopped early, so that what it did not ask means nothing.
   * @returns what was recorded and not asked.
   */
  end(cursor: TraceCursor, hasTrapped: boolean): string | undefined {
    const rest = this.answers.end();
    if (rest === undefined || hasTrapped) return undefined;
    this.unasked += 1;
    if (this.firstUnasked === "") this.firstUnasked = `run ${cursor.index + 1} did not ask ${rest}`;
    return rest;
  }

  /** Whether a run needs more than its packet. */
  needsMore(trace: Definitions | undefined, cursor: TraceCursor): boolean {
    return trace !== undefined && (cursor.events.length > 0 || cursor.hasCtx || cursor.cpu !== 0);
  }

  /** Whether the trace, not the machine, answers what a run asks. */
  answersFor(trace: Definitions | undefined, cursor: Pick<TraceCursor, "hasAnswers">): boolean {
    return trace !== undefined && cursor.hasAnswers && !this.isLive;
  }

  summary(): FeedSummary {
    const { unasked, firstUnasked, answers } = this;
    const { diverged, firstDiverged } = answers;
    return { diverged, firstDiverged, unasked, firstUnasked, missingMaps: [...this.missing] };
  }

  /** @throws TRACE_MAP (InputError) when the object's map cannot take what the trace says of its own. */
  private mapAt(trace: Definitions, mapIdx: number): BpfMap | undefined {
    this.find(trace);
    const found = this.maps[mapIdx];
    if (found === undefined) return undefined;
    if (found.why !== undefined) throw otherMap(found.name, found.why);
    if (found.map === undefined) this.missing.add(found.name);
    return found.map;
  }

  /** Finds the object's maps of a trace by name, as far as it has defined them. */
  private find(trace: Definitions): void {
    if (this.mapsOf !== trace) {
      this.mapsOf = trace;
      this.maps = [];
      this.filled.clear();
    }
    while (this.maps.length < trace.maps.length) {
      this.maps.push(this.findMap(trace.maps[this.maps.length] as TraceMap));
    }
  }

  private findMap(recorded: TraceMap): FoundMap {
    const map = this.loaded?.object.maps.get(recorded.name);
    const why = map === undefined ? undefined : whyOther(map, recorded, this.cpuCount);
    return { name: recorded.name, map, why };
  }
}
