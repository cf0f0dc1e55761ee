import { u16 } from "./read.ts";

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
  /** Type of what follows. */
  readonly nextType: number;
}

/** What comes before the network header of a frame. */
export interface LinkLayer {
  readonly ethernet: EthernetHeader | undefined;
  /** Type that the link header names. */
  readonly linkType: number | undefined;
  readonly vlans: readonly VlanTag[];
  /** Type of the payload after all tags; undefined when the frame is too short to say. */
  readonly etherType: number | undefined;
  /** Offset of the network header in the frame. */
  readonly networkOffset: number;
}

/** Reads the link header and the tags behind it. */
export function readLinkLayer(frame: Uint8Array, linkType: number): LinkLayer {
  const start = readLink(frame, linkType);
  const vlans: VlanTag[] = [];
  let { etherType, offset } = start;
  while (isTag(etherType) && offset + 4 <= frame.length) {
    const tci = u16(frame, offset);
    etherType = u16(frame, offset + 2);
    vlans.push({
      id: tci & 0xfff,
      priority: tci >> 13,
      isDropEligible: (tci & 0x1000) !== 0,
      nextType: etherType,
    });
    offset += 4;
  }
  return { ethernet: start.ethernet, linkType: start.etherType, vlans, etherType, networkOffset: offset };
}

const isTag = (etherType: number | undefined): boolean =>
  etherType === ETHERTYPE.vlan || etherType === ETHERTYPE.qinq;

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
