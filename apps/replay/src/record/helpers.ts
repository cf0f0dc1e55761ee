import { joinU64, TrapError } from "@tsbpf/base";
import type { BpfMap, Effect, HelperEnv, HelperPlugin, MapArg, MapMemory } from "@tsbpf/plugin";
import { helperThrew } from "@tsbpf/runtime";
import type { HelperQuestion, HelperWrite } from "@tsbpf/trace";
import { askedInArgs, askedInRegs, memBytes } from "../trace/asked.ts";
import { encodeEffect } from "../trace/effects.ts";
import type { AnswerLog } from "./log.ts";
import { MapWatcher } from "./watched-map.ts";

/** What recorded helpers need of the recording. */
export interface HelperRecording {
  readonly log: AnswerLog;
  /** Number of a map in the trace. */
  mapIdxOf(map: BpfMap): number | undefined;
}

/** Makes a helper that does what another does and writes it down. */
export function recordedHelper(helper: HelperPlugin, recording: HelperRecording): HelperPlugin {
  const { wasm: _, raw, call, ...rest } = helper;
  if (raw !== undefined) {
    return {
      ...rest,
      raw: (regs, env) => {
        if (recording.log.isOn) recordRaw(helper, raw, { regs, env, recording });
        else raw(regs, env);
      },
    };
  }
  return {
    ...rest,
    call: (args: never, env: HelperEnv) =>
      recording.log.isOn ? recordCall(helper, call, { args, env, recording }) : call?.(args, env),
  };
}

/** One call that is being recorded. */
class CallRecord {
  private readonly helper: HelperPlugin;
  private readonly recording: HelperRecording;
  private readonly env: HelperEnv;
  private readonly asked: HelperQuestion;
  readonly maps: MapWatcher;
  private readonly effects: Effect[] = [];
  private readonly packetBefore: { readonly start: number } | undefined;

  constructor(helper: HelperPlugin, recording: HelperRecording, env: HelperEnv, asked: HelperQuestion) {
    this.helper = helper;
    this.recording = recording;
    this.env = env;
    this.asked = asked;
    this.maps = new MapWatcher(env.memory, (map) => recording.mapIdxOf(map));
    this.packetBefore =
      helper.proto.invalidatesPacket && env.packet !== undefined
        ? { start: env.packet.dataStart }
        : undefined;
  }

  /** The environment as the helper gets it: it tells of effects and of maps. */
  innerEnv(): HelperEnv {
    const { env, effects, maps } = this;
    const sink = {
      isOn: true,
      record: (effect: Effect) => {
        effects.push(effect);
        env.effects.record(effect);
      },
    };
    const mapAt = (address: number): BpfMap | undefined => {
      const map = env.mapAt(address);
      return map === undefined ? undefined : maps.watch(map);
    };
    return Object.create(env, {
      effects: { value: sink },
      mapAt: { value: mapAt },
      count: { value: (name: string, value = 1) => sink.record({ kind: "count", name, value }) },
    }) as HelperEnv;
  }

  /** Runs the helper; what it throws is written down as the end of the run, and thrown. */
  run(body: () => void): void {
    try {
      this.recording.log.quietly(body);
    } catch (thrown) {
      const error = helperThrew(thrown, this.helper.proto.name);
      if (error instanceof TrapError) {
        this.write(0n, [], { code: error.code, message: error.message });
      }
      throw error;
    }
  }

  /** Writes the answer down. */
  write(
    result: bigint,
    writes: readonly HelperWrite[],
    error?: { readonly code: string; readonly message: string },
  ): void {
    const { asked, effects, helper, packetBefore, env } = this;
    const all = [...writes];
    if (packetBefore !== undefined && env.packet !== undefined) {
      const offset = env.packet.dataStart - packetBefore.start;
      all.push({ arg: 0, offset, bytes: env.packet.bytes().slice() });
    }
    const changes = this.maps.changes();
    this.recording.log.add({
      phase: "during",
      kind: "call",
      name: helper.proto.name,
      result,
      writes: all,
      asked,
      ...(changes.length === 0 ? {} : { changes }),
      ...(effects.length === 0 ? {} : { effects: effects.map(encodeEffect) }),
      ...(error === undefined ? {} : { error }),
    });
  }
}

function recordRaw(
  helper: HelperPlugin,
  raw: NonNullable<HelperPlugin["raw"]>,
  call: { readonly regs: Int32Array; readonly env: HelperEnv; readonly recording: HelperRecording },
): void {
  const { regs, env, recording } = call;
  const record = new CallRecord(helper, recording, env, askedInRegs(helper, regs, env));
  const spans = helper.args.flatMap((arg, idx) => {
    if (arg.kind !== "mem" || arg.access === "read" || arg.access === undefined) return [];
    const reg = idx + 1;
    const address = (regs[2 * reg] as number) >>> 0;
    if (address === 0) return [];
    const bytes = Math.min(memBytes(helper, arg, regs), env.memory.sizeBytes - address);
    return [{ arg: reg, address, bytes }];
  });
  record.run(() => raw(regs, record.innerEnv()));
  const writes = spans.map(({ arg, address, bytes }) => ({
    arg,
    offset: 0,
    bytes: env.memory.u8.slice(address, address + bytes),
  }));
  record.write(joinU64(regs[0] as number, regs[1] as number), writes);
}

function recordCall(
  helper: HelperPlugin,
  body: HelperPlugin["call"],
  call: { readonly args: never; readonly env: HelperEnv; readonly recording: HelperRecording },
): number | bigint | undefined {
  const { env, recording } = call;
  const given: Readonly<Record<string, unknown>> = call.args;
  const record = new CallRecord(helper, recording, env, askedInArgs(helper, given));
  const values = Object.fromEntries(
    helper.args.map((arg) => {
      const value = given[arg.name];
      return [arg.name, arg.kind === "map" ? watchMapArg(value as MapArg, record.maps) : value];
    }),
  );
  let result: number | bigint | undefined;
  record.run(() => {
    result = body?.(values as never, record.innerEnv());
  });
  const writes = helper.args.flatMap((arg, idx) => {
    const value = given[arg.name];
    const isWritten = arg.kind === "mem" && (arg.access === "write" || arg.access === "readwrite");
    return isWritten && value instanceof Uint8Array
      ? [{ arg: idx + 1, offset: 0, bytes: value.slice() }]
      : [];
  });
  if (helper.proto.ret.kind === "void") record.write(0n, writes);
  else if (typeof result === "bigint" || Number.isSafeInteger(result)) {
    record.write(BigInt.asUintN(64, BigInt(result as number | bigint)), writes);
  } else {
    // The caller ends the run for it, with these words.
    const message = `${helper.proto.name} returned ${String(result)}, a whole number is needed`;
    record.write(0n, writes, { code: "RUN_HELPER_RESULT", message });
  }
  return result;
}

/** A map argument that tells what the helper does to it. */
function watchMapArg(given: MapArg, watcher: MapWatcher): MapArg {
  return {
    map: watcher.watch(given.map),
    lookup: (key: MapMemory) => {
      const found = given.lookup(key);
      if (found !== null) watcher.lend(given.map, key.bytes, found.address);
      return found;
    },
  };
}
