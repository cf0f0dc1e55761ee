import { printIp } from "./address.ts";
import { printDns } from "./dns.ts";
import { printIcmp4, printIcmp6 } from "./icmp.ts";
import { u8, u16, u32 } from "./read.ts";
import { printTcp, type TcpStreams } from "./tcp.ts";

export interface IpOptions {
  readonly isQuick: boolean;
  readonly streams: TcpStreams | undefined;
  /** Whether the family is named first; link headers say it already. */
  readonly namesFamily: boolean;
}

const PROTOCOL = {
  icmp: 1,
  igmp: 2,
  ipip: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  gre: 47,
  icmp6: 58,
  none: 59,
} as const;
const DEPTH_LAST = 8;

/** A payload and who sends it to whom. */
interface Payload {
  /** Captured bytes, cut to what the header claims. */
  readonly bytes: Uint8Array;
  /** Bytes that the header claims. */
  readonly length: number;
  readonly protocol: number;
  readonly src: string;
  readonly dst: string;
  readonly version: 4 | 6;
}

/** Prints an IPv4 packet as tcpdump does. @source RFC 791 */
export function printIp4(packet: Uint8Array, options: IpOptions, depth = 0): string {
  const family = options.namesFamily ? "IP " : "";
  if (packet.length < 20) return `${family}[|ip]`;
  const headerBytes = (u8(packet, 0) & 0xf) * 4;
  if (headerBytes < 20) return `${family}bad-hlen ${headerBytes}`;
  const claimed = u16(packet, 2);
  // A length of zero is what segmentation offload leaves.
  const length = claimed === 0 ? packet.length : claimed;
  if (length < headerBytes) return `${family}bad-len ${length}`;
  const missing = length - packet.length;
  const truncated = missing > 0 ? `truncated-ip - ${missing} bytes missing! ` : "";
  const payload: Payload = {
    bytes: packet.subarray(headerBytes, length),
    length: length - headerBytes,
    protocol: u8(packet, 9),
    src: printIp(packet.subarray(12, 16)),
    dst: printIp(packet.subarray(16, 20)),
    version: 4,
  };
  if ((u16(packet, 6) & 0x1fff) !== 0) {
    return `${family}${truncated}${payload.src} > ${payload.dst}: ip-proto-${payload.protocol}`;
  }
  return `${family}${truncated}${printWithPeers(payload, options, depth)}`;
}

/** Prints an IPv6 packet as tcpdump does. @source RFC 8200 */
export function printIp6(packet: Uint8Array, options: IpOptions, depth = 0): string {
  const family = options.namesFamily ? "IP6 " : "";
  if (packet.length < 40) return `${family}[|ip6]`;
  const claimed = u16(packet, 4);
  const missing = claimed + 40 - packet.length;
  const truncated = missing > 0 ? `truncated-ip6 - ${missing} bytes missing!` : "";
  const end = claimed === 0 ? packet.length : claimed + 40;
  const whole: Payload = {
    bytes: packet.subarray(40, end),
    length: end - 40,
    protocol: u8(packet, 6),
    src: printIp(packet.subarray(8, 24)),
    dst: printIp(packet.subarray(24, 40)),
    version: 6,
  };
  if (!isExtension(whole.protocol)) return `${family}${truncated}${printWithPeers(whole, options, depth)}`;
  return `${family}${truncated}${whole.src} > ${whole.dst}: ${printExtensions(whole, options, depth)}`;
}

const EXTENSION_NAMES: Readonly<Record<number, string>> = {
  0: "HBH",
  43: "srcrt",
  60: "DSTOPT",
  135: "mobility",
};
const FRAGMENT = 44;
const EXTENSIONS_MAX = 16;
const isExtension = (protocol: number): boolean => protocol === FRAGMENT || protocol in EXTENSION_NAMES;

/** Walks extension headers and prints what follows them; behind them ports stand without addresses. */
function printExtensions(whole: Payload, options: IpOptions, depth: number): string {
  const { bytes } = whole;
  let { protocol } = whole;
  let at = 0;
  let text = "";
  for (let count = 0; count < EXTENSIONS_MAX && isExtension(protocol); count++) {
    const name = protocol === FRAGMENT ? "frag" : EXTENSION_NAMES[protocol];
    if (at + 8 > bytes.length) return `${text}[|${name}]`;
    const next = u8(bytes, at);
    if (protocol === FRAGMENT) {
      const field = u16(bytes, at + 2);
      const offset = field & 0xfff8;
      text += `frag (${offset}|${Math.max(0, whole.length - at - 8)})`;
      if (offset !== 0) return text;
      text += " ";
      at += 8;
    } else {
      text += `${name} `;
      at += (u8(bytes, at + 1) + 1) * 8;
    }
    protocol = next;
  }
  const payload = { ...whole, protocol, bytes: bytes.subarray(at), length: Math.max(0, whole.length - at) };
  return `${text}${printBehindExtensions(payload, options, depth)}`;
}

function printBehindExtensions(payload: Payload, options: IpOptions, depth: number): string {
  const { protocol, bytes } = payload;
  const hasPorts = protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp;
  const ports = hasPorts && bytes.length >= 4 ? `${u16(bytes, 0)} > ${u16(bytes, 2)}: ` : "";
  return `${ports}${printPayload(payload, options, depth)}`;
}

function printWithPeers(payload: Payload, options: IpOptions, depth: number): string {
  const { src, dst, protocol, bytes } = payload;
  const hasPorts = (protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp) && bytes.length >= 4;
  const peers = hasPorts ? `${src}.${u16(bytes, 0)} > ${dst}.${u16(bytes, 2)}` : `${src} > ${dst}`;
  return `${peers}: ${printPayload(payload, options, depth)}`;
}

function printPayload(payload: Payload, options: IpOptions, depth: number): string {
  const { protocol, bytes, length, version, src, dst } = payload;
  const isDeep = depth >= DEPTH_LAST;
  switch (protocol) {
    case PROTOCOL.tcp:
      return printTcp(bytes, length, { ...options, src, dst });
    case PROTOCOL.udp:
      return printUdp(payload, options.isQuick);
    case PROTOCOL.icmp:
      return version === 4 ? printIcmp4(bytes, length) : printOther(payload);
    case PROTOCOL.icmp6:
      return version === 6 ? printIcmp6(bytes, length) : printOther(payload);
    case PROTOCOL.igmp:
      return printIgmp(bytes);
    case PROTOCOL.ipip:
      return isDeep ? printOther(payload) : printIp4(bytes, options, depth + 1);
    case PROTOCOL.ipv6:
      return isDeep ? printOther(payload) : printIp6(bytes, options, depth + 1);
    case PROTOCOL.gre:
      return isDeep ? printOther(payload) : printGre(payload, { ...options, namesFamily: true }, depth);
    case PROTOCOL.none:
      return "no next header";
    default:
      return printOther(payload);
  }
}

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  50: "ESP",
  51: "AH",
  89: "OSPF",
  103: "PIM",
  112: "VRRP",
  132: "sctp",
};

const printOther = ({ protocol, length }: Payload): string => {
  const name = PROTOCOL_NAMES[protocol];
  return name === undefined ? ` ip-proto-${protocol} ${length}` : `${name}, length ${length}`;
};

const PORT = { dns: 53, bootps: 67, bootpc: 68, ntp: 123, mdns: 5353 } as const;
const NTP_MODES: readonly string[] = [
  "unspecified",
  "symmetric active",
  "symmetric passive",
  "Client",
  "Server",
  "Broadcast",
  "Reserved",
  "Reserved",
];

function printUdp({ bytes, length }: Payload, isQuick: boolean): string {
  if (length < 8) return `truncated-udp ${length}`;
  if (bytes.length < 8) return "[|udp]";
  const datagramBytes = u16(bytes, 4);
  if (datagramBytes !== 0 && datagramBytes < 8) return `truncated-udplength ${datagramBytes}`;
  const bodyBytes = (datagramBytes === 0 ? length : datagramBytes) - 8;
  if (isQuick) return `UDP, length ${bodyBytes}`;
  const ports = [u16(bytes, 0), u16(bytes, 2)];
  const body = bytes.subarray(8, 8 + bodyBytes);
  if (ports.includes(PORT.dns)) return printDns(body, bodyBytes);
  if (ports.includes(PORT.mdns)) return printDns(body, bodyBytes);
  if ((ports.includes(PORT.bootps) || ports.includes(PORT.bootpc)) && body.length >= 34) {
    const kind = u8(body, 0) === 1 ? "Request" : "Reply";
    const mac = Array.from(body.subarray(28, 34), (byte) => byte.toString(16).padStart(2, "0")).join(":");
    return `BOOTP/DHCP, ${kind}${kind === "Request" ? ` from ${mac}` : ""}, length ${bodyBytes}`;
  }
  if (ports.includes(PORT.ntp) && body.length > 0) {
    const first = u8(body, 0);
    return `NTPv${(first >> 3) & 7}, ${NTP_MODES[first & 7]}, length ${bodyBytes}`;
  }
  return `UDP, length ${bodyBytes}`;
}

/** @source RFC 2236, RFC 3376 */
function printIgmp(bytes: Uint8Array): string {
  if (bytes.length < 8) return "[|igmp]";
  const group = printIp(bytes.subarray(4, 8));
  switch (u8(bytes, 0)) {
    case 0x11:
      return `igmp query v${bytes.length >= 12 ? 3 : u8(bytes, 1) === 0 ? 1 : 2}${u32(bytes, 4) === 0 ? "" : ` [gaddr ${group}]`}`;
    case 0x12:
      return `igmp v1 report ${group}`;
    case 0x16:
      return `igmp v2 report ${group}`;
    case 0x17:
      return `igmp leave ${group}`;
    case 0x22:
      return `igmp v3 report, ${u16(bytes, 6)} group record(s)`;
    default:
      return `igmp-${u8(bytes, 0)}`;
  }
}

/** @source RFC 2784, RFC 2890 */
function printGre(payload: Payload, options: IpOptions, depth: number): string {
  const { bytes, length } = payload;
  const flags = u16(bytes, 0);
  const head = `GREv${flags & 7}, length ${length}`;
  let at = 4;
  if ((flags & 0x8000) !== 0) at += 4;
  const key = (flags & 0x2000) !== 0 ? `, key=0x${u32(bytes, at).toString(16)}` : "";
  if ((flags & 0x2000) !== 0) at += 4;
  if ((flags & 0x1000) !== 0) at += 4;
  if (bytes.length < at || (flags & 7) !== 0) return head;
  const inside = bytes.subarray(at);
  const text = `GREv0${key}, length ${length}: `;
  if (u16(bytes, 2) === 0x0800) return `${text}${printIp4(inside, options, depth + 1)}`;
  if (u16(bytes, 2) === 0x86dd) return `${text}${printIp6(inside, options, depth + 1)}`;
  return `${text}gre-proto-0x${u16(bytes, 2).toString(16)}`;
}
