/** Link types whose frames tsbpf can show. @source tcpdump.org link-layer header types */
export const LINK_TYPE = {
  null: 0,
  ethernet: 1,
  raw: 101,
  linuxSll: 113,
  ipv4: 228,
  ipv6: 229,
  linuxSll2: 276,
} as const;

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd, qinq: 0x88a8 } as const;

export interface EthernetHeader {
  readonly dst: Uint8Array;
  readonly src: Uint8Array;
}

export interface VlanTag {
  readonly id: number;
  readonly priority: number;
  readonly isDropEligible: boolean;
}

export interface IpHeader {
  readonly version: 4 | 6;
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
  /** Protocol of the payload after extension headers. */
  readonly protocol: number;
  /** Offset of the payload in the frame. */
  readonly payloadOffset: number;
  /** Payload bytes that the header claims. */
  readonly payloadBytes: number;
  /** Offset of this fragment in bytes; undefined when the packet is no fragment. */
  readonly fragmentOffset: number | undefined;
  readonly hasMoreFragments: boolean;
  readonly id: number;
  readonly ttl: number;
}

/** What a frame holds, as far as it could be read; a short frame gives what is whole. */
export interface Layers {
  readonly frame: Uint8Array;
  readonly ethernet: EthernetHeader | undefined;
  readonly vlans: readonly VlanTag[];
  /** Type of the payload after all tags. */
  readonly etherType: number | undefined;
  /** Offset of the network header in the frame. */
  readonly networkOffset: number;
  readonly ip: IpHeader | undefined;
}

const u16 = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

/** Splits a frame into its headers. */
export function readLayers(frame: Uint8Array, linkType: number): Layers {
  const start = readLink(frame, linkType);
  const vlans: VlanTag[] = [];
  let { etherType, offset } = start;
  while ((etherType === ETHERTYPE.vlan || etherType === ETHERTYPE.qinq) && offset + 4 <= frame.length) {
    const tci = u16(frame, offset);
    vlans.push({ id: tci & 0xfff, priority: tci >> 13, isDropEligible: (tci & 0x1000) !== 0 });
    etherType = u16(frame, offset + 2);
    offset += 4;
  }
  const ip =
    etherType === ETHERTYPE.ipv4
      ? readIpv4(frame, offset)
      : etherType === ETHERTYPE.ipv6
        ? readIpv6(frame, offset)
        : undefined;
  return { frame, ethernet: start.ethernet, vlans, etherType, networkOffset: offset, ip };
}

export interface LinkStart {
  readonly ethernet: EthernetHeader | undefined;
  readonly etherType: number | undefined;
  readonly offset: number;
}

const ipVersionType = (frame: Uint8Array, at: number): number | undefined => {
  const version = (frame[at] ?? 0) >> 4;
  return version === 4 ? ETHERTYPE.ipv4 : version === 6 ? ETHERTYPE.ipv6 : undefined;
};

/** Reads the link header: what follows it, and where. */
export function readLink(frame: Uint8Array, linkType: number): LinkStart {
  const none = { ethernet: undefined, etherType: undefined, offset: 0 };
  switch (linkType) {
    case LINK_TYPE.ethernet:
      if (frame.length < 14) return none;
      return {
        ethernet: { dst: frame.subarray(0, 6), src: frame.subarray(6, 12) },
        etherType: u16(frame, 12),
        offset: 14,
      };
    case LINK_TYPE.raw:
    case LINK_TYPE.ipv4:
    case LINK_TYPE.ipv6:
      return { ethernet: undefined, etherType: ipVersionType(frame, 0), offset: 0 };
    case LINK_TYPE.null:
      return { ethernet: undefined, etherType: ipVersionType(frame, 4), offset: 4 };
    case LINK_TYPE.linuxSll:
      return frame.length < 16 ? none : { ethernet: undefined, etherType: u16(frame, 14), offset: 16 };
    case LINK_TYPE.linuxSll2:
      return frame.length < 20 ? none : { ethernet: undefined, etherType: u16(frame, 0), offset: 20 };
    default:
      return none;
  }
}

function readIpv4(frame: Uint8Array, at: number): IpHeader | undefined {
  if (frame.length < at + 20) return undefined;
  const headerBytes = ((frame[at] ?? 0) & 0xf) * 4;
  if (headerBytes < 20) return undefined;
  const fragment = u16(frame, at + 6);
  const isFragment = (fragment & 0x3fff) !== 0;
  return {
    version: 4,
    src: frame.subarray(at + 12, at + 16),
    dst: frame.subarray(at + 16, at + 20),
    protocol: frame[at + 9] ?? 0,
    payloadOffset: at + headerBytes,
    payloadBytes: Math.max(0, u16(frame, at + 2) - headerBytes),
    fragmentOffset: isFragment ? (fragment & 0x1fff) * 8 : undefined,
    hasMoreFragments: (fragment & 0x2000) !== 0,
    id: u16(frame, at + 4),
    ttl: frame[at + 8] ?? 0,
  };
}

const IPV6_EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60, 135]);
const IPV6_FRAGMENT = 44;

function readIpv6(frame: Uint8Array, at: number): IpHeader | undefined {
  if (frame.length < at + 40) return undefined;
  const end = at + 40 + u16(frame, at + 4);
  let protocol = frame[at + 6] ?? 0;
  let offset = at + 40;
  let fragmentOffset: number | undefined;
  let hasMoreFragments = false;
  let id = 0;
  while ((IPV6_EXTENSIONS.has(protocol) || protocol === IPV6_FRAGMENT) && offset + 8 <= frame.length) {
    const next = frame[offset] ?? 0;
    if (protocol === IPV6_FRAGMENT) {
      const field = u16(frame, offset + 2);
      fragmentOffset = field & 0xfff8;
      hasMoreFragments = (field & 1) !== 0;
      id = u16(frame, offset + 4) * 65536 + u16(frame, offset + 6);
      offset += 8;
      protocol = next;
      if (fragmentOffset !== 0) break;
      continue;
    }
    offset += ((frame[offset + 1] ?? 0) + 1) * 8;
    protocol = next;
  }
  return {
    version: 6,
    src: frame.subarray(at + 8, at + 24),
    dst: frame.subarray(at + 24, at + 40),
    protocol,
    payloadOffset: offset,
    payloadBytes: Math.max(0, end - offset),
    fragmentOffset,
    hasMoreFragments,
    id,
    ttl: frame[at + 7] ?? 0,
  };
}
