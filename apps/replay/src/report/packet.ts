import type { Execution } from "@tsbpf/vm";
import { printHexDump } from "../dissect/hex-dump.ts";
import { printPacketLine } from "../dissect/packet-line.ts";
import type { ReplayOptions } from "../options.ts";
import { printEffectLine, toPlain } from "./effects.ts";

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
  readonly trace: readonly string[];
}

const printTime = (outcome: PacketOutcome): string =>
  `${outcome.tsSec}.${String(outcome.tsNanos).padStart(9, "0")}`;

const isSame = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, idx) => byte === b[idx]);

/** Prints a packet for people. */
export function printPacket(
  outcome: PacketOutcome,
  options: ReplayOptions,
  paint: (verdict: string) => string,
): string {
  const { execution } = outcome;
  const changed = isSame(outcome.before, outcome.after)
    ? ""
    : `, ${outcome.before.length} -> ${outcome.after.length} bytes`;
  const lines = [
    `#${outcome.number} ${paint(execution.verdict)} ${execution.insnCount} insns${changed}  ${printPacketLine(outcome.before, outcome.linkType, { showLink: options.showLink, isQuick: options.isQuiet, originalBytes: outcome.originalBytes })}`,
  ];
  if (execution.trap !== undefined) lines.push(`  trap ${execution.trap.code}: ${execution.trap.message}`);
  if (options.verbosity >= 2)
    lines.push(...execution.effects.map((effect) => `  ${printEffectLine(effect)}`));
  lines.push(...outcome.trace.map((line) => `  ${line}`));
  if (options.hex !== "none") lines.push(printHexDump(outcome.after, { withText: options.hex === "text" }));
  return `${lines.join("\n")}\n`;
}

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
    ...(isSame(outcome.before, outcome.after) ? {} : { out_len: outcome.after.length, changed: true }),
    ...(execution.effects.length === 0 ? {} : { effects: toPlain(execution.effects) }),
    ...(execution.trap === undefined
      ? {}
      : {
          trap: {
            code: execution.trap.code,
            message: execution.trap.message,
            details: toPlain(execution.trap.details),
          },
        }),
    ...(outcome.trace.length === 0 ? {} : { trace: outcome.trace }),
  })}\n`;
}
