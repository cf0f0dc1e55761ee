import { type Endian, InputError, printHex, UnsupportedError } from "@tsbpf/base";

/** @source draft-ietf-opsawg-pcap §4 */
const PCAP_MAGIC_US = 0xa1b2c3d4;
const PCAP_MAGIC_NS = 0xa1b23c4d;
export const PCAP_HEADER_BYTES = 24;
export const PCAP_RECORD_BYTES = 16;
const PCAP_VERSION_MAJOR = 2;
const PCAP_VERSION_MINOR = 4;

const LINK_TYPE_MASK = 0xffff;
const RESERVED_MASK = 0x03ff_0000;
const FCS_PRESENT = 0x0400_0000;
const FCS_SHIFT = 28;
/** Bytes in one unit of the header's frame check sequence length. */
const FCS_UNIT_BYTES = 2;
/** RFC 1573 ifType values that AIX writes, with version 2.2. @source wireshark wiretap/libpcap.c */
const AIX_LINK_TYPES = new Set([6, 9, 15, 24]);
const AIX_VERSION_MINOR = 2;

export interface PcapHeader {
  readonly endian: Endian;
  readonly resolution: "us" | "ns";
  readonly snaplenBytes: number;
  readonly linkType: number;
  readonly fcsBytes?: number;
}

/**
 * Decodes the 24-byte file header of a pcap file.
 *
 * @throws PCAP_MAGIC, PCAP_LINK_TYPE (InputError), UNSUPPORTED_PCAP_AIX, UNSUPPORTED_PCAP_VERSION (UnsupportedError).
 */
export function decodePcapHeader(bytes: Uint8Array): PcapHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = decodeMagic(view);
  const isLittle = magic.endian === "little";
  const linkWord = view.getUint32(20, isLittle);
  checkVersion(view.getUint16(4, isLittle), view.getUint16(6, isLittle), linkWord);
  if ((linkWord & RESERVED_MASK) !== 0) {
    throw new InputError(
      "PCAP_LINK_TYPE",
      `pcap file header has link type word ${printHex(linkWord)}, bits 16..25 must be zero, at offset 20`,
      { details: { linkWord } },
    );
  }
  const hasFcs = (linkWord & FCS_PRESENT) !== 0;
  return {
    ...magic,
    snaplenBytes: view.getUint32(16, isLittle),
    linkType: linkWord & LINK_TYPE_MASK,
    ...(hasFcs ? { fcsBytes: (linkWord >>> FCS_SHIFT) * FCS_UNIT_BYTES } : {}),
  };
}

function decodeMagic(view: DataView): { endian: Endian; resolution: "us" | "ns" } {
  for (const endian of ["little", "big"] as const) {
    const magic = view.getUint32(0, endian === "little");
    if (magic === PCAP_MAGIC_US) return { endian, resolution: "us" };
    if (magic === PCAP_MAGIC_NS) return { endian, resolution: "ns" };
  }
  throw new InputError(
    "PCAP_MAGIC",
    `pcap file starts with ${printHex(view.getUint32(0, false))}, a1b2c3d4 or a1b23c4d expected in either byte order`,
  );
}

function checkVersion(major: number, minor: number, linkWord: number): void {
  if (major === PCAP_VERSION_MAJOR && minor === AIX_VERSION_MINOR && AIX_LINK_TYPES.has(linkWord)) {
    throw new UnsupportedError(
      "UNSUPPORTED_PCAP_AIX",
      "pcap as modified by AIX (version 2.2, ifType link types) is not supported, convert it with editcap -F pcapng",
      { details: { major, minor, linkWord } },
    );
  }
  if (major === PCAP_VERSION_MAJOR && minor === PCAP_VERSION_MINOR) return;
  throw new UnsupportedError(
    "UNSUPPORTED_PCAP_VERSION",
    `pcap version ${major}.${minor} is not supported, version 2.4 is, at offset 4`,
    { details: { major, minor } },
  );
}

/**
 * Encodes a file header.
 *
 * @throws PCAP_LINK_TYPE (InputError) when link type or frame check length do not fit their fields.
 */
export function encodePcapHeader(header: PcapHeader): Uint8Array {
  const { linkType, fcsBytes } = header;
  if (!Number.isInteger(linkType) || linkType < 0 || linkType > LINK_TYPE_MASK) {
    throw new InputError("PCAP_LINK_TYPE_RANGE", `link type ${linkType} does not fit pcap, 0..65535 does`);
  }
  let linkWord = linkType;
  if (fcsBytes !== undefined) {
    const units = fcsBytes / FCS_UNIT_BYTES;
    if (!Number.isInteger(units) || units < 0 || units > 15) {
      throw new InputError("PCAP_FCS_BYTES", `fcsBytes ${fcsBytes} does not fit pcap, even numbers 0..30 do`);
    }
    linkWord = (linkWord | FCS_PRESENT | (units << FCS_SHIFT)) >>> 0;
  }
  const bytes = new Uint8Array(PCAP_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  const isLittle = header.endian === "little";
  view.setUint32(0, header.resolution === "ns" ? PCAP_MAGIC_NS : PCAP_MAGIC_US, isLittle);
  view.setUint16(4, PCAP_VERSION_MAJOR, isLittle);
  view.setUint16(6, PCAP_VERSION_MINOR, isLittle);
  view.setUint32(16, header.snaplenBytes, isLittle);
  view.setUint32(20, linkWord, isLittle);
  return bytes;
}
