import type { RunInput } from "@tsbpf/plugin";
import type { TraceCursor } from "@tsbpf/trace";
import type { Prog } from "@tsbpf/vm";
import type { ReplayOptions } from "../options.ts";
import { frameOf } from "../run/frame.ts";
import type { Session } from "../run/session.ts";
import type { InputParser } from "./input.ts";
import { originFields } from "./run-input.ts";

/** What a program is run on, and where. */
export interface RunPlan {
  readonly input: RunInput;
  readonly cpu: number;
}

/** Returns the CPU for what is under the cursor: traces say it, unless the user wants packets to be spread anew. */
export function cpuFor(
  { options, spread, vm }: Pick<Session, "options" | "spread" | "vm">,
  parser: InputParser,
  cursor: TraceCursor,
): number {
  const isRecorded = parser.trace !== undefined && (options.spread ?? "recorded") === "recorded";
  return isRecorded ? cursor.cpu % vm.cpuCount : spread.cpuOf(cursor, parser);
}

/** For whom inputs are made. */
export interface Planning {
  readonly prog: Prog;
  readonly options: Pick<ReplayOptions, "ingressIfindex" | "rxQueue">;
  readonly cpu: number;
}

/**
 * Makes a run's input of what is under the cursor.
 *
 * @param packet - the frame that the program gets.
 */
export function planOf(
  { options, prog, cpu }: Planning,
  parser: InputParser,
  cursor: TraceCursor,
  packet: Uint8Array,
): RunPlan {
  const isTrace = parser.trace !== undefined;
  const ctx = isTrace && cursor.hasCtx ? cursor.ctx() : undefined;
  const fields = {
    ...(ctx === undefined ? originFields(prog.linked.progType, parser.originOf(cursor)) : {}),
    ...(options.ingressIfindex === undefined ? {} : { ingress_ifindex: options.ingressIfindex }),
    ...(options.rxQueue === undefined ? {} : { rx_queue_index: options.rxQueue }),
  };
  return {
    input: {
      ...(isTrace && !cursor.hasPacket ? {} : { packet }),
      ...(ctx === undefined ? {} : { ctx }),
      ...(Object.keys(fields).length === 0 ? {} : { fields }),
    },
    cpu,
  };
}

/**
 * Runs the program on what is under the cursor, for totals only.
 *
 * @returns the low 32 bits of the result.
 * @throws TrapError when the run ends by rule; RUN_INPUT (InputError) when the program type cannot take the input.
 */
export function executeForTotals(
  session: Session,
  capture: string,
  parser: InputParser,
  cursor: TraceCursor,
): number {
  const { feed, prog } = session;
  const packet = frameOf(session, capture, cursor);
  const { ifindex, queue } = parser.originOf(cursor);
  if (feed === undefined && ifindex === 1 && queue === 0) return prog.executePacket(packet, session.cpu);
  feed?.begin(parser.trace, cursor);
  let hasTrapped = true;
  try {
    let retval: number;
    if (feed?.needsMore(parser.trace, cursor) === true || ifindex !== 1 || queue !== 0) {
      const plan = planOf(session, parser, cursor, packet);
      const { retval: result, trap } = prog.execute(plan.input, { cpu: plan.cpu });
      if (trap !== undefined) throw trap;
      retval = result;
    } else retval = prog.executePacket(packet, session.cpu);
    hasTrapped = false;
    return retval;
  } finally {
    feed?.end(cursor, hasTrapped);
  }
}
