import { ancillaryK } from "../../ancillary.ts";
import { CBPF } from "../../rows.ts";
import { fault } from "../errors.ts";
import { any, both, type Condition, not, stmt, test } from "../ir.ts";
import type { Protocol } from "../text/words.ts";
import { macIs } from "./address.ts";
import { evaluate, valuesRelate } from "./arithmetic.ts";
import { hasInnerLink } from "./geneve.ts";
import { describeLink } from "./link.ts";
import { carries, ETHER_TYPE, isLength } from "./link-type.ts";
import { compare, equals, hasBits } from "./load.ts";
import type { State } from "./state.ts";

const BROADCAST = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] as const;

/** Puts before a question about a link header whether there is one: not in every tunnel. */
export function onLinkHeader(state: State, ask: () => Condition): Condition {
  if (!state.isGeneve) return ask();
  const hasLink = hasInnerLink(state);
  return both(hasLink, ask());
}

/** Asks for broadcasts of the link layer or of IP. */
export function isBroadcast(state: State, protocol: Protocol | "any"): Condition {
  if (protocol === "any" || protocol === "link") {
    if (state.link !== "ethernet") fault("FILTER_QUALIFIER", "not a broadcast link");
    return onLinkHeader(state, () => macIs(state, BROADCAST, "dst"));
  }
  if (protocol !== "ip") {
    return fault("FILTER_QUALIFIER", "only link-layer/IP broadcast filters supported");
  }
  const mask = ~(state.options.netmask ?? 0) >>> 0;
  const link = carries(state, ETHER_TYPE.ip);
  const hostBits = { base: "payload", at: 16, bytes: 4, mask } as const;
  return both(link, any(equals(state, hostBits, 0), equals(state, hostBits, mask)));
}

const MULTICAST4_FIRST = 224;
const MULTICAST6_FIRST = 255;

/** Asks for multicasts of the link layer or of IP. */
export function isMulticast(state: State, protocol: Protocol | "any"): Condition {
  if ((protocol === "any" || protocol === "link") && state.link === "ethernet") {
    return onLinkHeader(state, () => hasBits(state, { base: "link", at: 0, bytes: 1 }, 1));
  }
  if (protocol === "ip") {
    const link = carries(state, ETHER_TYPE.ip);
    return both(link, compare(state, { base: "payload", at: 16, bytes: 1 }, "jge", MULTICAST4_FIRST));
  }
  if (protocol === "ip6") {
    const link = carries(state, ETHER_TYPE.ip6);
    return both(link, equals(state, { base: "payload", at: 24, bytes: 1 }, MULTICAST6_FIRST));
  }
  return fault(
    "FILTER_QUALIFIER",
    "link-layer multicast filters supported only on ethernet/FDDI/token ring/ARCNET/802.11/ATM LANE/Fibre Channel",
  );
}

/** Asks whether a packet has at least, or at most, so many bytes. */
export function lengthIs(kind: "less" | "greater", bytes: number): Condition {
  if (kind === "greater") return test([stmt(CBPF.ldLen)], CBPF.branch("jge", "k"), bytes);
  return not(test([stmt(CBPF.ldLen)], CBPF.branch("jgt", "k"), bytes));
}

/** Asks about one byte of the link header. `&` and `|` load nothing, as in libpcap. */
export function byteIs(state: State, index: number, op: string, value: number): Condition {
  const field = { base: "link", at: index, bytes: 1 } as const;
  switch (op) {
    case "=":
      return equals(state, field, value);
    case "<":
      return not(compare(state, field, "jge", value));
    case ">":
      return compare(state, field, "jgt", value);
    default: {
      const code = CBPF.alu(op === "&" ? "and" : "or", "k");
      return not(test([stmt(code, value)], CBPF.branch("jeq", "k")));
    }
  }
}

const OUTGOING = 4;

/** Where link headers keep the direction that a packet went. */
const DIRECTION_FIELDS = {
  sll: { base: "link", at: 0, bytes: 2 },
  sll2: { base: "link", at: 10, bytes: 1 },
} as const;

/** Asks whether a packet came in or went out. */
export function wentOut(state: State, isOutbound: boolean): Condition {
  const { link } = state;
  if (link === "slip") {
    // The first byte of the header is 0 for packets that came in.
    const zero = { kind: "number", value: 0, start: 0, end: 0 } as const;
    const first = { kind: "load", protocol: "link", index: zero, bytes: 1, start: 0, end: 0 } as const;
    // In this order, which tells the words of scratch memory.
    const right = evaluate(state, zero);
    return valuesRelate(state, isOutbound ? "!=" : "=", evaluate(state, first), right);
  }
  if (link !== "sll" && link !== "sll2" && state.options.isFile === true) {
    return fault(
      "FILTER_QUALIFIER",
      `inbound/outbound not supported on ${describeLink(state)} when reading savefiles`,
    );
  }
  const field =
    link === "sll" || link === "sll2"
      ? DIRECTION_FIELDS[link]
      : ({ base: "link", at: ancillaryK("packetType"), bytes: 2 } as const);
  const out = equals(state, field, OUTGOING);
  return isOutbound ? out : not(out);
}

/** Asks for the interface that a packet came in on. */
export function onInterface(state: State, ifindex: number): Condition {
  if (state.link === "sll2") return equals(state, { base: "link", at: 4, bytes: 4 }, ifindex);
  if (state.options.isFile === true) {
    return fault(
      "FILTER_QUALIFIER",
      `ifindex not supported on ${describeLink(state)} when reading savefiles`,
    );
  }
  return equals(state, { base: "link", at: ancillaryK("ifindex"), bytes: 4 }, ifindex);
}

/** Types of 802.2 packets: the control byte and the bits of it that count. @source IEEE 802.2 §5.3 */
const LLC_SUPERVISORY: ReadonlyMap<string, number> = new Map([
  ["rr", 0x01],
  ["rnr", 0x05],
  ["rej", 0x09],
]);
const LLC_UNNUMBERED: ReadonlyMap<string, number> = new Map([
  ["ui", 0x03],
  ["ua", 0x63],
  ["disc", 0x43],
  ["dm", 0x0f],
  ["sabme", 0x6f],
  ["test", 0xe3],
  ["xid", 0xaf],
  ["frmr", 0x87],
]);
const SUPERVISORY_MASK = 0x0f;
const UNNUMBERED_MASK = 0xef;
const FORMAT_MASK = 0x03;
const CONTROL_AT = 2;
const NETWARE = 0xffff;

function isLlc(state: State): Condition {
  if (state.link !== "ethernet") {
    return fault("FILTER_QUALIFIER", `'llc' not supported for ${describeLink(state)}`);
  }
  const is802 = isLength(state);
  return both(is802, not(equals(state, { base: "llc", at: 0, bytes: 2 }, NETWARE)));
}

/** Asks for packets with an 802.2 header, of a type where one is given. */
export function llcIs(state: State, type: string | undefined): Condition {
  const llc = isLlc(state);
  if (type === undefined) return llc;
  const control = { base: "llc", at: CONTROL_AT, bytes: 1 } as const;
  const masked = (value: number, mask: number): Condition =>
    both(llc, equals(state, { ...control, mask }, value));
  if (type === "i") return both(llc, not(hasBits(state, control, 1)));
  if (type === "s") return masked(1, FORMAT_MASK);
  if (type === "u") return masked(FORMAT_MASK, FORMAT_MASK);
  const supervisory = LLC_SUPERVISORY.get(type);
  if (supervisory !== undefined) return masked(supervisory, SUPERVISORY_MASK);
  const unnumbered = LLC_UNNUMBERED.get(type);
  if (unnumbered !== undefined) return masked(unnumbered, UNNUMBERED_MASK);
  return fault("FILTER_UNKNOWN_NAME", `unknown LLC type name ${JSON.stringify(type)}`);
}
