import { printIp, printMac } from "./address.ts";
import { ETHERTYPE, type IpHeader, type Layers, readLayers } from "./layers.ts";

export interface PacketLineOptions {
  /** Whether the link header is printed too. */
  readonly showLink?: boolean;
  /** Whether only addresses and ports are printed. */
  readonly isQuick?: boolean;
  /** Bytes of the frame on the wire; the captured bytes when omitted. */
  readonly originalBytes?: number;
}

const ETHERTYPE_NAMES: Readonly<Record<number, string>> = {
  [ETHERTYPE.ipv4]: "IPv4",
  [ETHERTYPE.arp]: "ARP",
  [ETHERTYPE.vlan]: "802.1Q",
  [ETHERTYPE.ipv6]: "IPv6",
  [ETHERTYPE.qinq]: "802.1Q-QinQ",
};

const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmp6: 58 } as const;

const hex4 = (value: number): string => `0x${value.toString(16).padStart(4, "0")}`;
const typeName = (etherType: number): string =>
  `${ETHERTYPE_NAMES[etherType] ?? "Unknown"} (${hex4(etherType)})`;

/** Prints a frame as one line in tcpdump's manner. */
export function printPacketLine(
  frame: Uint8Array,
  linkType: number,
  options: PacketLineOptions = {},
): string {
  const layers = readLayers(frame, linkType);
  const length = options.originalBytes ?? frame.length;
  const link = options.showLink === true ? printLink(layers, length) : "";
  const tags = layers.vlans
    .map((tag) => `vlan ${tag.id}, p ${tag.priority}${tag.isDropEligible ? ", DEI" : ""}, `)
    .join("");
  return `${link}${tags}${printNetwork(layers, length, options.isQuick ?? false)}`;
}

function printLink(layers: Layers, length: number): string {
  if (layers.ethernet === undefined) return "";
  const { src, dst } = layers.ethernet;
  const type = layers.etherType ?? 0;
  return `${printMac(src)} > ${printMac(dst)}, ethertype ${typeName(type)}, length ${length}: `;
}

function printNetwork(layers: Layers, length: number, isQuick: boolean): string {
  const { etherType, ip, frame, networkOffset } = layers;
  if (etherType === ETHERTYPE.arp) return printArp(frame, networkOffset);
  if (ip !== undefined) return printIpPacket(frame, ip, isQuick);
  if (etherType === undefined) return `[|link], length ${length}`;
  if (etherType === ETHERTYPE.ipv4 || etherType === ETHERTYPE.ipv6)
    return `[|${typeName(etherType)}], length ${length}`;
  if (etherType < 0x0600) return `802.3, length ${etherType}`;
  return `ethertype ${typeName(etherType)}, length ${length}`;
}

const u16 = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
const u32 = (bytes: Uint8Array, at: number): number => u16(bytes, at) * 65536 + u16(bytes, at + 2);

function printArp(frame: Uint8Array, at: number): string {
  if (frame.length < at + 28) return "[|ARP]";
  const sender = printIp(frame.subarray(at + 14, at + 18));
  const target = printIp(frame.subarray(at + 24, at + 28));
  const length = frame.length - at;
  const operation = u16(frame, at + 6);
  if (operation === 1) return `ARP, Request who-has ${target} tell ${sender}, length ${length}`;
  if (operation === 2)
    return `ARP, Reply ${sender} is-at ${printMac(frame.subarray(at + 8, at + 14))}, length ${length}`;
  return `ARP, op ${operation}, length ${length}`;
}

function printIpPacket(frame: Uint8Array, ip: IpHeader, isQuick: boolean): string {
  const family = ip.version === 4 ? "IP" : "IP6";
  const src = printIp(ip.src);
  const dst = printIp(ip.dst);
  const fragment =
    ip.fragmentOffset === undefined ? "" : `, frag (${ip.fragmentOffset}${ip.hasMoreFragments ? "+" : ""})`;
  if (ip.fragmentOffset !== undefined && ip.fragmentOffset > 0) {
    return `${family} ${src} > ${dst}: ${protocolName(ip.protocol)}${fragment}, length ${ip.payloadBytes}`;
  }
  const at = ip.payloadOffset;
  if (ip.protocol === PROTOCOL.tcp && frame.length >= at + 20) {
    return `${family} ${src}.${u16(frame, at)} > ${dst}.${u16(frame, at + 2)}: ${printTcp(frame, ip, isQuick)}${fragment}`;
  }
  if (ip.protocol === PROTOCOL.udp && frame.length >= at + 8) {
    const bytes = Math.max(0, u16(frame, at + 4) - 8);
    return `${family} ${src}.${u16(frame, at)} > ${dst}.${u16(frame, at + 2)}: UDP${fragment}, length ${bytes}`;
  }
  if ((ip.protocol === PROTOCOL.icmp || ip.protocol === PROTOCOL.icmp6) && frame.length >= at + 8) {
    const name = ip.protocol === PROTOCOL.icmp ? "ICMP" : "ICMP6";
    return `${family} ${src} > ${dst}: ${name}, ${printIcmp(frame, at, ip.protocol)}${fragment}, length ${ip.payloadBytes}`;
  }
  return `${family} ${src} > ${dst}: ${protocolName(ip.protocol)}${fragment}, length ${ip.payloadBytes}`;
}

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  1: "ICMP",
  2: "IGMP",
  4: "IPIP",
  6: "TCP",
  17: "UDP",
  41: "IP6",
  47: "GRE",
  50: "ESP",
  51: "AH",
  58: "ICMP6",
  132: "SCTP",
};

const protocolName = (protocol: number): string => PROTOCOL_NAMES[protocol] ?? `ip-proto-${protocol}`;

const TCP_FLAGS: readonly (readonly [number, string])[] = [
  [0x01, "F"],
  [0x02, "S"],
  [0x04, "R"],
  [0x08, "P"],
  [0x20, "U"],
  [0x40, "E"],
  [0x80, "W"],
];

function printTcp(frame: Uint8Array, ip: IpHeader, isQuick: boolean): string {
  const at = ip.payloadOffset;
  const headerBytes = ((frame[at + 12] ?? 0) >> 4) * 4;
  const payloadBytes = Math.max(0, ip.payloadBytes - headerBytes);
  if (isQuick) return `tcp ${payloadBytes}`;
  const bits = frame[at + 13] ?? 0;
  const letters = TCP_FLAGS.filter(([bit]) => (bits & bit) !== 0)
    .map(([, letter]) => letter)
    .join("");
  const hasAck = (bits & 0x10) !== 0;
  const flags = `${letters}${hasAck ? "." : ""}`;
  const seq = u32(frame, at + 4);
  const range = payloadBytes > 0 ? `${seq}:${(seq + payloadBytes) >>> 0}` : `${seq}`;
  const showSeq = payloadBytes > 0 || (bits & 0x07) !== 0;
  return [
    `Flags [${flags === "" ? "none" : flags}]`,
    ...(showSeq ? [`seq ${range}`] : []),
    ...(hasAck ? [`ack ${u32(frame, at + 8)}`] : []),
    `win ${u16(frame, at + 14)}`,
    `length ${payloadBytes}`,
  ].join(", ");
}

const ICMP4_TYPES: Readonly<Record<number, string>> = {
  0: "echo reply",
  3: "destination unreachable",
  5: "redirect",
  8: "echo request",
  11: "time exceeded",
};

const ICMP6_TYPES: Readonly<Record<number, string>> = {
  1: "destination unreachable",
  2: "packet too big",
  3: "time exceeded",
  128: "echo request",
  129: "echo reply",
  133: "router solicitation",
  134: "router advertisement",
  135: "neighbor solicitation",
  136: "neighbor advertisement",
  143: "multicast listener report v2",
};

function printIcmp(frame: Uint8Array, at: number, protocol: number): string {
  const type = frame[at] ?? 0;
  const name = (protocol === PROTOCOL.icmp ? ICMP4_TYPES : ICMP6_TYPES)[type] ?? `type ${type}`;
  const isEcho = name.startsWith("echo");
  return isEcho ? `${name}, id ${u16(frame, at + 4)}, seq ${u16(frame, at + 6)}` : name;
}
