import type { ReplayOptions } from "../options.ts";

/** What to compare, and what to do with what differs. */
export interface CompareOptions
  extends Pick<
    ReplayOptions,
    | "object"
    | "captures"
    | "prog"
    | "engine"
    | "verify"
    | "kernelBtf"
    | "plugins"
    | "cpuCount"
    | "budget"
    | "count"
    | "packets"
    | "filter"
    | "makesEthernet"
    | "ingressIfindex"
    | "rxQueue"
    | "asksAnew"
    | "strict"
    | "isQuiet"
    | "json"
    | "pretty"
  > {
  /** What side B is, in words: see `parseAgainst`. */
  readonly against: readonly string[];
  /** File of expectations, in the place of `against`. */
  readonly expect?: string;
  /** Where the packets that show differences go. */
  readonly diffWrite?: string;
  /** Packets shown of each group of differences; 3 when omitted. */
  readonly examples?: number;
}

/** What a comparison found. */
export interface CompareSummary {
  readonly packets: number;
  /** Packets that show differences. */
  readonly different: number;
  /** Whether anything differs, in a packet or in all. */
  readonly isDifferent: boolean;
  readonly isInterrupted: boolean;
}
