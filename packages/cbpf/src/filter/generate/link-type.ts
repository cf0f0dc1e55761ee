import { fault } from "../errors.ts";
import { all, any, both, type Condition, either, not } from "../ir.ts";
import type { LinkKind } from "./link.ts";
import { always, compare, equals, equalsBytes, never } from "./load.ts";
import type { State } from "./state.ts";

/** Protocols by their number in an Ethernet header. @source IANA IEEE 802 numbers */
export const ETHER_TYPE = {
  ns: 0x0600,
  ip: 0x0800,
  arp: 0x0806,
  moprc: 0x6002,
  mopdl: 0x6001,
  decnet: 0x6003,
  lat: 0x6004,
  sca: 0x6007,
  transparentBridging: 0x6558,
  rarp: 0x8035,
  atalk: 0x809b,
  aarp: 0x80f3,
  vlan: 0x8100,
  ipx: 0x8137,
  ip6: 0x86dd,
  mpls: 0x8847,
  pppoed: 0x8863,
  pppoes: 0x8864,
  providerVlan: 0x88a8,
  loopback: 0x9000,
  vlanInVlan: 0x9100,
} as const;

/** Service access points of 802.2; numbers up to {@link LENGTH_MAX} mean these. */
export const SAP = { ip: 0x06, spanningTree: 0x42, snap: 0xaa, ipx: 0xe0, netbeui: 0xf0, iso: 0xfe } as const;

/** Largest value of an Ethernet type field that is a length. */
const LENGTH_MAX = 1500;

const PPP_PROTOCOLS: ReadonlyMap<number, number> = new Map([
  [ETHER_TYPE.ip, 0x21],
  [ETHER_TYPE.ip6, 0x57],
  [ETHER_TYPE.decnet, 0x27],
  [ETHER_TYPE.atalk, 0x29],
  [ETHER_TYPE.ns, 0x25],
  [SAP.iso, 0x23],
  [SAP.spanningTree, 0x31],
  [SAP.ipx, 0x2b],
]);
export const PPP_MPLS = 0x281;

const UNNUMBERED = 0x03;
const APPLE = 0x08_0007;
const ETHERNET_IN_SNAP = 0;
const RAW_802_3 = 0xffff;
const COOKED_802_3 = 0x0001;
const COOKED_802_2 = 0x0004;

const typeIs = (state: State, value: number): Condition =>
  equals(state, { base: "type", at: 0, bytes: 2 }, value);

/** Asks whether the type field is a length, which an 802.2 header follows. */
export const isLength = (state: State): Condition =>
  not(compare(state, { base: "type", at: 0, bytes: 2 }, "jgt", LENGTH_MAX));

const sapsAre = (state: State, sap: number): Condition =>
  equals(state, { base: "llc", at: 0, bytes: 2 }, (sap << 8) | sap);

/** Asks for a SNAP header with an organisation and a protocol. */
const isSnap = (state: State, organisation: number, protocol: number): Condition =>
  equalsBytes(state, "llc", 0, [
    SAP.snap,
    SAP.snap,
    UNNUMBERED,
    (organisation >> 16) & 0xff,
    (organisation >> 8) & 0xff,
    organisation & 0xff,
    protocol >> 8,
    protocol & 0xff,
  ]);

const isAppleSnap = (state: State, protocol: number): Condition =>
  protocol === ETHER_TYPE.atalk ? isSnap(state, APPLE, protocol) : isSnap(state, ETHERNET_IN_SNAP, protocol);

const SAPS_TWICE: ReadonlySet<number> = new Set([SAP.iso, SAP.ip, SAP.netbeui]);

function ethernetIs(state: State, protocol: number): Condition {
  if (SAPS_TWICE.has(protocol)) return both(isLength(state), sapsAre(state, protocol));
  if (protocol === SAP.ipx) {
    const in802 = any(
      isSnap(state, ETHERNET_IN_SNAP, ETHER_TYPE.ipx),
      equals(state, { base: "llc", at: 0, bytes: 1 }, SAP.ipx),
      equals(state, { base: "llc", at: 0, bytes: 2 }, RAW_802_3),
    );
    return either(typeIs(state, ETHER_TYPE.ipx), both(isLength(state), in802));
  }
  if (protocol === ETHER_TYPE.atalk || protocol === ETHER_TYPE.aarp) {
    return either(typeIs(state, protocol), both(isLength(state), isAppleSnap(state, protocol)));
  }
  if (protocol > LENGTH_MAX) return typeIs(state, protocol);
  return both(isLength(state), equals(state, { base: "type", at: 2, bytes: 1 }, protocol));
}

function cookedIs(state: State, protocol: number): Condition {
  if (SAPS_TWICE.has(protocol)) return both(typeIs(state, COOKED_802_2), sapsAre(state, protocol));
  if (protocol === SAP.ipx) {
    const in802 = either(
      equals(state, { base: "llc", at: 0, bytes: 1 }, SAP.ipx),
      isSnap(state, ETHERNET_IN_SNAP, ETHER_TYPE.ipx),
    );
    return any(
      typeIs(state, ETHER_TYPE.ipx),
      typeIs(state, COOKED_802_3),
      both(typeIs(state, COOKED_802_2), in802),
    );
  }
  if (protocol === ETHER_TYPE.atalk || protocol === ETHER_TYPE.aarp) {
    return either(typeIs(state, protocol), both(typeIs(state, COOKED_802_2), isAppleSnap(state, protocol)));
  }
  if (protocol > LENGTH_MAX) return typeIs(state, protocol);
  const { constant } = state.payload;
  return both(typeIs(state, COOKED_802_2), equals(state, { base: "link", at: constant, bytes: 1 }, protocol));
}

const IP_VERSION = { 4: 0x40, 6: 0x60 } as const;
const VERSION_MASK = 0xf0;

const versionIs = (state: State, base: "link" | "payload", version: 4 | 6): Condition =>
  equals(state, { base, at: 0, bytes: 1, mask: VERSION_MASK }, IP_VERSION[version]);

function rawIs(state: State, protocol: number): Condition {
  if (protocol === ETHER_TYPE.ip) return versionIs(state, "link", 4);
  return protocol === ETHER_TYPE.ip6 ? versionIs(state, "link", 6) : never();
}

const pppIs = (state: State, protocol: number): Condition =>
  typeIs(state, PPP_PROTOCOLS.get(protocol) ?? protocol);

const AF_INET = 2;
/** IPv6's number in files of BSDs, FreeBSD and macOS; and that of this machine's kind, Linux. */
const AF_INET6 = { files: [24, 28, 30], linux: 10 } as const;

function swap32(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

/** Asks for an address family, in the byte order of the machine that wrote the packet. */
function familyIs(state: State, family: number): Condition {
  const isHostOrder = state.link !== "loop";
  const isBig = state.options.isFile === true && state.options.isSwapped === true;
  const value = isHostOrder && !isBig ? swap32(family) : family;
  return equals(state, { base: "link", at: 0, bytes: 4 }, value);
}

function loopbackIs(state: State, protocol: number): Condition {
  if (protocol === ETHER_TYPE.ip) return familyIs(state, AF_INET);
  if (protocol !== ETHER_TYPE.ip6) return never();
  if (state.options.isFile !== true) return familyIs(state, AF_INET6.linux);
  const [bsd, freebsd, darwin] = AF_INET6.files;
  return any(familyIs(state, darwin), familyIs(state, bsd), familyIs(state, freebsd));
}

const HDLC_ISO = (SAP.iso << 8) | SAP.iso;

const TESTS: Readonly<Record<LinkKind, (state: State, protocol: number) => Condition>> = {
  ethernet: ethernetIs,
  sll: cookedIs,
  // The newer cooked header has no form for 802.2.
  sll2: typeIs,
  raw: rawIs,
  slip: rawIs,
  ipv4: (_state, protocol) => (protocol === ETHER_TYPE.ip ? always() : never()),
  ipv6: (_state, protocol) => (protocol === ETHER_TYPE.ip6 ? always() : never()),
  null: loopbackIs,
  loop: loopbackIs,
  enc: loopbackIs,
  ppp: pppIs,
  "ppp-serial": pppIs,
  "ppp-ether": pppIs,
  "c-hdlc": (state, protocol) => typeIs(state, protocol === SAP.iso ? HDLC_ISO : protocol),
};

const BOTTOM_OF_STACK = 1;

/** Asks for an IP version behind the last MPLS label. */
function labelledIs(state: State, version: 4 | 6): Condition {
  return all(
    equals(state, { base: "payload", at: -2, bytes: 1, mask: BOTTOM_OF_STACK }, BOTTOM_OF_STACK),
    versionIs(state, "payload", version),
  );
}

/**
 * Asks whether the link layer carries a protocol.
 *
 * @param protocol - an Ethernet type, or up to 1500 a service access point of 802.2.
 */
export function carries(state: State, protocol: number): Condition {
  if (state.labels === 0) return TESTS[state.link](state, protocol);
  if (protocol === ETHER_TYPE.ip || protocol === PPP_PROTOCOLS.get(ETHER_TYPE.ip))
    return labelledIs(state, 4);
  if (protocol === ETHER_TYPE.ip6 || protocol === PPP_PROTOCOLS.get(ETHER_TYPE.ip6)) {
    return labelledIs(state, 6);
  }
  return fault("FILTER_QUALIFIER", "unsupported protocol over mpls");
}
