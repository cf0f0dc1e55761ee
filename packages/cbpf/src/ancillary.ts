/** Offsets of absolute loads that read facts about a packet instead of its bytes. */
export interface Ancillary {
  /** Added to {@link ANCILLARY_OFFSET}. */
  readonly offset: number;
  /** Word of `tcpdump -d`. */
  readonly listing: string;
  /** Word of the kernel's bpf_asm. */
  readonly assembly: string;
}

/** Where such offsets start, as an unsigned number. @source linux uapi/linux/filter.h SKF_AD_OFF */
export const ANCILLARY_OFFSET = 0xffff_f000;

/** Offsets from here on count from the network header. @source linux uapi/linux/filter.h SKF_NET_OFF */
export const NETWORK_OFFSET = 0xfff0_0000;

/** Offsets from here on count from the link-layer header. @source linux uapi/linux/filter.h SKF_LL_OFF */
export const LINK_OFFSET = 0xffe0_0000;

/** @source linux uapi/linux/filter.h SKF_AD_* */
export const ANCILLARIES = {
  protocol: { offset: 0, listing: "proto", assembly: "proto" },
  packetType: { offset: 4, listing: "type", assembly: "type" },
  ifindex: { offset: 8, listing: "ifidx", assembly: "ifidx" },
  netlinkAttribute: { offset: 12, listing: "nla", assembly: "nla" },
  netlinkNested: { offset: 16, listing: "nlan", assembly: "nlan" },
  mark: { offset: 20, listing: "mark", assembly: "mark" },
  queue: { offset: 24, listing: "queue", assembly: "queue" },
  hardwareType: { offset: 28, listing: "hatype", assembly: "hatype" },
  hash: { offset: 32, listing: "rxhash", assembly: "rxhash" },
  cpu: { offset: 36, listing: "cpu", assembly: "cpu" },
  xorX: { offset: 40, listing: "xor_x", assembly: "xor_x" },
  vlanTag: { offset: 44, listing: "vlan_tci", assembly: "vlan_tci" },
  vlanPresent: { offset: 48, listing: "vlanp", assembly: "vlan_avail" },
  payload: { offset: 52, listing: "poff", assembly: "poff" },
  random: { offset: 56, listing: "random", assembly: "rand" },
  vlanProtocol: { offset: 60, listing: "vlan_tpid", assembly: "vlan_tpid" },
} as const satisfies Readonly<Record<string, Ancillary>>;

export type AncillaryName = keyof typeof ANCILLARIES;

const BY_OFFSET: ReadonlyMap<number, AncillaryName> = new Map(
  (Object.keys(ANCILLARIES) as AncillaryName[]).map((name) => [ANCILLARIES[name].offset, name]),
);

/** Returns what an absolute load reads besides the packet; undefined when it reads the packet or nothing. */
export const ancillaryOf = (k: number): AncillaryName | undefined =>
  k < ANCILLARY_OFFSET ? undefined : BY_OFFSET.get(k - ANCILLARY_OFFSET);

/** Returns the operand of an absolute load that reads a fact about the packet. */
export const ancillaryK = (name: AncillaryName): number => ANCILLARY_OFFSET + ANCILLARIES[name].offset;
