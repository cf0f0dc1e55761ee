import type { Execution } from "@tsbpf/vm";
import { toPlain } from "./effects.ts";
import { isChanged } from "./packet-lines.ts";

/** One packet after its run. */
export interface PacketOutcome {
  /** From 1, as tshark numbers frames. */
  readonly number: number;
  readonly capture: string;
  readonly tsSec: number;
  readonly tsNanos: number;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  readonly originalBytes: number;
  readonly linkType: number;
  readonly execution: Execution;
  /** Where the run trapped: function, slot, source line. */
  readonly trapPlace?: string | undefined;
  /** Call tree or instructions, for people. */
  readonly trace: readonly string[];
  /** Changes of maps, for people. */
  readonly maps: readonly string[];
  /** Call tree for machines. */
  readonly calls?: unknown;
  /** Changes of maps for machines. */
  readonly mapChanges?: readonly unknown[];
}

const printTime = (outcome: PacketOutcome): string =>
  `${outcome.tsSec}.${String(outcome.tsNanos).padStart(9, "0")}`;

/** Prints a packet as one JSON line. */
export function printPacketJson(outcome: PacketOutcome): string {
  const { execution } = outcome;
  return `${JSON.stringify({
    packet: outcome.number,
    capture: outcome.capture,
    ts: printTime(outcome),
    len: outcome.originalBytes,
    caplen: outcome.before.length,
    verdict: execution.verdict,
    retval: execution.retval,
    insns: execution.insnCount,
    ...(isChanged(outcome) ? { out_len: outcome.after.length, changed: true } : {}),
    ...(execution.effects.length === 0 ? {} : { effects: toPlain(execution.effects) }),
    ...(execution.trap === undefined
      ? {}
      : {
          trap: {
            code: execution.trap.code,
            message: execution.trap.message,
            details: toPlain(execution.trap.details),
            ...(outcome.trapPlace === undefined ? {} : { at: outcome.trapPlace }),
          },
        }),
    ...(outcome.mapChanges === undefined || outcome.mapChanges.length === 0
      ? {}
      : { maps: outcome.mapChanges }),
    ...(outcome.calls === undefined ? {} : { calls: outcome.calls }),
    ...(outcome.trace.length === 0 ? {} : { trace: outcome.trace }),
  })}\n`;
}
