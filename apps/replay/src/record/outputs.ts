import { equalBytes, type TsbpfError } from "@tsbpf/base";
import type { TraceEvent, TraceValueMap } from "@tsbpf/trace";
import type { Execution, Prog } from "@tsbpf/vm";
import { encodeEffect } from "../trace/effects.ts";

/** A run that ended without a result, for those who read the trace. */
export const failureEvent = (
  kind: "trap" | "refused",
  error: Pick<TsbpfError, "code" | "message">,
): TraceEvent => ({
  phase: "during",
  kind: "effect",
  effect: { kind, code: error.code, message: error.message },
});

const effectEvent = (effect: TraceValueMap): TraceEvent => ({ phase: "during", kind: "effect", effect });

/** Lists what a run left behind: its effects, its packet and context where they changed. */
export function outputEvents(
  prog: Prog,
  execution: Execution,
  input: {
    readonly packet: Uint8Array | undefined;
    readonly ctx: Uint8Array | undefined;
    readonly cpu: number;
  },
): TraceEvent[] {
  const events = execution.effects.map((effect) => effectEvent(encodeEffect(effect)));
  const context = prog.context(input.cpu);
  if (context.packet !== undefined) {
    const after = context.readPacket();
    if (input.packet === undefined || !equalBytes(after, input.packet))
      events.push({ phase: "during", kind: "output", channel: "packet", bytes: after });
  }
  // All that an xdp_md has beside the packet's bounds, no program may change.
  if (prog.linked.progType.ctx.struct === "xdp_md") return events;
  const ctx = context.readCtx();
  if (input.ctx === undefined || !equalBytes(ctx, input.ctx))
    events.push({ phase: "during", kind: "output", channel: "ctx", bytes: ctx });
  return events;
}
