import { UnsupportedError } from "@tsbpf/base";

/** Link layers that a filter can be compiled for. */
export type LinkKind =
  | "ethernet"
  | "null"
  | "loop"
  | "enc"
  | "raw"
  | "ipv4"
  | "ipv6"
  | "slip"
  | "sll"
  | "sll2"
  | "ppp"
  | "ppp-serial"
  | "ppp-ether"
  | "c-hdlc";

/** A link layer, its names, and where its header holds what. */
export interface LinkLayer {
  readonly kind: LinkKind;
  /** Name that `tcpdump -y` takes. */
  readonly name: string;
  readonly description: string;
  /** Number in capture files. */
  readonly linkType: number;
  /** Offset of the field that tells the protocol; undefined where there is none. */
  readonly typeOffset: number | undefined;
  readonly headerBytes: number;
  /** Added to the header for packets with an 802.2 header that is no SNAP. */
  readonly noSnapBytes: number;
}

const layer = (
  kind: LinkKind,
  name: string,
  description: string,
  numbers: readonly [linkType: number, typeOffset: number | undefined, headerBytes: number],
  noSnapBytes = 0,
): LinkLayer => ({
  kind,
  name,
  description,
  linkType: numbers[0],
  typeOffset: numbers[1],
  headerBytes: numbers[2],
  noSnapBytes,
});

/** @source https://www.tcpdump.org/linktypes.html */
export const LINK_LAYERS: readonly LinkLayer[] = [
  layer("ethernet", "EN10MB", "Ethernet", [1, 12, 14], 3),
  layer("null", "NULL", "BSD loopback", [0, 0, 4]),
  layer("loop", "LOOP", "OpenBSD loopback", [108, 0, 4]),
  layer("enc", "ENC", "OpenBSD encapsulated IP", [109, 0, 12]),
  layer("raw", "RAW", "Raw IP", [101, undefined, 0]),
  layer("ipv4", "IPV4", "Raw IPv4", [228, undefined, 0]),
  layer("ipv6", "IPV6", "Raw IPv6", [229, undefined, 0]),
  layer("slip", "SLIP", "SLIP", [8, undefined, 16]),
  layer("sll", "LINUX_SLL", "Linux cooked v1", [113, 14, 16]),
  layer("sll2", "LINUX_SLL2", "Linux cooked v2", [276, 0, 20]),
  layer("ppp", "PPP", "PPP", [9, 2, 4]),
  layer("ppp-serial", "PPP_SERIAL", "PPP over serial", [50, 2, 4]),
  layer("ppp-ether", "PPP_ETHER", "PPPoE", [51, 6, 8]),
  layer("c-hdlc", "C_HDLC", "Cisco HDLC", [104, 2, 4]),
];

/** Words for the link layer that questions are about now. */
export const describeLink = ({ link }: { readonly link: LinkKind }): string =>
  LINK_LAYERS.find(({ kind }) => kind === link)?.description ?? link;

/** Other numbers of the same link layers in old files. */
const OLD_NUMBERS: Readonly<Record<number, number>> = { 12: 101, 14: 101 };

const supported = (): string => LINK_LAYERS.map(({ name }) => name).join(", ");

/**
 * Finds the link layer that a name means.
 *
 * @param name - as `tcpdump -y` takes it, upper or lower case, with or without `DLT_`.
 * @throws UNSUPPORTED_LINK_TYPE (UnsupportedError) listing the names there are.
 */
export function linkLayerNamed(name: string): LinkLayer {
  const plain = name.toUpperCase().replace(/^DLT_/, "");
  const found = LINK_LAYERS.find((one) => one.name === plain);
  if (found !== undefined) return found;
  throw new UnsupportedError(
    "UNSUPPORTED_LINK_TYPE",
    `link type ${JSON.stringify(name)} found, filters know ${supported()}`,
  );
}

/**
 * Finds the link layer of a capture.
 *
 * @param linkType - number in the capture's header.
 * @throws UNSUPPORTED_LINK_TYPE (UnsupportedError) listing the names there are.
 */
export function linkLayerOf(linkType: number): LinkLayer {
  const number = OLD_NUMBERS[linkType] ?? linkType;
  const found = LINK_LAYERS.find((one) => one.linkType === number);
  if (found !== undefined) return found;
  throw new UnsupportedError(
    "UNSUPPORTED_LINK_TYPE",
    `packets of link type ${linkType} found, filters know ${supported()}`,
  );
}
