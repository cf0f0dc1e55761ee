import { encodeInsns } from "@tsbpf/isa";
import type { BpfMap, HelperPlugin, Services } from "@tsbpf/plugin";
import {
  crc32c,
  createTraceWriter,
  type InterfaceDescription,
  type MapChangeEntry,
  type MapContents,
  type PacketAnnotations,
  type TraceEvent,
  type TraceHelper,
  type TraceInfo,
  type TraceMap,
  type TraceProgram,
  type TraceRunInput,
  type TraceWriter,
} from "@tsbpf/trace";
import type { LiveObject, Prog } from "@tsbpf/vm";
import type { ByteSink } from "../io.ts";
import type { Surroundings } from "../run/load.ts";
import type { Plugins } from "../run/plugins.ts";
import { asksHost, isRecordable } from "../trace/externals.ts";
import { holdsPlainValues, readContents, toTraceMap } from "../trace/maps.ts";
import { toTraceHelper } from "../trace/proto.ts";
import { recordedHelper } from "./helpers.ts";
import { AnswerLog } from "./log.ts";
import { recordingServices } from "./services.ts";

const FLUSH_BYTES = 1 << 18;

const HEX_DIGITS = 8;

/** Describes a program; the tag tells its code from another's. */
function toTraceProgram({ linked, name }: Prog): TraceProgram {
  const { spec } = linked;
  const tag = crc32c(encodeInsns(spec.insns)).toString(16).padStart(HEX_DIGITS, "0");
  return {
    name,
    progType: spec.type,
    tag,
    ...(spec.section === undefined ? {} : { section: spec.section }),
  };
}

/**
 * Writes the runs of one program with all that they learn from outside.
 *
 * Load the program with `surroundings`, `start` once it is loaded, then `begin` before and `write` after each run.
 */
export class Recorder {
  readonly log = new AnswerLog();
  private readonly sink: ByteSink;
  private writer: TraceWriter | undefined;
  private readonly mapIdx = new Map<BpfMap, number>();
  private recorded: TraceHelper[] = [];
  /** Number in the trace of each interface, by what the caller calls it. */
  private readonly interfaces = new Map<string, number>();
  bytes = 0;

  constructor(sink: ByteSink) {
    this.sink = sink;
  }

  /** What the program must be loaded with, around what it would be loaded with otherwise. */
  surroundings(outer: Surroundings = {}): Surroundings {
    const { log } = this;
    const recording = { log, mapIdxOf: (map: BpfMap) => this.mapIdx.get(map) };
    return {
      ...outer,
      services: (services: Services) => recordingServices(outer.services?.(services) ?? services, log),
      helpers: (kernel: readonly HelperPlugin[], plugins: Plugins) => {
        const all = outer.helpers?.(kernel, plugins) ?? [...kernel, ...plugins.helpers];
        const custom = all.filter((one) => one.proto.since === "custom");
        this.recorded = custom.map(toTraceHelper);
        return all.map((one) =>
          asksHost(one) || (one.proto.since === "custom" && isRecordable(one))
            ? recordedHelper(one, recording)
            : one,
        );
      },
    };
  }

  /** Writes what runs refer to; without a program there is nothing but settings. */
  start(
    info: TraceInfo,
    loaded?: { readonly object: LiveObject; readonly prog: Prog; readonly cpuCount: number },
  ): void {
    if (loaded === undefined) {
      this.writer = createTraceWriter({ info });
      return;
    }
    const live = [...loaded.object.maps.values()];
    live.forEach((map, idx) => {
      this.mapIdx.set(map, idx);
    });
    const maps: TraceMap[] = live.map((map) => toTraceMap(map.spec, loaded.cpuCount));
    this.writer = createTraceWriter({
      info,
      programs: [toTraceProgram(loaded.prog)],
      maps,
      helpers: this.recorded,
    });
    for (const map of live) {
      // Global data comes with the object, and its next version may have other data.
      if (!holdsPlainValues(map.spec) || map.spec.dataSection !== undefined) continue;
      const contents = readContents(map, this.mapIdx.get(map) ?? 0, loaded.cpuCount);
      if (contents !== undefined) this.open().writeContents(contents);
    }
  }

  /** Returns the number of an interface, which is defined when it is met first. */
  interfaceIdx(
    key: string,
    ifindex: number,
    linkType: number,
    description: InterfaceDescription | undefined,
  ): number {
    const full = `${key}/${ifindex}/${linkType}`;
    const known = this.interfaces.get(full);
    if (known !== undefined) return known;
    const {
      index: _i,
      sectionIdx: _s,
      statistics: _t,
      ...rest
    } = (description ?? {}) as InterfaceDescription & {
      index?: number;
      sectionIdx?: number;
      statistics?: unknown;
    };
    const idx = this.open().defineInterface({ ...rest, linkType, ifindex });
    this.interfaces.set(full, idx);
    return idx;
  }

  /** Writes contents of a map; behind the first run, as changes that put them in. */
  contents(map: BpfMap, contents: MapContents): void {
    const mapIdx = this.mapIdx.get(map);
    if (mapIdx === undefined) return;
    if (this.runs === 0) {
      this.open().writeContents({ ...contents, mapIdx });
      return;
    }
    const { keyBytes } = map.spec;
    const step = contents.entryCount === 0 ? 0 : contents.values.length / contents.entryCount;
    for (let i = 0; i < contents.entryCount; i++) {
      const key = contents.keys.slice(i * keyBytes, (i + 1) * keyBytes);
      const value = contents.values.slice(i * step, (i + 1) * step);
      this.before({ kind: "map", phase: "before", mapIdx, change: "update", key, value, flags: 0n });
    }
  }

  /** Writes a change of a map by the host, which belongs to the next run. */
  change(
    map: BpfMap,
    { mapIdx: _, ...change }: Omit<MapChangeEntry, "mapIdx"> & { readonly mapIdx?: number },
  ): void {
    const mapIdx = this.mapIdx.get(map);
    if (mapIdx !== undefined) this.before({ kind: "map", phase: "before", mapIdx, ...change });
  }

  /** Writes something that happened before the next run. */
  before(event: TraceEvent): void {
    this.open().writeEvent(event);
  }

  /** Writes what a capture says of the packet of the next run beside bytes and time. */
  notes(annotations: PacketAnnotations): void {
    const { direction: _d, queue: _q, ...notes } = annotations;
    if (Object.keys(notes).length > 0) this.before({ kind: "notes", phase: "before", notes });
  }

  /** Writes a run and what happened while it ran. */
  write(run: TraceRunInput, events: readonly TraceEvent[]): void {
    const writer = this.open();
    writer.writeRun(run);
    for (const event of events) writer.writeEvent(event);
  }

  get runs(): number {
    return this.writer?.runCount ?? 0;
  }

  /** Hands whole blocks to the sink when there are enough of them. */
  async drain(): Promise<void> {
    const { writer } = this;
    if (writer !== undefined && writer.pendingBytes >= FLUSH_BYTES) await this.put(writer.take());
  }

  /** Closes the block at hand, so that what is recorded so far outlives the process. */
  async flush(): Promise<void> {
    this.writer?.flush();
    await this.put(this.writer?.take() ?? new Uint8Array(0));
  }

  /** Hands over what is there and leaves the trace open, as a writer that was stopped. */
  async abort(): Promise<void> {
    await this.flush();
    await this.sink.close();
  }

  /** Closes the trace. */
  async close(): Promise<void> {
    this.writer?.end();
    await this.put(this.writer?.take() ?? new Uint8Array(0));
    await this.sink.close();
  }

  private async put(bytes: Uint8Array): Promise<void> {
    this.bytes += bytes.length;
    if (bytes.length > 0) await this.sink.write(bytes);
  }

  private open(): TraceWriter {
    this.writer ??= createTraceWriter();
    return this.writer;
  }
}
