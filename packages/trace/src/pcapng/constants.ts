/** Block types. @source pcapng §4, §11.1 */
export const BLOCK = {
  section: 0x0a0d0d0a,
  interface: 1,
  packet: 2,
  simplePacket: 3,
  names: 4,
  statistics: 5,
  enhancedPacket: 6,
  custom: 0x0bad,
  customNoCopy: 0x4000_0bad,
} as const;

/** Names of blocks that are skipped, as far as they have some. @source pcapng §11.1 */
const SKIPPED_NAMES: ReadonlyMap<number, string> = new Map([
  [7, "IRIG timestamp"],
  [8, "ARINC 429"],
  [9, "systemd journal export"],
  [10, "decryption secrets"],
  [0x101, "Hone project machine info"],
  [0x102, "Hone project connection event"],
  [0x201, "sysdig machine info"],
  [0x202, "sysdig process info v1"],
  [0x204, "sysdig event"],
  [0x208, "sysdig event with flags"],
  [BLOCK.custom, "custom"],
  [BLOCK.customNoCopy, "custom, not to be copied"],
  [0x8000_0001, "Apple process event"],
]);

const LOCAL_BIT = 0x8000_0000;

/** Returns words for a block type that is skipped. */
export function skippedBlockName(type: number): string {
  return SKIPPED_NAMES.get(type) ?? ((type & LOCAL_BIT) !== 0 ? "local use" : "unknown");
}

export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
export const SECTION_VERSION_MAJOR = 1;
/** Bytes of the smallest block: type, length, length again. */
export const BLOCK_BYTES_MIN = 12;
/** Bytes of a block before its body. */
export const BLOCK_HEADER_BYTES = 8;

/** Options of every block. @source pcapng §3.5 */
export const OPT = {
  end: 0,
  comment: 1,
  customText: 2988,
  customBytes: 2989,
  customTextNoCopy: 19372,
  customBytesNoCopy: 19373,
} as const;
/** @source pcapng §4.1 */
export const SECTION_OPT = { hardware: 2, os: 3, application: 4 } as const;
/** @source pcapng §4.2 */
export const INTERFACE_OPT = {
  name: 2,
  description: 3,
  macAddress: 6,
  speed: 8,
  timeResolution: 9,
  filter: 11,
  os: 12,
  fcsBytes: 13,
  timeOffset: 14,
  hardware: 15,
} as const;
/** @source pcapng §4.3 */
export const PACKET_OPT = { flags: 2, dropCount: 4, packetId: 5, queue: 6, verdict: 7 } as const;
/** @source pcapng §4.6 */
export const STATISTICS_OPT = {
  startTime: 2,
  endTime: 3,
  received: 4,
  dropped: 5,
  filterAccepted: 6,
  osDropped: 7,
  delivered: 8,
} as const;
/** @source pcapng §4.5 */
export const NAME_RECORD = { end: 0, ipv4: 1, ipv6: 2, eui48: 3, eui64: 4 } as const;
/** First octet of a verdict option. @source pcapng §4.3 epb_verdict */
export const VERDICT = { hardware: 0, tc: 1, xdp: 2 } as const;
/** An obsolete Packet Block's drop count that says nothing. @source pcapng appendix "Packet Block (obsolete)" */
export const PACKET_BLOCK_NO_DROPS = 0xffff;
/** Time resolution of an interface that gives none: microseconds. @source pcapng §4.2 if_tsresol */
export const DEFAULT_TIME_RESOLUTION = { base: 10, exponent: 6 } as const;
/** Lowest bits of the flags word. @source pcapng §4.3.1 */
export const FLAGS_DIRECTION_MASK = 3;
export const FLAGS_INBOUND = 1;
export const FLAGS_OUTBOUND = 2;
