import { InputError, parseHexBytes, printHexBytes } from "@tsbpf/base";
import type { BpfMap } from "@tsbpf/plugin";
import type { TraceDefinitions } from "@tsbpf/trace";
import type { ReplayIo } from "../io.ts";
import type { ReplayOptions } from "../options.ts";
import { frameOf } from "../run/frame.ts";
import { type LoadedProgram, type LoadOptions, loadProgram } from "../run/load.ts";
import { planOf } from "../trace/execute.ts";
import { TraceFeed } from "../trace/feed.ts";
import { holdsPlainValues } from "../trace/maps.ts";
import type { Visit } from "../trace/walk.ts";
import { failed, type Outcome, outcomeOf } from "./outcome.ts";
import type { Side, SideMap } from "./side.ts";

/** How a side that runs here is made. */
export interface MachineOptions
  extends LoadOptions,
    Pick<ReplayOptions, "makesEthernet" | "ingressIfindex" | "rxQueue"> {
  readonly asksAnew?: boolean;
  /** Whether inputs are taken exactly as the kernel's test run takes them. */
  readonly isTestRun?: boolean;
  /** CPU that all runs are on; of per-CPU maps only its values count then. */
  readonly fixedCpu?: number;
}

/** Span of memory that all maps of a side lie in. */
export interface MapSpan {
  readonly bytes: Uint8Array;
  readonly start: number;
}

/** A program that runs here. */
export class MachineSide implements Side {
  readonly title: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly maps: ReadonlyMap<string, SideMap>;
  readonly loaded: LoadedProgram;
  private readonly options: MachineOptions;
  private readonly feed: TraceFeed | undefined;

  private constructor(options: MachineOptions, loaded: LoadedProgram, feed: TraceFeed | undefined) {
    this.options = options;
    this.loaded = loaded;
    this.feed = feed;
    const { object, engine, verify, plugins } = options;
    const { name } = loaded.prog;
    const parts = [
      engine,
      ...(verify === "strict" ? [] : [`verify ${verify}`]),
      ...plugins.map((path) => `plugin ${path}`),
    ];
    this.title = `${object} ${name}, ${parts.join(", ")}`;
    this.facts = { object, prog: name, engine, verify, plugins };
    this.maps = new Map(
      [...loaded.object.maps].flatMap(([mapName, map]) =>
        // Constants come with the object, and what refers to objects of this machine means nothing elsewhere.
        map.spec.isFrozen === true || !isComparable(map)
          ? []
          : [[mapName, sideMap(map, options.fixedCpu)] as const],
      ),
    );
  }

  /** @throws what loading the program throws. */
  static async open(
    options: MachineOptions,
    io: ReplayIo,
    definitions: readonly TraceDefinitions[],
  ): Promise<MachineSide> {
    const feed = definitions.length === 0 ? undefined : new TraceFeed(definitions, options.asksAnew ?? false);
    const cpuCount = options.cpuCount ?? feed?.recordedCpus;
    const loaded = await loadProgram({ ...options, cpuCount }, io, {
      ...feed?.surroundings(),
      isTestRun: options.isTestRun ?? false,
    });
    feed?.attach(loaded);
    return new MachineSide(options, loaded, feed);
  }

  run(visit: Visit): Outcome {
    const { loaded, options, feed } = this;
    const { prog, clock } = loaded;
    const { parser, cursor, path } = visit;
    clock(cursor.tsSec, cursor.tsNanos);
    try {
      const frame = frameOf({ prog, options }, path, cursor);
      const cpu = options.fixedCpu ?? (parser.trace === undefined ? 0 : cursor.cpu % loaded.vm.cpuCount);
      const { input } = planOf({ prog, options, cpu }, parser, cursor, frame);
      feed?.begin(parser.trace, cursor);
      const execution = prog.execute(input, { cpu });
      const unasked = feed?.end(cursor, execution.trap !== undefined);
      const outcome = outcomeOf(prog, execution, cpu);
      return unasked === undefined ? outcome : { ...outcome, unasked };
    } catch (error) {
      if (!(error instanceof InputError) || error.code !== "RUN_INPUT") throw error;
      feed?.end(cursor, true);
      return failed({ kind: "refused", code: error.code, message: error.message });
    }
  }

  contents(...args: Parameters<TraceFeed["contents"]>): void {
    this.feed?.contents(...args);
  }

  changes(...args: Parameters<TraceFeed["changes"]>): void {
    this.feed?.changes(...args);
  }

  /** The memory of all maps, as it is. */
  mapSpan(): MapSpan {
    const { vm, mapSpan } = this.loaded;
    return { bytes: vm.memory.u8.subarray(mapSpan.start, mapSpan.end), start: mapSpan.start };
  }

  close(): void {
    // Memory goes with the object.
  }
}

const KEYLESS = /^(queue|stack)$/;

const isComparable = (map: BpfMap): boolean => holdsPlainValues(map.spec) || KEYLESS.test(map.spec.type);

/** @param cpu - whose values of a per-CPU map count; all when omitted. */
function sideMap(map: BpfMap, cpu: number | undefined): SideMap {
  const { name, type, keyBytes, valueBytes } = map.spec;
  const isKeyless = KEYLESS.test(type);
  const stride = Math.ceil(valueBytes / 8) * 8;
  const own = (value: Uint8Array): Uint8Array =>
    cpu === undefined || !type.includes("percpu")
      ? value
      : value.subarray(cpu * stride, cpu * stride + valueBytes);
  const read = (): Map<string, Uint8Array> => {
    const entries = new Map<string, Uint8Array>();
    let idx = 0;
    for (const [key, value] of map.entries())
      entries.set(isKeyless ? `${idx++}` : printHexBytes(key), own(value));
    return entries;
  };
  return {
    name,
    type,
    keyBytes,
    valueBytes,
    read,
    get: (key) => {
      if (isKeyless) return read().get(key);
      const value = map.get(parseHexBytes(key));
      return typeof value === "number" ? undefined : own(value);
    },
  };
}
