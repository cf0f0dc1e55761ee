import type { Btf } from "@tsbpf/btf";
import type { PacketCursor } from "@tsbpf/trace";
import type { EngineName, VerifyMode } from "@tsbpf/vm";
import type { SpreadName } from "./spread/spread.ts";

/** What to replay and how to show it. */
export interface ReplayOptions {
  /** Path of the object, assembly text or raw code. */
  readonly object: string;
  /** Paths of captures, replayed one after the other; `-` is standard input. */
  readonly captures: readonly string[];
  readonly prog?: string;
  readonly engine: EngineName;
  readonly verify: VerifyMode;
  /** Types of a kernel that the verifier judges by. */
  readonly kernelBtf?: Btf;
  /** Packets to replay at most. */
  readonly count?: number;
  /** Which packets of each capture, by number from 1; all when omitted. */
  readonly packets?: PacketRange;
  /** Which packets to replay, by what they hold; all when omitted. */
  readonly filter?: PacketTest;
  /** Virtual CPUs; 1, or as many as a trace was recorded with, when omitted. */
  readonly cpuCount?: number | undefined;
  /** How packets of captures come to CPUs; by flow when omitted. */
  readonly spread?: SpreadName;
  /**
   * 0 table only; 1 a line a packet, with the reason of failures; 2 effects, map changes, and instructions of failed
   * packets too; 3 the call trees of all packets too; 4 the instructions of all.
   */
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
  /** Whether hex dumps begin with the link header. */
  readonly hexFromLink?: boolean;
  /** How a packet's line says when it was captured; the time of day when omitted. */
  readonly times?: TimeStyle;
  /** Whether TCP's numbers are shown as they are, not from the start of the connection. */
  readonly absoluteSeq?: boolean;
  /** Verdicts whose packets are shown; all when omitted. */
  readonly showVerdicts?: readonly string[];
  /** Prints how many packets took how many instructions. */
  readonly histogram?: boolean;
  /** Where instruction counts by function stack go. */
  readonly profile?: string;
  /** Where counts of source lines go. */
  readonly coverage?: string;
  /** Where every instruction goes, a JSON object a line. */
  readonly stepLog?: string;
  readonly trace: "none" | "calls" | "insns" | "mem";
  readonly plugins: readonly string[];
  readonly ingressIfindex?: number;
  readonly rxQueue?: number;
  /** Makes an Ethernet header for packets whose link type the program does not take. */
  readonly makesEthernet: boolean;
  /** Turns a truncated capture into a failure. */
  readonly strict: boolean;
  readonly budget?: number;
  /** Asks clocks, random numbers and helpers anew, whatever traces hold. */
  readonly asksAnew?: boolean;
}

/** tcpdump's `-t`, without, twice, three, four and five times. */
export type TimeStyle = "clock" | "none" | "epoch" | "delta" | "date" | "since";

/** Says which packets are wanted; `PacketFilter` is one. */
export interface PacketTest {
  accepts(cursor: PacketCursor): boolean;
}

/** Packet numbers such as `3,10-20,100-`. */
export interface PacketRange {
  has(number: number): boolean;
  /** The last number that can match. */
  readonly last: number;
}
