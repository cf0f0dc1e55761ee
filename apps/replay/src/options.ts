import type { EngineName, VerifyMode } from "@tsbpf/vm";

/** What to replay and how to show it. */
export interface ReplayOptions {
  /** Path of the object, assembly text or raw code. */
  readonly object: string;
  /** Paths of captures, replayed one after the other; `-` is standard input. */
  readonly captures: readonly string[];
  readonly prog?: string;
  readonly engine: EngineName;
  readonly verify: VerifyMode;
  /** Packets to replay at most. */
  readonly count?: number;
  /** Which packets of each capture, by number from 1; all when omitted. */
  readonly packets?: PacketRange;
  readonly cpuCount: number;
  /** 0 table only, 1 a line a packet, 2 with effects, 3 instructions of trapped packets, 4 of all. */
  readonly verbosity: number;
  readonly isQuiet: boolean;
  readonly json: boolean;
  readonly pretty: boolean;
  /** Where the resulting packets go. */
  readonly write?: string;
  /** Verdicts whose packets are written; all when omitted. */
  readonly writeVerdicts?: readonly string[];
  /** Maps to print afterwards; empty means all, undefined none. */
  readonly dumpMaps?: readonly string[];
  readonly showLink: boolean;
  readonly hex: "none" | "hex" | "text";
  readonly trace: "none" | "calls" | "insns" | "mem";
  readonly plugins: readonly string[];
  readonly ingressIfindex?: number;
  readonly rxQueue?: number;
  /** Makes an Ethernet header for packets whose link type the program does not take. */
  readonly makesEthernet: boolean;
  /** Turns a truncated capture into a failure. */
  readonly strict: boolean;
  readonly budget?: number;
}

/** Packet numbers such as `3,10-20,100-`. */
export interface PacketRange {
  has(number: number): boolean;
  /** The last number that can match. */
  readonly last: number;
}
