import type { PacketDirection } from "@tsbpf/trace";
import type { PacketRange, ReplayOptions } from "../options.ts";

/** What to record, from what, and where it goes. */
export interface RecordOptions
  extends Pick<
    ReplayOptions,
    | "captures"
    | "prog"
    | "engine"
    | "verify"
    | "plugins"
    | "cpuCount"
    | "spread"
    | "budget"
    | "makesEthernet"
    | "strict"
    | "isQuiet"
    | "json"
    | "pretty"
    | "count"
    | "filter"
  > {
  /** Program to run and record; without one, packets and settings are recorded. */
  readonly object?: string;
  /** Where the trace goes. */
  readonly write: string;
  readonly packets?: PacketRange;
  /** Files with contexts, a run each, for programs without packets; after the captures. */
  readonly contexts: readonly string[];
  /** Whether what runs leave behind is recorded too: packets, contexts, effects. */
  readonly outputs: boolean;
  readonly seed?: number;
  readonly ifindex?: number;
  readonly queue?: number;
  readonly direction?: PacketDirection;
  /** Further settings, for people or plugins. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly comments: readonly string[];
  /** File with changes of maps by the host, a JSON object a line. */
  readonly mapChanges?: string;
}

/** What a recording did. */
export interface RecordSummary {
  readonly runs: number;
  readonly trapped: number;
  readonly refused: number;
  readonly bytes: number;
  readonly isTruncated: boolean;
  readonly isInterrupted: boolean;
}
