import type { BtfStruct, BtfUnion } from "@tsbpf/btf";
import type { Env } from "../env.ts";
import type { BtfTarget } from "../state/reg.ts";
import { hasStructAt } from "./struct-walk.ts";

/** Kernel structs by what starts at their first byte, for judging without the kernel's types. */
const EMBEDS: Readonly<Record<string, readonly string[]>> = {
  bpf_cpumask: ["cpumask"],
  sock: ["sock_common"],
  inet_sock: ["sock", "sock_common"],
  inet_connection_sock: ["inet_sock", "sock", "sock_common"],
  tcp_sock: ["inet_connection_sock", "inet_sock", "sock", "sock_common"],
  tcp6_sock: ["tcp_sock", "inet_connection_sock", "inet_sock", "sock", "sock_common"],
  udp_sock: ["inet_sock", "sock", "sock_common"],
  udp6_sock: ["udp_sock", "inet_sock", "sock", "sock_common"],
  unix_sock: ["sock", "sock_common"],
  netlink_sock: ["sock", "sock_common"],
  mptcp_sock: ["inet_connection_sock", "inet_sock", "sock", "sock_common"],
  request_sock: ["sock_common"],
  inet_timewait_sock: ["sock_common"],
  tcp_timewait_sock: ["inet_timewait_sock", "sock_common"],
  tcp_request_sock: ["inet_request_sock", "request_sock", "sock_common"],
  nf_conn___init: ["nf_conn"],
};

/** Finds the struct that a typed pointer leads to; undefined where its types are not at hand. */
export function structOf(env: Env, target: BtfTarget | undefined): BtfStruct | BtfUnion | undefined {
  if (target === undefined) return undefined;
  const btf = target.isKernel ? env.options.kernelBtf : env.btf?.btf;
  if (btf === undefined) return undefined;
  const isNamed = target.isKernel && target.typeId === 0;
  const id = isNamed
    ? (btf.idsOf(target.name, "struct")[0] ?? btf.idsOf(target.name, "union")[0])
    : target.typeId;
  const type = id === undefined || id >= btf.endId ? undefined : btf.type(id);
  return type?.kind === "struct" || type?.kind === "union" ? type : undefined;
}

/** Says whether a kernel struct of a name lies where a typed pointer points, at the start of others included. */
export function leadsTo(env: Env, target: BtfTarget, off: number, name: string): boolean {
  if (off === 0 && target.name === name) return true;
  const btf = env.options.kernelBtf;
  const struct = structOf(env, target);
  if (target.isKernel && btf !== undefined && struct !== undefined) {
    return off >= 0 && hasStructAt(btf, struct, off, name);
  }
  return off === 0 && Object.hasOwn(EMBEDS, target.name) && (EMBEDS[target.name]?.includes(name) ?? false);
}
