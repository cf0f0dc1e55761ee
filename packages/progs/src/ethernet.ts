/** Bytes of an Ethernet header. */
export const ETH_HEADER_BYTES = 14;

/** How a packet was received. @source linux uapi/linux/if_packet.h PACKET_HOST */
const PACKET_TYPE = { host: 0, broadcast: 1, multicast: 2, otherHost: 3, outgoing: 4 } as const;

const ETHER_TYPE_OFFSET = 12;
/** Smallest value of the type field that is a type and not a length. @source linux uapi/linux/if_ether.h ETH_P_802_3_MIN */
const ETHER_TYPE_MIN = 0x600;
/** Pseudo-types of frames that carry a length, as the ctx field reads them. @source linux uapi/linux/if_ether.h ETH_P_802_3 */
const RAW_802_3 = 0x0100;
const LLC_802_2 = 0x0400;
const MAC_BYTES = 6;
const NOVELL_MARK = 0xff;

/** Address of an interface and the address of everybody on its link. */
export interface LinkAddresses {
  readonly own: Uint8Array;
  readonly broadcast: Uint8Array;
}

/** The loopback interface's addresses are all zeros. */
export const LOOPBACK: LinkAddresses = {
  own: new Uint8Array(MAC_BYTES),
  broadcast: new Uint8Array(MAC_BYTES),
};

const isAt = (bytes: Uint8Array, address: Uint8Array): boolean => {
  for (let i = 0; i < MAC_BYTES; i++) if (bytes[i] !== address[i]) return false;
  return true;
};

/**
 * Returns the ethertype as a context field reads it: two bytes in network order, zero-extended.
 *
 * @param packet - at least 14 bytes from the Ethernet header on.
 * @source linux net/ethernet eth_type_trans; T-21
 */
export function etherProtocol(packet: Uint8Array): number {
  const hi = packet[ETHER_TYPE_OFFSET] ?? 0;
  const lo = packet[ETHER_TYPE_OFFSET + 1] ?? 0;
  if (hi * 256 + lo >= ETHER_TYPE_MIN) return lo * 256 + hi;
  const isRaw = packet[ETH_HEADER_BYTES] === NOVELL_MARK && packet[ETH_HEADER_BYTES + 1] === NOVELL_MARK;
  return isRaw ? RAW_802_3 : LLC_802_2;
}

/** Returns the packet type that an interface's driver would note. */
export function packetType(packet: Uint8Array, addresses: LinkAddresses): number {
  if (isAt(packet, addresses.own)) return PACKET_TYPE.host;
  if (((packet[0] ?? 0) & 1) === 0) return PACKET_TYPE.otherHost;
  return isAt(packet, addresses.broadcast) ? PACKET_TYPE.broadcast : PACKET_TYPE.multicast;
}

/** Parses `02:00:00:00:00:01`; bytes that are missing or no hex count as zero. */
export function parseMac(text: string): Uint8Array {
  const mac = new Uint8Array(MAC_BYTES);
  const parts = text.split(":");
  for (let i = 0; i < MAC_BYTES; i++) mac[i] = Number.parseInt(parts[i] ?? "0", 16) || 0;
  return mac;
}

/** Returns the addresses of an interface that is no loopback. */
export const linkAddresses = (mac: string): LinkAddresses => ({
  own: parseMac(mac),
  broadcast: new Uint8Array(MAC_BYTES).fill(NOVELL_MARK),
});

/** Ethertypes as context fields read them. @source linux uapi/linux/if_ether.h */
export const PROTOCOL = { ipv4: 0x0008, ipv6: 0xdd86 } as const;
