import { fault } from "../errors.ts";
import { both, type Condition, either } from "../ir.ts";
import type { Protocol } from "../text/words.ts";
import { carries, ETHER_TYPE, SAP } from "./link-type.ts";
import { equals } from "./load.ts";
import { IP_PROTOCOL } from "./protocol-numbers.ts";
import type { State } from "./state.ts";

/** Network layer protocol identifiers of ISO. @source ISO/IEC TR 9577 */
export const ISO_PROTOCOL = { clnp: 0x81, esis: 0x82, isis: 0x83 } as const;

/** Types of IS-IS packets. @source ISO/IEC 10589 §9 */
const ISIS_TYPE = {
  helloLevel1: 15,
  helloLevel2: 16,
  helloPoint: 17,
  stateLevel1: 18,
  stateLevel2: 20,
  completeLevel1: 24,
  completeLevel2: 25,
  partialLevel1: 26,
  partialLevel2: 27,
} as const;

const ip4Protocol = (state: State, value: number): Condition => {
  const link = carries(state, ETHER_TYPE.ip);
  return both(link, equals(state, { base: "payload", at: 9, bytes: 1 }, value));
};

/** Asks for a next header, or one behind a fragment header. */
function ip6Protocol(state: State, value: number): Condition {
  const next = (number: number): Condition => equals(state, { base: "payload", at: 6, bytes: 1 }, number);
  const link = carries(state, ETHER_TYPE.ip6);
  const isFragment = next(IP_PROTOCOL.fragment);
  const behind = both(isFragment, equals(state, { base: "payload", at: 40, bytes: 1 }, value));
  return both(link, either(next(value), behind));
}

function isoProtocol(state: State, value: number): Condition {
  // Cisco puts a byte before the identifier, and repeats the service access point.
  const isHdlc = state.link === "c-hdlc";
  const link = carries(state, isHdlc ? (SAP.iso << 8) | SAP.iso : SAP.iso);
  return both(link, equals(state, { base: "payload-no-snap", at: isHdlc ? 1 : 0, bytes: 1 }, value));
}

const ISIS_TYPE_AT = 4;

function isisType(state: State, value: number): Condition {
  const isis = isoProtocol(state, ISO_PROTOCOL.isis);
  return both(isis, equals(state, { base: "payload-no-snap", at: ISIS_TYPE_AT, bytes: 1 }, value));
}

const CARRIES_NOTHING: Readonly<Partial<Record<Protocol, string>>> = {
  arp: "arp does not encapsulate another protocol",
  rarp: "rarp does not encapsulate another protocol",
  sca: "SCA does not encapsulate another protocol",
  lat: "LAT does not encapsulate another protocol",
  moprc: "MOPRC does not encapsulate another protocol",
  mopdl: "MOPDL does not encapsulate another protocol",
  atalk: "AppleTalk encapsulation is not specifiable",
  decnet: "DECNET encapsulation is not specifiable",
};

/** Asks which protocol another one carries, by number. */
export function carriedIs(state: State, carrier: Protocol | "any", value: number): Condition {
  switch (carrier) {
    case "any": {
      const in4 = ip4Protocol(state, value);
      return either(in4, ip6Protocol(state, value));
    }
    case "ip":
      return ip4Protocol(state, value);
    case "ip6":
      return ip6Protocol(state, value);
    case "link":
      return carries(state, value);
    case "iso":
      return isoProtocol(state, value);
    case "isis":
      return isisType(state, value);
    default:
      return fault("FILTER_QUALIFIER", CARRIES_NOTHING[carrier] ?? `'${carrier} proto' is bogus`);
  }
}

/** Asks for a protocol of IPv4 and IPv6. */
function inBoth(value: number): (state: State) => Condition {
  return (state) => carriedIs(state, "any", value);
}

const in4 =
  (value: number) =>
  (state: State): Condition =>
    ip4Protocol(state, value);

const onLink =
  (protocol: number) =>
  (state: State): Condition =>
    carries(state, protocol);

/** Asks for IS-IS packets of some types; the last one is asked for first, as libpcap does. */
const isisTypes =
  (first: number, second: number, ...more: readonly number[]) =>
  (state: State): Condition => {
    let found = either(isisType(state, first), isisType(state, second));
    for (const type of more) found = either(isisType(state, type), found);
    return found;
  };

const notAlone = (message: string) => (): Condition => fault("FILTER_QUALIFIER", message);

const T = ISIS_TYPE;

const TESTS: Readonly<Record<Protocol, (state: State) => Condition>> = {
  link: notAlone("link layer applied in wrong context"),
  ip: onLink(ETHER_TYPE.ip),
  arp: onLink(ETHER_TYPE.arp),
  rarp: onLink(ETHER_TYPE.rarp),
  sctp: inBoth(IP_PROTOCOL.sctp),
  tcp: inBoth(IP_PROTOCOL.tcp),
  udp: inBoth(IP_PROTOCOL.udp),
  icmp: in4(IP_PROTOCOL.icmp),
  igmp: in4(IP_PROTOCOL.igmp),
  igrp: in4(IP_PROTOCOL.igrp),
  pim: inBoth(IP_PROTOCOL.pim),
  vrrp: in4(IP_PROTOCOL.vrrp),
  carp: in4(IP_PROTOCOL.carp),
  atalk: onLink(ETHER_TYPE.atalk),
  aarp: onLink(ETHER_TYPE.aarp),
  decnet: onLink(ETHER_TYPE.decnet),
  lat: onLink(ETHER_TYPE.lat),
  sca: onLink(ETHER_TYPE.sca),
  mopdl: onLink(ETHER_TYPE.mopdl),
  moprc: onLink(ETHER_TYPE.moprc),
  ip6: onLink(ETHER_TYPE.ip6),
  icmp6: (state) => ip6Protocol(state, IP_PROTOCOL.icmp6),
  ah: inBoth(IP_PROTOCOL.ah),
  esp: inBoth(IP_PROTOCOL.esp),
  iso: onLink(SAP.iso),
  esis: (state) => isoProtocol(state, ISO_PROTOCOL.esis),
  isis: (state) => isoProtocol(state, ISO_PROTOCOL.isis),
  clnp: (state) => isoProtocol(state, ISO_PROTOCOL.clnp),
  l1: isisTypes(T.helloLevel1, T.helloPoint, T.stateLevel1, T.completeLevel1, T.partialLevel1),
  l2: isisTypes(T.helloLevel2, T.helloPoint, T.stateLevel2, T.completeLevel2, T.partialLevel2),
  iih: isisTypes(T.helloLevel1, T.helloLevel2, T.helloPoint),
  lsp: isisTypes(T.stateLevel1, T.stateLevel2),
  snp: isisTypes(T.completeLevel1, T.completeLevel2, T.partialLevel1, T.partialLevel2),
  csnp: isisTypes(T.completeLevel1, T.completeLevel2),
  psnp: isisTypes(T.partialLevel1, T.partialLevel2),
  stp: onLink(SAP.spanningTree),
  ipx: onLink(SAP.ipx),
  netbeui: onLink(SAP.netbeui),
  radio: notAlone("'radio' is not a valid protocol type"),
};

/** Asks for a protocol that stands alone. */
export const protocolIs = (state: State, protocol: Protocol): Condition => TESTS[protocol](state);
