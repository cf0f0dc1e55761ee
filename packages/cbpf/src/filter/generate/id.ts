import { fault } from "../errors.ts";
import { type Condition, either } from "../ir.ts";
import { parseIp6, parseMac } from "../text/addresses.ts";
import type { Id, Qualifier } from "../text/tree.ts";
import { ip4Is, ip6Is, type Masked6, macIs } from "./address.ts";
import { ETHER_TYPE, SAP } from "./link-type.ts";
import { checkPort, portIs, portProtocol } from "./port.ts";
import { chainHolds } from "./protochain.ts";
import { carriedIs, ISO_PROTOCOL } from "./protocol.ts";
import { ipProtocolNamed } from "./protocol-numbers.ts";
import { onLinkHeader } from "./special.ts";
import type { State } from "./state.ts";

const ALL_BITS = 0xffff_ffff;
const IP4_BITS = 32;
const IP6_WORDS = 4;

/** Asks for one id of a filter. */
export function idIs(state: State, qualifier: Qualifier | undefined, id: Id): Condition {
  if (qualifier === undefined) return withoutQualifier(id);
  switch (id.kind) {
    case "number":
      return numberIs(state, qualifier, id.value);
    case "name":
      return namedIs(state, qualifier, id.text);
    case "ip":
      return dottedIs(state, qualifier, id.text);
    case "ip-prefix":
    case "ip-mask":
      return networkIs(state, qualifier, id);
    case "ip6":
      return ip6PrefixIs(state, qualifier, id);
    case "mac":
      return macAddressIs(state, qualifier, parseMac(id.text));
    case "arc":
      return fault("FILTER_QUALIFIER", "aid supported only on ARCnet", id);
  }
}

/** An id takes over the qualifier of the one before it; refuses one where there was none. */
function withoutQualifier(id: Id): never {
  switch (id.kind) {
    case "ip-prefix":
    case "ip-mask":
      return fault("FILTER_QUALIFIER", "Mask syntax for networks only", id);
    case "ip6":
      return fault("FILTER_QUALIFIER", "invalid qualifier against IPv6 address", id);
    case "mac":
      return fault("FILTER_QUALIFIER", "ethernet address used in non-ether expression", id);
    default:
      return fault("FILTER_SYNTAX", "syntax error in filter expression", id);
  }
}

const isHost = ({ type }: Qualifier): boolean => type === "any" || type === "host";

const wordOf = ({ type }: Qualifier): "host" | "net" => (type === "net" ? "net" : "host");

/** A number: a port, a protocol, or an address as one number. */
function numberIs(state: State, qualifier: Qualifier, value: number): Condition {
  const { protocol, direction, type } = qualifier;
  switch (type) {
    case "port":
    case "portrange": {
      const of = { protocol: portProtocol(protocol, type), direction };
      const port = checkPort(value);
      return portIs(state, { first: port, last: port, isRange: type === "portrange" }, of);
    }
    case "proto":
      return carriedIs(state, protocol, value);
    case "protochain":
      return chainHolds(state, protocol, value);
    case "gateway":
      return fault("FILTER_QUALIFIER", "'gateway' requires a name");
    case "any":
    case "host":
    case "net": {
      if (protocol === "link") return fault("FILTER_QUALIFIER", "illegal link layer address");
      const masked = type === "net" ? leftJustify(value) : { address: value, mask: ALL_BITS };
      return ip4Is(state, masked, { protocol, direction, type: wordOf(qualifier) });
    }
  }
}

const TOP_BYTE = 0xff00_0000;
const BYTE_BITS = 8;

/** Moves a short network number to the left; the mask tells how many bytes it has. */
function leftJustify(value: number): { address: number; mask: number } {
  let address = value;
  let mask = ALL_BITS;
  while (address !== 0 && (address & TOP_BYTE) === 0) {
    address = (address << BYTE_BITS) >>> 0;
    mask = (mask << BYTE_BITS) >>> 0;
  }
  return { address, mask };
}

interface Dotted {
  /** With as many bits as the text had parts for, to the left. */
  readonly address: number;
  readonly bits: number;
}

const DECIMAL = /^\d+$/;

function parseDotted(text: string): Dotted {
  const parts = text.split(".");
  const isValid = parts.every((part) => DECIMAL.test(part) && Number(part) <= 255);
  if (!isValid) return fault("FILTER_ADDRESS", `invalid IPv4 address '${text}'`);
  const bits = BYTE_BITS * parts.length;
  const value = parts.reduce((sum, part) => sum * 256 + Number(part), 0);
  return { address: value * 2 ** (IP4_BITS - bits), bits };
}

const prefixMask = (bits: number): number => (bits === 0 ? 0 : (ALL_BITS << (IP4_BITS - bits)) >>> 0);

const NODE_MASK = 0x3ff;
const AREA_SHIFT = 10;
const AREA_MAX = 63;

/** Reads a DECnet address, `area.node`. */
function parseDecnet(text: string): number {
  const [area = Number.NaN, node = Number.NaN, ...more] = text.split(".").map(Number);
  if (more.length > 0 || !(area <= AREA_MAX) || !(node <= NODE_MASK)) {
    return fault("FILTER_ADDRESS", `malformed decnet address '${text}'`);
  }
  return (area << AREA_SHIFT) | node;
}

function dottedIs(state: State, qualifier: Qualifier, text: string): Condition {
  const { protocol, direction, type } = qualifier;
  refuseFor(qualifier, "ip host");
  if (type === "gateway") return fault("FILTER_QUALIFIER", "'gateway' requires a name");
  const question = { protocol, direction, type: wordOf(qualifier) };
  if (protocol === "decnet") return ip4Is(state, { address: parseDecnet(text), mask: 0 }, question);
  if (protocol === "link") return fault("FILTER_QUALIFIER", "illegal link layer address");
  const { address, bits } = parseDotted(text);
  return ip4Is(state, { address, mask: prefixMask(bits) }, question);
}

function refuseFor({ type }: Qualifier, what: string): void {
  if (type === "port" || type === "portrange" || type === "proto" || type === "protochain") {
    fault("FILTER_QUALIFIER", `'${type}' modifier applied to ${what}`);
  }
}

function networkIs(
  state: State,
  qualifier: Qualifier,
  id: Id & { readonly kind: "ip-prefix" | "ip-mask" },
): Condition {
  const { address } = parseDotted(id.text);
  let mask: number;
  let shown: string;
  if (id.kind === "ip-mask") {
    mask = parseDotted(id.mask).address;
    shown = `${id.text} mask ${id.mask}`;
  } else {
    if (id.bits > IP4_BITS) return fault("FILTER_RANGE", `mask length must be <= ${IP4_BITS}`, id);
    mask = prefixMask(id.bits);
    shown = `${id.text}/${id.bits}`;
  }
  if ((address & ~mask) !== 0) {
    return fault("FILTER_ADDRESS", `non-network bits set in "${shown}"`, id);
  }
  if (qualifier.type !== "net") return fault("FILTER_QUALIFIER", "Mask syntax for networks only", id);
  const { protocol, direction } = qualifier;
  return ip4Is(state, { address, mask }, { protocol, direction, type: "net" });
}

function ip6PrefixIs(state: State, qualifier: Qualifier, id: Id & { readonly kind: "ip6" }): Condition {
  const total = IP6_WORDS * IP4_BITS;
  const words = parseIp6(id.text, id);
  if (id.bits > total) return fault("FILTER_RANGE", `mask length must be <= ${total}`, id);
  const masks = words.map((_, i) => prefixMask(Math.min(IP4_BITS, Math.max(0, id.bits - i * IP4_BITS))));
  if (words.some((word, i) => (word & ~(masks[i] as number)) !== 0)) {
    return fault("FILTER_ADDRESS", `non-network bits set in "${id.text}/${id.bits}"`, id);
  }
  const { protocol, direction, type } = qualifier;
  if (isHost(qualifier) && id.bits !== total) {
    return fault("FILTER_QUALIFIER", "Mask syntax for networks only", id);
  }
  if (!isHost(qualifier) && type !== "net") {
    return fault("FILTER_QUALIFIER", "invalid qualifier against IPv6 address", id);
  }
  const masked: Masked6 = { words, masks };
  return ip6Is(state, masked, { protocol, direction, type: wordOf(qualifier) });
}

function macAddressIs(state: State, qualifier: Qualifier, bytes: readonly number[]): Condition {
  if (!isHost(qualifier) || qualifier.protocol !== "link") {
    return fault("FILTER_QUALIFIER", "ethernet address used in non-ether expression");
  }
  if (state.link !== "ethernet") {
    return fault(
      "FILTER_QUALIFIER",
      "ethernet addresses supported only on ethernet/FDDI/token ring/802.11/ATM LANE/Fibre Channel",
    );
  }
  return onLinkHeader(state, () => macIs(state, bytes, qualifier.direction));
}

/** A name, which the options' resolver may know; protocols are known here. */
function namedIs(state: State, qualifier: Qualifier, name: string): Condition {
  const { protocol, direction, type } = qualifier;
  const names = state.options.names ?? {};
  switch (type) {
    case "net": {
      const value = names.net?.(name);
      if (value === undefined || value === 0) return unknown(`network '${name}'`, names.net);
      return ip4Is(state, leftJustify(value), { protocol, direction, type: "net" });
    }
    case "any":
    case "host":
      return hostNamed(state, qualifier, name);
    case "port": {
      const wanted = portProtocol(protocol, type);
      const found = names.port?.(name);
      if (found === undefined) return unknown(`port '${name}'`, names.port);
      const of = { protocol: agree(wanted, found.protocol, `port '${name}'`), direction };
      const port = checkPort(found.port);
      return portIs(state, { first: port, last: port, isRange: false }, of);
    }
    case "portrange":
      return rangeNamed(state, qualifier, name);
    case "gateway":
      return fault("FILTER_QUALIFIER", "'gateway' not supported in this configuration");
    case "proto":
      return carriedIs(state, protocol, protocolNamed(state, qualifier, name));
    case "protochain":
      return chainHolds(state, protocol, protocolNamed(state, qualifier, name));
  }
}

/** Ends with tcpdump's words for a name that nothing is known of, and why that may be. */
function unknown(what: string, resolver: unknown): never {
  const hint = resolver === undefined ? ", names are not looked up here, use a number" : "";
  return fault("FILTER_UNKNOWN_NAME", `unknown ${what}${hint}`);
}

const PROTOCOL_WORDS: Readonly<Record<number, string>> = { 6: "tcp", 17: "udp", 132: "sctp" };

/** The protocol of a port whose name has one, and whose qualifier may have one. */
function agree(wanted: number | undefined, found: number | undefined, what: string): number | undefined {
  if (wanted === undefined || found === undefined || wanted === found) return wanted ?? found;
  return fault("FILTER_QUALIFIER", `${what} is ${PROTOCOL_WORDS[found] ?? found}`);
}

const RANGE = /^([^-]+)-(.+)$/;

function rangeNamed(state: State, qualifier: Qualifier, name: string): Condition {
  const wanted = portProtocol(qualifier.protocol, "portrange");
  const { port: lookUp } = state.options.names ?? {};
  const ends = (RANGE.exec(name) ?? ["", name, name])
    .slice(1)
    .map((part) => (DECIMAL.test(part) ? { port: Number(part), protocol: undefined } : lookUp?.(part)));
  const [first, last] = ends;
  if (first === undefined || last === undefined) return unknown(`port in range '${name}'`, lookUp);
  const found = first.protocol === last.protocol ? first.protocol : undefined;
  const protocol = agree(wanted, found, `port in range '${name}'`);
  const range = { first: checkPort(first.port), last: checkPort(last.port), isRange: true };
  return portIs(state, range, { protocol, direction: qualifier.direction });
}

const ETHER_NAMES: ReadonlyMap<string, number> = new Map<string, number>([
  ...(
    [
      "aarp",
      "arp",
      "atalk",
      "decnet",
      "ip",
      "ip6",
      "lat",
      "loopback",
      "mopdl",
      "moprc",
      "rarp",
      "sca",
    ] as const
  ).map((name) => [name, ETHER_TYPE[name]] as const),
  ["iso", SAP.iso],
  ["stp", SAP.spanningTree],
  ["ipx", SAP.ipx],
  ["netbeui", SAP.netbeui],
]);

/** Finds the number of a protocol that a qualifier's protocol carries. */
function protocolNamed(state: State, { protocol }: Qualifier, name: string): number {
  switch (protocol) {
    case "any":
    case "ip":
    case "ip6": {
      const found = state.options.names?.protocol?.(name) ?? ipProtocolNamed(name);
      return found ?? fault("FILTER_UNKNOWN_NAME", `unknown ip proto '${name}'`);
    }
    case "link":
      return ETHER_NAMES.get(name) ?? fault("FILTER_UNKNOWN_NAME", `unknown ether proto '${name}'`);
    case "iso": {
      const found = new Map<string, number>(Object.entries(ISO_PROTOCOL)).get(name);
      return found ?? fault("FILTER_UNKNOWN_NAME", `unknown osi proto '${name}'`);
    }
    default:
      return fault("FILTER_UNKNOWN_NAME", `unknown protocol: ${name}`);
  }
}

function hostNamed(state: State, qualifier: Qualifier, name: string): Condition {
  const { protocol } = qualifier;
  const names = state.options.names ?? {};
  if (protocol === "link") {
    if (state.link !== "ethernet") {
      return fault(
        "FILTER_QUALIFIER",
        "only ethernet/FDDI/token ring/802.11/ATM LANE/Fibre Channel supports link-level host name",
      );
    }
    const address = names.ether?.(name);
    if (address === undefined) return unknown(`ether host '${name}'`, names.ether);
    return macAddressIs(state, qualifier, parseMac(address));
  }
  if (protocol === "decnet") {
    return fault("FILTER_UNKNOWN_NAME", `decnet name support not included, '${name}' cannot be translated`);
  }
  const found = (names.host?.(name) ?? []).flatMap((text) => hostAddressIs(state, qualifier, text) ?? []);
  const [first, ...rest] = found;
  if (first !== undefined) return rest.reduce(either, first);
  if (protocol !== "any" && names.host?.(name) !== undefined) {
    return fault("FILTER_UNKNOWN_NAME", `unknown host '${name}' for specified address family`);
  }
  return unknown(`host '${name}'`, names.host);
}

/** Asks for one address of a host; undefined when the qualifier is of the other family. */
function hostAddressIs(state: State, qualifier: Qualifier, text: string): Condition | undefined {
  const { protocol, direction } = qualifier;
  const isIp6 = text.includes(":");
  if (protocol === (isIp6 ? "ip" : "ip6")) return undefined;
  // Where no field tells the protocol, an address can only be that of an IP packet.
  const implied = protocol === "any" && !state.hasLinkType ? (isIp6 ? "ip6" : "ip") : protocol;
  const question = { protocol: implied, direction, type: "host" } as const;
  if (!isIp6) return ip4Is(state, { address: parseDotted(text).address, mask: ALL_BITS }, question);
  const place = { start: 0, end: 0 };
  return ip6Is(state, { words: parseIp6(text, place), masks: Array(IP6_WORDS).fill(ALL_BITS) }, question);
}
