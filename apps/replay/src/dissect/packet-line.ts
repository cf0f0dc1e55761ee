import { printIp, printMac } from "./address.ts";
import { type IpOptions, printIp4, printIp6 } from "./ip.ts";
import { ETHERTYPE, type LinkLayer, readLinkLayer } from "./layers.ts";
import { u8, u16 } from "./read.ts";
import { TcpStreams } from "./tcp.ts";

export interface PacketLineOptions {
  /** Whether the link header is printed too. */
  readonly showLink?: boolean;
  /** Whether only addresses, ports and lengths are printed. */
  readonly isQuick?: boolean;
  /** Whether TCP's numbers are printed as they are; they count from the start of a connection when omitted. */
  readonly absoluteSeq?: boolean;
}

const ETHERTYPE_NAMES: Readonly<Record<number, string>> = {
  [ETHERTYPE.ipv4]: "IPv4",
  [ETHERTYPE.arp]: "ARP",
  [ETHERTYPE.vlan]: "802.1Q",
  [ETHERTYPE.ipv6]: "IPv6",
  [ETHERTYPE.qinq]: "802.1Q-QinQ",
  34887: "MPLS unicast",
  34915: "PPPoE D",
  34916: "PPPoE S",
  34958: "EAPOL",
  35020: "LLDP",
  36864: "Loopback",
};
const LLDP = 35020;
/** Smaller numbers in the place of a type are lengths. */
const TYPE_FIRST = 0x0600;

const hex4 = (value: number): string => `0x${value.toString(16).padStart(4, "0")}`;
const typeName = (etherType: number): string =>
  `${ETHERTYPE_NAMES[etherType] ?? "Unknown"} (${hex4(etherType)})`;

/** Prints frames as tcpdump prints them, in the order in which they were captured. */
export class PacketPrinter {
  private readonly showLink: boolean;
  private readonly ip: IpOptions;

  constructor(options: PacketLineOptions = {}) {
    this.showLink = options.showLink ?? false;
    this.ip = {
      isQuick: options.isQuick ?? false,
      streams: options.absoluteSeq === true ? undefined : new TcpStreams(),
      namesFamily: !this.showLink,
    };
  }

  /**
   * Prints one frame as a line.
   *
   * @param originalBytes - bytes of the frame on the wire.
   */
  print(frame: Uint8Array, linkType: number, originalBytes = frame.length): string {
    const layer = readLinkLayer(frame, linkType);
    const head = this.showLink ? printLink(layer, originalBytes) : "";
    return `${head}${this.printNetwork(frame, layer, originalBytes)}`;
  }

  private printNetwork(frame: Uint8Array, layer: LinkLayer, length: number): string {
    const { etherType, networkOffset, ethernet } = layer;
    const packet = frame.subarray(networkOffset);
    const ip = ethernet === undefined ? { ...this.ip, namesFamily: true } : this.ip;
    if (etherType === undefined) return `[|ether], length ${length}`;
    switch (etherType) {
      case ETHERTYPE.ipv4:
        return printIp4(packet, ip);
      case ETHERTYPE.ipv6:
        return printIp6(packet, ip);
      case ETHERTYPE.arp:
        return printArp(packet, this.showLink);
      case LLDP:
        return `LLDP, length ${packet.length}`;
      default:
        return etherType < TYPE_FIRST
          ? printLlc(packet, etherType, this.showLink)
          : printUnknown(layer, { length, showLink: this.showLink });
    }
  }
}

/** Prints one frame as a line in tcpdump's manner, TCP's numbers as they are. */
export const printPacketLine = (
  frame: Uint8Array,
  linkType: number,
  options: Omit<PacketLineOptions, "absoluteSeq"> = {},
): string => new PacketPrinter({ ...options, absoluteSeq: true }).print(frame, linkType);

function printLink({ ethernet, linkType = 0, vlans }: LinkLayer, length: number): string {
  if (ethernet === undefined) return "";
  const { src, dst } = ethernet;
  const kind =
    linkType < TYPE_FIRST ? `802.3, length ${linkType}` : `ethertype ${typeName(linkType)}, length ${length}`;
  const tags = vlans.map(({ id, priority, isDropEligible, nextType }) => {
    const dei = isDropEligible ? ", DEI" : "";
    return `vlan ${id}, p ${priority}${dei}, ethertype ${typeName(nextType)}, `;
  });
  const head = `${printMac(src)} > ${printMac(dst)}, ${kind}: `;
  return `${head}${tags.join("")}`;
}

function printUnknown(
  { ethernet, etherType = 0 }: LinkLayer,
  { length, showLink }: { readonly length: number; readonly showLink: boolean },
): string {
  if (showLink) return "";
  const peers = ethernet === undefined ? "" : `${printMac(ethernet.src)} > ${printMac(ethernet.dst)}, `;
  return `${peers}ethertype ${typeName(etherType)}, length ${length}:`;
}

/** @source RFC 826 */
function printArp(packet: Uint8Array, showLink: boolean): string {
  const name = showLink ? "" : "ARP, ";
  if (packet.length < 28) return `${name}[|ARP]`;
  const [senderMac, targetMac] = [packet.subarray(8, 14), packet.subarray(18, 24)];
  const [sender, target] = [printIp(packet.subarray(14, 18)), printIp(packet.subarray(24, 28))];
  const hasTarget = targetMac.some((byte) => byte !== 0);
  const { length } = packet;
  const operation = u16(packet, 6);
  switch (operation) {
    case 1: {
      const hint = hasTarget ? ` (${printMac(targetMac)})` : "";
      return `${name}Request who-has ${target}${hint} tell ${sender}, length ${length}`;
    }
    case 2:
      return `${name}Reply ${sender} is-at ${printMac(senderMac)}, length ${length}`;
    case 3:
      return `${name}Reverse Request who-is ${printMac(targetMac)} tell ${printMac(senderMac)}, length ${length}`;
    case 4:
      return `${name}Reverse Reply ${printMac(targetMac)} at ${target}, length ${length}`;
    default:
      return `${name}op ${operation}, length ${length}`;
  }
}

const STP_SAP = 0x42;
const STP_LINK = "LLC, dsap STP (0x42) Individual, ssap STP (0x42) Command, ctrl 0x03: ";
const hex2 = (value: number): string => value.toString(16).padStart(2, "0");

/** Prints what a length in the place of the type is followed by. @source IEEE 802.2, 802.1D */
function printLlc(packet: Uint8Array, length: number, showLink: boolean): string {
  const [destination, source, control] = [u8(packet, 0), u8(packet, 1), u8(packet, 2)];
  if (packet.length < 3) return `[|llc], length ${length}`;
  if (destination === STP_SAP && source === STP_SAP && control === 3) {
    return `${showLink ? STP_LINK : ""}${printStp(packet.subarray(3), length)}`;
  }
  return `LLC, dsap 0x${hex2(destination)}, ssap 0x${hex2(source)}, ctrl 0x${hex2(control)}, length ${length}`;
}

const STP_FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [0x01, "Topology change"],
  [0x02, "Proposal"],
  [0x10, "Learn"],
  [0x20, "Forward"],
  [0x40, "Agreement"],
  [0x80, "Topology change ACK"],
];
const STP_CONFIG_BYTES = 35;

function printStp(bpdu: Uint8Array, length: number): string {
  const version = ["802.1d", undefined, "802.1w", "802.1s"][u8(bpdu, 2)];
  const type = u8(bpdu, 3);
  if (version === undefined || bpdu.length < 4) return `STP, length ${length - 3}`;
  if (type === 0x80) return `STP ${version}, Topology Change`;
  if (bpdu.length < STP_CONFIG_BYTES) return `STP ${version}, [|stp]`;
  const names = STP_FLAGS.filter(([bit]) => (u8(bpdu, 4) & bit) !== 0).map(([, name]) => name);
  const flags = names.length === 0 ? "none" : names.join(", ");
  const bridge = `${hex2(u8(bpdu, 17))}${hex2(u8(bpdu, 18))}.${printMac(bpdu.subarray(19, 25))}`;
  const port = `${hex2(u8(bpdu, 25))}${hex2(u8(bpdu, 26))}`;
  const name = type === 0 ? "Config" : "Rapid STP";
  return `STP ${version}, ${name}, Flags [${flags}], bridge-id ${bridge}.${port}, length ${length - 3}`;
}
