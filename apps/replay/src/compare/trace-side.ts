import type { Effect, ProgTypePlugin } from "@tsbpf/plugin";
import { kernelProgTypes } from "@tsbpf/progs";
import type { TraceEvent } from "@tsbpf/trace";
import { decodeEffect } from "../trace/effects.ts";
import type { Visit } from "../trace/walk.ts";
import { failed, type Outcome } from "./outcome.ts";
import type { Side } from "./side.ts";

/** What the runs of a trace did when they were recorded, as far as it says. */
export class TraceSide implements Side {
  readonly title = "what the trace recorded";
  readonly facts = { recorded: true };
  readonly maps = undefined;
  readonly mapsNote = "maps are not compared: a trace does not hold what its runs left in them";

  run({ parser, cursor }: Visit): Outcome {
    const { trace } = parser;
    if (trace === undefined) return {};
    const during = cursor.events.filter((event) => event.phase === "during");
    const failure = failureOf(during);
    if (failure !== undefined) return failure;
    if (!cursor.hasResult) return {};
    const progType = typeOf(trace.programs[cursor.programIdx]?.progType);
    const retval = cursor.r0Lo >>> 0;
    const verdict = progType?.verdictName(retval) ?? `${retval}`;
    if (trace.info.settings?.outputs !== true) return { verdict };
    const outputs = new Map(
      during.flatMap((event) => (event.kind === "output" ? [[event.channel, event.bytes] as const] : [])),
    );
    return {
      verdict,
      // Packets are recorded where they changed.
      ...(cursor.hasPacket ? { packet: outputs.get("packet") ?? new Uint8Array(cursor.data()) } : {}),
      ctx: outputs.get("ctx"),
      effects: effectsOf(during),
    };
  }

  contents(): void {
    // What the trace puts into maps shows in what it recorded.
  }

  changes(): void {
    // As `contents`.
  }

  close(): void {
    // Nothing is open.
  }
}

const typeOf = (name: string | undefined): ProgTypePlugin | undefined =>
  kernelProgTypes.find((one) => one.type === name);

function failureOf(events: readonly TraceEvent[]): Outcome | undefined {
  for (const event of events) {
    if (event.kind !== "effect") continue;
    const { kind, code, message } = event.effect;
    if (kind === "trap" || kind === "refused")
      return failed({ kind, code: String(code), message: String(message) });
  }
  return undefined;
}

const effectsOf = (events: readonly TraceEvent[]): Effect[] =>
  events.flatMap((event) => (event.kind === "effect" ? [decodeEffect(event.effect)] : []));
