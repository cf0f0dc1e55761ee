/**
 * Layout of one packet of a batch: little-endian u32 words in linear memory, in a row. The caller fills the first
 * part, the run the rest. Offsets from the start of the descriptor.
 */
export const PACKET_DESC = {
  /** In: address of the first byte. Out: where the program left it. */
  data: 0,
  /** In: one past the last byte. Out: where the program left it. */
  dataEnd: 4,
  /** In: first byte of metadata before the packet, equal to `data` when there is none. Out: as left. */
  dataMeta: 8,
  /** In: interface that the packet came in on. */
  ifindex: 12,
  /** In: receive queue. */
  rxQueue: 16,
  /** Out: low 32 bits of r0. */
  verdict: 20,
  /** Out: instructions executed. */
  insnCount: 24,
  /** Out: 0, or 1 when the run ended by a trap and there is no verdict. */
  isTrap: 28,
  bytes: 32,
} as const;
