import { fault } from "../errors.ts";
import { any, both, type Condition, either, not } from "../ir.ts";
import type { Direction } from "../text/tree.ts";
import type { Protocol } from "../text/words.ts";
import { inDirection } from "./address.ts";
import { carries, ETHER_TYPE } from "./link-type.ts";
import { compare, equals, hasBits, isAtMost } from "./load.ts";
import { IP_PROTOCOL } from "./protocol-numbers.ts";
import type { State } from "./state.ts";

const PORT_MAX = 65_535;
const FRAGMENT_OFFSET_BITS = 0x1fff;
const SIDES = { src: 0, dst: 2 } as const;

/** Asks whether an IPv4 packet holds the start of what it carries. */
export const isFirstFragment = (state: State): Condition =>
  not(hasBits(state, { base: "payload", at: 6, bytes: 2 }, FRAGMENT_OFFSET_BITS));

/** Ports from the first to the last, which may be the same. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
  readonly isRange: boolean;
}

/** @throws FILTER_RANGE for a number that is no port. */
export function checkPort(port: number): number {
  if (port <= PORT_MAX) return port;
  return fault("FILTER_RANGE", `illegal port number ${port} > ${PORT_MAX}`);
}

const PORT_PROTOCOLS: Readonly<Partial<Record<Protocol | "any", number | undefined>>> = {
  tcp: IP_PROTOCOL.tcp,
  udp: IP_PROTOCOL.udp,
  sctp: IP_PROTOCOL.sctp,
  any: undefined,
};

/**
 * Returns the number of the protocol that qualifies a port; undefined for any.
 *
 * @throws FILTER_QUALIFIER for a protocol without ports.
 */
export function portProtocol(protocol: Protocol | "any", type: "port" | "portrange"): number | undefined {
  if (protocol in PORT_PROTOCOLS) return PORT_PROTOCOLS[protocol];
  return fault("FILTER_QUALIFIER", `illegal qualifier of '${type}'`);
}

function portIn(state: State, base: "transport4" | "transport6", ports: PortRange, at: number): Condition {
  const field = { base, at, bytes: 2 } as const;
  if (!ports.isRange) return equals(state, field, ports.first);
  const [low, high] = ports.first <= ports.last ? [ports.first, ports.last] : [ports.last, ports.first];
  return both(compare(state, field, "jge", low), isAtMost(state, field, high));
}

/** Asks about ports behind one IP header. */
function portBehind(
  state: State,
  version: 4 | 6,
  ports: PortRange,
  of: { readonly protocol: number | undefined; readonly direction: Direction },
): Condition {
  const base = version === 4 ? "transport4" : "transport6";
  const protocolAt = version === 4 ? 9 : 6;
  const link = carries(state, version === 4 ? ETHER_TYPE.ip : ETHER_TYPE.ip6);
  const ask = (protocol: number): Condition => {
    const isProtocol = equals(state, { base: "payload", at: protocolAt, bytes: 1 }, protocol);
    const before = version === 4 ? both(isProtocol, isFirstFragment(state)) : isProtocol;
    return both(
      before,
      inDirection(of.direction, (side) => portIn(state, base, ports, SIDES[side]), "ip"),
    );
  };
  if (of.protocol !== undefined) return both(link, ask(of.protocol));
  const [tcp, udp, sctp] = [ask(IP_PROTOCOL.tcp), ask(IP_PROTOCOL.udp), ask(IP_PROTOCOL.sctp)];
  return both(link, any(sctp, tcp, udp));
}

/** Asks about ports of TCP, UDP and SCTP, or one of them. */
export function portIs(
  state: State,
  ports: PortRange,
  of: { readonly protocol: number | undefined; readonly direction: Direction },
): Condition {
  const behind4 = portBehind(state, 4, ports, of);
  const behind6 = portBehind(state, 6, ports, of);
  return either(behind6, behind4);
}

/** Asks about a destination port of UDP behind one IP header. */
export const udpPortBehind = (state: State, version: 4 | 6, port: number): Condition =>
  portBehind(
    state,
    version,
    { first: port, last: port, isRange: false },
    { protocol: IP_PROTOCOL.udp, direction: "dst" },
  );
