import { equalBytes } from "@tsbpf/base";
import type { FibRoute, HelperEnv, Network } from "@tsbpf/plugin";
import { isInPrefix, type Prefix, parseIp, parseMac, parsePrefix } from "./ip.ts";

/** Routing table of routes that name none. @source linux uapi/linux/rtnetlink.h RT_TABLE_MAIN */
export const MAIN_TABLE = 254;
const IPV6_BYTES = 16;
/** Metric of IPv6 routes that name none. */
const IPV6_METRIC = 1024;

/** A route with its texts parsed. */
export interface Route {
  readonly prefix: Prefix;
  readonly ifindex: number;
  readonly via: Uint8Array | undefined;
  readonly src: Uint8Array | undefined;
  readonly kind: NonNullable<FibRoute["kind"]>;
  readonly table: number;
  readonly metric: number;
}

interface NeighbourEntry {
  readonly ip: Uint8Array;
  readonly ifindex: number;
  readonly mac: Uint8Array;
}

/** A network with its texts parsed. */
export interface FibTable {
  readonly network: Network;
  readonly routes: readonly Route[];
  readonly neighbours: readonly NeighbourEntry[];
}

const STATE = "helpers.fib";

/**
 * Returns the parsed network of a VM; parsed anew only when the host gives another one.
 *
 * @throws RUN_NETWORK (InputError) when an address or prefix is malformed.
 */
export function fibTable(env: HelperEnv): FibTable {
  const known = env.vmState.get(STATE) as FibTable | undefined;
  const { network } = env.services;
  if (known !== undefined && known.network === network) return known;
  const table = parseNetwork(network);
  env.vmState.set(STATE, table);
  return table;
}

function parseNetwork(network: Network): FibTable {
  const routes = network.routes.map((route): Route => {
    const prefix = parsePrefix(route.prefix);
    return {
      prefix,
      ifindex: route.ifindex,
      via: route.via === undefined ? undefined : parseIp(route.via),
      src: route.src === undefined ? undefined : parseIp(route.src),
      kind: route.kind ?? "unicast",
      table: route.table ?? MAIN_TABLE,
      metric: route.metric ?? (prefix.bytes.length === IPV6_BYTES ? IPV6_METRIC : 0),
    };
  });
  // Longest prefix first, then the lowest metric; the sort is stable, so the host's order decides the rest.
  routes.sort((a, b) => b.prefix.bits - a.prefix.bits || a.metric - b.metric);
  const neighbours = network.neighbours.map((one) => ({
    ip: parseIp(one.ip),
    ifindex: one.ifindex,
    mac: parseMac(one.mac),
  }));
  return { network, routes, neighbours };
}

/** Finds the best route of a table. */
export const findRoute = (fib: FibTable, table: number, address: Uint8Array): Route | undefined =>
  fib.routes.find((route) => route.table === table && isInPrefix(address, route.prefix));

/** Finds the link-layer address of a neighbour. */
export const findNeighbour = (fib: FibTable, ifindex: number, address: Uint8Array): Uint8Array | undefined =>
  fib.neighbours.find((one) => one.ifindex === ifindex && equalBytes(one.ip, address))?.mac;
