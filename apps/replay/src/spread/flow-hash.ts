import { ETHERTYPE, LINK_TYPE, readLink } from "../dissect/layers.ts";
import { symmetricHash } from "./toeplitz.ts";

const ETHERNET_TYPE_OFFSET = 12;
const TAG_BYTES = 4;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const PORTS_BYTES = 4;
const TCP = 6;
const UDP = 17;
/** More fragments, or an offset: a fragment, which has no ports that could be trusted. */
const FRAGMENT_MASK = 0x3fff;

const wordAt = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) << 8) | (bytes[at + 1] as number);

/** XORs big-endian 16-bit words. */
function foldWords(bytes: Uint8Array, start: number, end: number): number {
  let folded = 0;
  for (let at = start; at < end; at += 2) folded ^= wordAt(bytes, at);
  return folded;
}

/**
 * Hashes the flow of a frame as a network card's receive-side scaling does with a symmetric key: addresses and ports
 * of TCP and UDP, addresses alone of other IP packets and of fragments, 0 of everything else. VLAN tags are passed
 * over. Both directions of a connection have one hash.
 *
 * @param start - of the frame in `bytes`; `end` is one past its last byte.
 * @returns 16 bits.
 * @source Microsoft "RSS Hashing Types" for which fields count
 */
export function flowHash(bytes: Uint8Array, start: number, end: number, linkType: number): number {
  if (linkType !== LINK_TYPE.ethernet) {
    const { etherType, offset } = readLink(bytes.subarray(start, end), linkType);
    return etherType === undefined ? 0 : hashNetwork(bytes, start + offset, end, etherType);
  }
  let at = start + ETHERNET_TYPE_OFFSET;
  if (at + 2 > end) return 0;
  let etherType = wordAt(bytes, at);
  while (etherType === ETHERTYPE.vlan || etherType === ETHERTYPE.qinq) {
    at += TAG_BYTES;
    if (at + 2 > end) return 0;
    etherType = wordAt(bytes, at);
  }
  return hashNetwork(bytes, at + 2, end, etherType);
}

function hashNetwork(bytes: Uint8Array, at: number, end: number, etherType: number): number {
  if (etherType === ETHERTYPE.ipv4 && at + IPV4_BYTES <= end) return hashIpv4(bytes, at, end);
  if (etherType === ETHERTYPE.ipv6 && at + IPV6_BYTES <= end) {
    const addresses = foldWords(bytes, at + 8, at + IPV6_BYTES);
    return symmetricHash(
      addresses ^ foldPorts(bytes, { at: at + IPV6_BYTES, end, protocol: bytes[at + 6] ?? 0 }),
    );
  }
  return 0;
}

function hashIpv4(bytes: Uint8Array, at: number, end: number): number {
  const addresses = foldWords(bytes, at + 12, at + IPV4_BYTES);
  if ((wordAt(bytes, at + 6) & FRAGMENT_MASK) !== 0) return symmetricHash(addresses);
  const headerBytes = ((bytes[at] as number) & 0xf) * 4;
  return symmetricHash(
    addresses ^ foldPorts(bytes, { at: at + headerBytes, end, protocol: bytes[at + 9] ?? 0 }),
  );
}

function foldPorts(
  bytes: Uint8Array,
  { at, end, protocol }: { readonly at: number; readonly end: number; readonly protocol: number },
): number {
  if ((protocol !== TCP && protocol !== UDP) || at + PORTS_BYTES > end) return 0;
  return foldWords(bytes, at, at + PORTS_BYTES);
}
