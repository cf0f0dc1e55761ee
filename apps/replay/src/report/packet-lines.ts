import { printHexDump } from "../dissect/hex-dump.ts";
import { readLinkLayer } from "../dissect/layers.ts";
import { PacketPrinter } from "../dissect/packet-line.ts";
import type { ReplayOptions } from "../options.ts";
import { printEffectLine } from "./effects.ts";
import type { PacketOutcome } from "./packet.ts";
import { PacketTimes } from "./packet-times.ts";

const isSame = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, idx) => byte === b[idx]);

/** Says whether a run left other bytes than it was given. */
export const isChanged = ({ before, after }: Pick<PacketOutcome, "before" | "after">): boolean =>
  !isSame(before, after);

/** Prints packets for people, in order: times and TCP's numbers may depend on the packets before. */
export class PacketLines {
  private readonly options: ReplayOptions;
  private readonly times: PacketTimes;
  private readonly printer: PacketPrinter;

  constructor(options: ReplayOptions) {
    this.options = options;
    this.times = new PacketTimes(options.times);
    this.printer = new PacketPrinter({
      showLink: options.showLink,
      isQuick: options.isQuiet,
      absoluteSeq: options.absoluteSeq ?? false,
    });
  }

  /**
   * Prints a packet: number, time, verdict, instructions, and what tcpdump would say; then what the options ask for.
   *
   * @param paint - colours a verdict.
   */
  print(outcome: PacketOutcome, paint: (verdict: string) => string): string {
    const { options } = this;
    const { execution, before, after } = outcome;
    const time = this.times.print(outcome.tsSec, outcome.tsNanos);
    const line = this.printer.print(before, outcome.linkType, outcome.originalBytes);
    const changed = !isChanged(outcome)
      ? ""
      : before.length === after.length
        ? ", changed"
        : `, ${before.length} -> ${after.length} bytes`;
    const lines = [
      `#${outcome.number} ${time}${paint(execution.verdict)} ${execution.insnCount} insns${changed}  ${line}`,
    ];
    if (execution.trap !== undefined) {
      lines.push(`  trap ${execution.trap.code}: ${execution.trap.message}`);
      if (outcome.trapPlace !== undefined) lines.push(`    at ${outcome.trapPlace}`);
    }
    if (options.verbosity >= 2) {
      lines.push(...execution.effects.map((effect) => `  ${printEffectLine(effect)}`));
    }
    lines.push(...outcome.maps.map((text) => `  ${text}`), ...outcome.trace.map((text) => `  ${text}`));
    if (options.hex !== "none") lines.push(this.dump(outcome));
    return `${lines.join("\n")}\n`;
  }

  private dump({ after, linkType }: PacketOutcome): string {
    const from = this.options.hexFromLink === true ? 0 : readLinkLayer(after, linkType).networkOffset;
    return printHexDump(after.subarray(Math.min(from, after.length)), {
      withText: this.options.hex === "text",
    });
  }
}
