import { InputError } from "@tsbpf/base";
import type { CaptureParser, PacketCursor } from "@tsbpf/trace";
import { flowHash } from "./flow-hash.ts";

/** How packets come to CPUs. */
export type SpreadName = "flow" | "round-robin" | "recorded";

export const SPREADS: readonly SpreadName[] = ["flow", "round-robin", "recorded"];

/** Entries of the table that leads from a hash to a CPU. */
export const TABLE_MASK = 127;

/**
 * Returns the CPU of a hash. Entry i of the table names CPU i modulo their number, as drivers fill it.
 *
 * @source linux include/linux/ethtool.h ethtool_rxfh_indir_default
 */
export const cpuOfHash = (hash: number, cpuCount: number): number => (hash & TABLE_MASK) % cpuCount;

/** Chooses the CPU of one packet after the other. */
export interface Spread {
  /** @throws REPLAY_NO_CPU (InputError) when recorded CPUs are asked for and the capture has none for the packet. */
  cpuOf(cursor: PacketCursor, parser: Pick<CaptureParser, "annotations">): number;
  /** Whether the bytes of a packet alone decide. */
  readonly isByFlow: boolean;
  /** CPU of the next packet when they take turns; undefined when it is the packets that decide. */
  readonly nextCpu?: number;
  /** Passes over packets that somebody else has chosen CPUs for. */
  pass?(packets: number): void;
}

/**
 * Makes what spreads packets over CPUs. The answers depend on the packets and their order alone.
 *
 * @param cpuCount - at least 1; with 1 nothing is looked at.
 */
export function createSpread(name: SpreadName, cpuCount: number): Spread {
  if (cpuCount === 1) return { isByFlow: false, cpuOf: () => 0 };
  switch (name) {
    case "flow":
      return {
        isByFlow: true,
        cpuOf: ({ bytes, dataOffset, capturedBytes, linkType }) =>
          cpuOfHash(flowHash(bytes, dataOffset, dataOffset + capturedBytes, linkType), cpuCount),
      };
    case "round-robin": {
      let next = 0;
      return {
        isByFlow: false,
        cpuOf: () => {
          const cpu = next;
          next = (next + 1) % cpuCount;
          return cpu;
        },
        get nextCpu() {
          return next;
        },
        pass: (packets) => {
          next = (next + packets) % cpuCount;
        },
      };
    }
    case "recorded":
      return { isByFlow: false, cpuOf: (cursor, parser) => recordedQueue(cursor, parser) % cpuCount };
  }
}

function recordedQueue(cursor: PacketCursor, parser: Pick<CaptureParser, "annotations">): number {
  const { queue } = parser.annotations(cursor);
  if (queue !== undefined) return queue;
  throw new InputError(
    "REPLAY_NO_CPU",
    `packet ${cursor.index + 1} has no recorded queue, which --spread recorded takes for the CPU; pcapng's epb_queue holds it`,
  );
}
