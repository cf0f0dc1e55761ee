import { fault } from "../errors.ts";
import { all, any, both, type Condition, either } from "../ir.ts";
import type { Direction } from "../text/tree.ts";
import type { Protocol } from "../text/words.ts";
import { carries, ETHER_TYPE } from "./link-type.ts";
import { equals, equalsBytes } from "./load.ts";
import type { State } from "./state.ts";

const WIRELESS_ONLY: Readonly<Record<string, string>> = {
  addr1: "'addr1' and 'address1' are",
  addr2: "'addr2' and 'address2' are",
  addr3: "'addr3' and 'address3' are",
  addr4: "'addr4' and 'address4' are",
  ra: "'ra' is",
  ta: "'ta' is",
};

/** Asks about source, destination or both. */
export function inDirection(
  direction: Direction,
  ask: (side: "src" | "dst") => Condition,
  what: "mac" | "ip",
): Condition {
  switch (direction) {
    case "src":
    case "dst":
      return ask(direction);
    case "src and dst":
      return both(ask("src"), ask("dst"));
    case "any":
    case "src or dst":
      return either(ask("src"), ask("dst"));
    default: {
      const subject = WIRELESS_ONLY[direction] ?? direction;
      if (what === "mac") {
        return fault("FILTER_QUALIFIER", `${subject} only supported on 802.11 with 802.11 headers`);
      }
      const kind = subject.endsWith("are") ? "valid qualifiers" : "a valid qualifier";
      return fault(
        "FILTER_QUALIFIER",
        `${subject} not ${kind} for addresses other than 802.11 MAC addresses`,
      );
    }
  }
}

/** Offsets of the two addresses in a header. */
interface Sides {
  readonly src: number;
  readonly dst: number;
}

const MAC_SIDES: Sides = { src: 6, dst: 0 };
const IP4_SIDES: Sides = { src: 12, dst: 16 };
const ARP_SIDES: Sides = { src: 14, dst: 24 };
const IP6_SIDES: Sides = { src: 8, dst: 24 };

/** Asks for a link-layer address. */
export const macIs = (state: State, bytes: readonly number[], direction: Direction): Condition =>
  inDirection(direction, (side) => equalsBytes(state, "link", MAC_SIDES[side], bytes), "mac");

/** An address and the bits of it that count. */
export interface Masked {
  readonly address: number;
  readonly mask: number;
}

/** What a primitive asks about an address. */
export interface AddressQuestion {
  readonly protocol: Protocol | "any";
  readonly direction: Direction;
  /** Word for messages. */
  readonly type: "host" | "net";
}

function ip4In(
  state: State,
  { address, mask }: Masked,
  direction: Direction,
  where: [number, Sides],
): Condition {
  const [etherType, sides] = where;
  return inDirection(
    direction,
    (side) =>
      both(
        carries(state, etherType),
        equals(state, { base: "payload", at: sides[side], bytes: 4, mask }, address),
      ),
    "ip",
  );
}

const NOT_IMPLEMENTED: Readonly<Partial<Record<Protocol, string>>> = {
  atalk: "AppleTalk",
  aarp: "AARP",
  sca: "SCA",
  lat: "LAT",
  mopdl: "MOPDL",
  moprc: "MOPRC",
  iso: "ISO",
  ipx: "IPX",
};

/** Asks for an IPv4 address or network. */
export function ip4Is(state: State, masked: Masked, question: AddressQuestion): Condition {
  const { protocol, direction, type } = question;
  const ip = (): Condition => ip4In(state, masked, direction, [ETHER_TYPE.ip, IP4_SIDES]);
  const arp = (): Condition => ip4In(state, masked, direction, [ETHER_TYPE.arp, ARP_SIDES]);
  const rarp = (): Condition => ip4In(state, masked, direction, [ETHER_TYPE.rarp, ARP_SIDES]);
  switch (protocol) {
    case "any":
      // Behind MPLS labels nothing tells ARP from IP.
      return state.labels > 0 ? ip() : any(ip(), arp(), rarp());
    case "ip":
      return ip();
    case "arp":
      return arp();
    case "rarp":
      return rarp();
    case "decnet":
      return decnetIs(state, masked.address, direction);
    case "ip6":
      return fault("FILTER_QUALIFIER", "'ip6' modifier applied to ip host");
    case "link":
      return fault("FILTER_QUALIFIER", `link-layer modifier applied to ${type}`);
    default: {
      const name = NOT_IMPLEMENTED[protocol];
      if (name !== undefined) return fault("FILTER_QUALIFIER", `${name} host filtering not implemented`);
      return fault("FILTER_QUALIFIER", `'${protocol}' modifier applied to ${type}`);
    }
  }
}

/** An IPv6 address as four words, and a mask for each. */
export interface Masked6 {
  readonly words: readonly number[];
  readonly masks: readonly number[];
}

/** Asks for an IPv6 address or network. */
export function ip6Is(state: State, { words, masks }: Masked6, question: AddressQuestion): Condition {
  const { protocol, direction, type } = question;
  if (protocol !== "any" && protocol !== "ip6") {
    const subject = protocol === "link" ? "link-layer" : protocol === "atalk" ? "AppleTalk" : `'${protocol}'`;
    return fault("FILTER_QUALIFIER", `${subject} modifier applied to ip6 ${type}`);
  }
  return inDirection(
    direction,
    (side) =>
      all(
        carries(state, ETHER_TYPE.ip6),
        ...words.map((word, i) =>
          equals(
            state,
            { base: "payload", at: IP6_SIDES[side] + 4 * i, bytes: 4, mask: masks[i] as number },
            word,
          ),
        ),
      ),
    "ip",
  );
}

/** Offsets of a node in DECnet's short and long headers, after the flags. */
const DECNET_SIDES = { src: { short: 3, long: 15 }, dst: { short: 1, long: 7 } } as const;

/** Asks for a DECnet node in data packets with at most one byte of padding. */
function decnetIs(state: State, node: number, direction: Direction): Condition {
  const value = ((node & 0xff) << 8) | ((node >> 8) & 0xff);
  const ask = (side: "src" | "dst"): Condition => {
    const { short, long } = DECNET_SIDES[side];
    const form = (padded: boolean, flags: number, mask: number, at: number): Condition =>
      both(
        equals(state, { base: "payload", at: 2, bytes: padded ? 2 : 1, mask }, flags),
        equals(state, { base: "payload", at: (padded ? 3 : 2) + at, bytes: 2 }, value),
      );
    const type = carries(state, ETHER_TYPE.decnet);
    const longPadded = form(true, 0x8106, 0xff07, long);
    const longPlain = form(false, 0x06, 0x07, long);
    const shortPadded = form(true, 0x8102, 0xff07, short);
    const shortPlain = form(false, 0x02, 0x07, short);
    return both(type, any(shortPlain, shortPadded, longPlain, longPadded));
  };
  return inDirection(direction, ask, "ip");
}
