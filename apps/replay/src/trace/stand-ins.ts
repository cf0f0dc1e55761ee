import { hiOf, InputError, loOf, TrapError } from "@tsbpf/base";
import type { LinearMemory } from "@tsbpf/memory";
import type { BpfMap, HelperEnv, HelperPlugin } from "@tsbpf/plugin";
import type { MapChangeEntry, TraceHelper } from "@tsbpf/trace";
import type { AnswerQueue, CallAnswer } from "./answers.ts";
import { askedInArgs, askedInRegs, memBytes } from "./asked.ts";
import { decodeEffect } from "./effects.ts";
import { asksHost, isRecordable } from "./externals.ts";
import { fromTraceHelper } from "./proto.ts";

/** What stand-ins need of the machine that they run on, known only when its object is loaded. */
export interface StandInHost {
  readonly memory: LinearMemory;
  /** Room for a key and a value of any map. */
  readonly scratchAddress: number;
  readonly scratchBytes: number;
  /** Finds a map by its number in the trace at hand. */
  mapOf(mapIdx: number): BpfMap | undefined;
}

/** Where stand-ins find their host once there is one. */
export interface HostRef {
  host: StandInHost | undefined;
}

/** Adds to the helpers of Linux and of the user what a trace answers for. */
export function withStandIns(
  kernel: readonly HelperPlugin[],
  plugins: readonly HelperPlugin[],
  recorded: readonly TraceHelper[],
  context: { readonly answers: AnswerQueue; readonly ref: HostRef },
): HelperPlugin[] {
  const known = new Set([...kernel, ...plugins].map((one) => one.proto.id));
  const missing = recorded.filter((one) => !known.has(one.id));
  const loaded = plugins.map((one) => (isRecordable(one) ? liveHelper(one, context.answers) : one));
  return [
    ...kernel.map((one) => (asksHost(one) ? standIn(one, context) : one)),
    ...loaded,
    ...uniqueById(missing).map((one) => {
      const { proto, args } = fromTraceHelper(one);
      if (proto.callsBack) {
        throw new InputError(
          "TRACE_HELPER_LIVE",
          `helper ${proto.name} calls functions of the program, so no trace can answer for it: load it with --plugin`,
          { details: { name: proto.name } },
        );
      }
      return standIn({ proto, args, summary: "Answers as it was recorded.", source: "" }, context);
    }),
  ];
}

function uniqueById(helpers: readonly TraceHelper[]): TraceHelper[] {
  return [...new Map(helpers.map((one) => [one.id, one])).values()];
}

/** Runs the helper that the user loaded, and passes over what was recorded of it. */
function liveHelper(helper: HelperPlugin, answers: AnswerQueue): HelperPlugin {
  const { wasm: _, ...rest } = helper;
  const { raw, call } = helper;
  if (raw !== undefined) {
    return {
      ...rest,
      raw: (regs, env) => {
        answers.live(helper, answers.isOn ? askedInRegs(helper, regs, env) : [], () => raw(regs, env));
      },
    };
  }
  return {
    ...rest,
    call: (args, env) => {
      let result: number | bigint | undefined;
      answers.live(helper, answers.isOn ? askedInArgs(helper, args) : [], () => {
        result = call?.(args, env);
      });
      return result;
    },
  };
}

/** Makes a helper that answers from the trace; one that has an implementation uses it where no trace answers. */
function standIn(
  helper: HelperPlugin,
  { answers, ref }: { readonly answers: AnswerQueue; readonly ref: HostRef },
): HelperPlugin {
  const { proto, args, summary, source, raw } = helper;
  return {
    proto,
    args,
    summary,
    source,
    raw: (regs, env) => {
      if (!answers.isOn) {
        if (raw === undefined) throw answers.missing(proto.name);
        raw(regs, env);
        return;
      }
      const answer = answers.call(helper, askedInRegs(helper, regs, env));
      giveAnswer({ helper, answer, regs, env, answers }, ref.host);
    },
  };
}

interface Giving {
  readonly helper: HelperPlugin;
  readonly answer: CallAnswer;
  readonly regs: Int32Array;
  readonly env: HelperEnv;
  readonly answers: AnswerQueue;
}

/** Does what the helper did when it was recorded. */
function giveAnswer(giving: Giving, host: StandInHost | undefined): void {
  const { answer, regs, env } = giving;
  for (const write of answer.writes) {
    if (write.arg === 0) replacePacket(giving, write.offset, write.bytes);
    else writeMemory(giving, write.arg, write.offset, write.bytes);
  }
  for (const change of answer.changes ?? []) changeMap(giving, change, host);
  for (const effect of answer.effects ?? []) env.effects.record(decodeEffect(effect));
  if (answer.error !== undefined) throw new TrapError(answer.error.code, answer.error.message);
  regs[0] = loOf(answer.result);
  regs[1] = hiOf(answer.result);
}

/** Writes behind a pointer, within what the prototype lets the helper touch. */
function writeMemory(giving: Giving, reg: number, offset: number, bytes: Uint8Array): void {
  const { helper, regs, env, answers } = giving;
  const arg = helper.args[reg - 1];
  const allowed = arg?.kind === "mem" && arg.access !== "read" ? memBytes(helper, arg, regs) : 0;
  const address = ((regs[2 * reg] as number) >>> 0) + offset;
  if (offset + bytes.length > allowed || address + bytes.length > env.memory.sizeBytes) {
    throw answers.divergence(
      `${helper.proto.name} wrote ${bytes.length} bytes at offset ${offset} behind r${reg} when it was recorded, the program gives it ${allowed}`,
    );
  }
  env.memory.u8.set(bytes, address);
}

function replacePacket({ helper, env, answers }: Giving, move: number, bytes: Uint8Array): void {
  const { packet } = env;
  const start = (packet?.dataStart ?? 0) + move;
  if (packet === undefined || start < packet.start || start + bytes.length > packet.end) {
    throw answers.divergence(
      `${helper.proto.name} left a packet of ${bytes.length} bytes when it was recorded, which has no room here`,
    );
  }
  env.memory.u8.set(bytes, start);
  packet.setBounds(start, start + bytes.length);
  env.packetMoved();
}

function changeMap(
  { helper, env, answers }: Giving,
  entry: MapChangeEntry,
  host: StandInHost | undefined,
): void {
  const map = host?.mapOf(entry.mapIdx);
  const key = entry.key ?? new Uint8Array(0);
  const value = entry.value ?? new Uint8Array(0);
  const takesValue = entry.change !== "delete" && entry.change !== "pop";
  const isFitting =
    host !== undefined &&
    map !== undefined &&
    key.length === (entry.change === "push" || entry.change === "pop" ? 0 : map.spec.keyBytes) &&
    (!takesValue || value.length === map.spec.valueBytes);
  if (!isFitting) {
    throw answers.divergence(
      `${helper.proto.name} changed a map when it was recorded that the object does not have in this form`,
    );
  }
  const keyAt = host.scratchAddress;
  const valueAt = keyAt + Math.ceil(key.length / 8) * 8;
  const { u8 } = env.memory;
  u8.set(key, keyAt);
  u8.set(value, valueAt);
  const flags = Number(entry.flags);
  switch (entry.change) {
    case "delete":
      map.delete(keyAt, env.cpu);
      return;
    case "push":
      map.push?.(valueAt, flags);
      return;
    case "pop":
      map.pop?.(valueAt);
      return;
    case "update":
      map.update(keyAt, valueAt, flags, env.cpu);
      return;
    case "write": {
      const at = map.lookup(keyAt, env.cpu);
      if (at !== 0) u8.set(value, at);
    }
  }
}
