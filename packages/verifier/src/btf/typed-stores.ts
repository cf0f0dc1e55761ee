import { PROG_TYPES } from "@tsbpf/abi";
import { type Btf, findPath } from "@tsbpf/btf";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { type StructOpsMember, structOpsMember } from "./struct-ops.ts";

/*
 * Stores through typed pointers to the kernel's objects. Computes: whether the program's type permits one.
 * Assumes: the kernel's types; without them no field is known, and none may be set.
 */

interface Store {
  readonly name: string;
  readonly off: number;
  readonly size: number;
}

interface Writable {
  readonly from: string;
  readonly member: string;
}

/** Fields of sockets that congestion control may set. @source linux 6.18 net/ipv4/bpf_tcp_ca.c */
const TCP_FIELDS: readonly Writable[] = [
  { from: "sock", member: "sk_pacing_rate" },
  { from: "sock", member: "sk_pacing_status" },
  { from: "inet_connection_sock", member: "icsk_ca_priv" },
  { from: "inet_connection_sock", member: "icsk_ack.pending" },
  { from: "tcp_sock", member: "snd_cwnd" },
  { from: "tcp_sock", member: "snd_cwnd_cnt" },
  { from: "tcp_sock", member: "snd_cwnd_stamp" },
  { from: "tcp_sock", member: "snd_ssthresh" },
  { from: "tcp_sock", member: "ecn_flags" },
  { from: "tcp_sock", member: "app_limited" },
];

/** Where a field lies in bytes, which is where it lies in `tcp_sock` too: each struct starts with the one before. */
function fieldRange(
  btf: Btf,
  struct: string,
  path: string,
): { readonly start: number; readonly end: number } {
  const id = btf.idsOf(struct, "struct")[0];
  const field = id === undefined ? undefined : findPath(btf, id, path);
  if (field === undefined) return { start: -1, end: -1 };
  const start = Math.floor(field.offsetBits / 8);
  return { start, end: start + Math.ceil(field.sizeBits / 8) };
}

/** Types of programs that may mark connections. */
const PACKET_TYPES: ReadonlySet<number> = new Set([
  PROG_TYPES.xdp,
  PROG_TYPES.sched_cls,
  PROG_TYPES.sched_act,
]);
/** Tracked connections, as they are and before they are inserted: both look alike. */
const CONNECTIONS: ReadonlySet<string> = new Set(["nf_conn", "nf_conn___init"]);

const bad = (env: Env, text: string): never => reject(env, "MEM_READ_ONLY", "EACCES", text);

/** @throws MEM_READ_ONLY unless the store ends where the field does, or before. */
function checkFieldEnd(env: Env, struct: string, store: Store, end: number): void {
  const { off, size } = store;
  if (off + size <= end) return;
  bad(env, `write access at off ${off} with size ${size} beyond the member of ${struct} ended at ${end}`);
}

/** Programs on packets may mark connections. @source linux 6.18 net/netfilter/nf_conntrack_bpf.c */
function storeConnection(env: Env, store: Store): boolean {
  const { kernelBtf } = env.options;
  if (!CONNECTIONS.has(store.name) || kernelBtf === undefined) return false;
  const mark = fieldRange(kernelBtf, "nf_conn", "mark");
  if (store.off !== mark.start) bad(env, `no write support to nf_conn at off ${store.off}`);
  checkFieldEnd(env, "nf_conn", store, mark.end);
  return true;
}

function storeDummyState(env: Env, { btf }: StructOpsMember, { name, off, size }: Store): boolean {
  if (name !== "bpf_dummy_ops_state") bad(env, "only access to bpf_dummy_ops_state is supported");
  const state = btf.idsOf(name, "struct")[0];
  const type = state === undefined ? undefined : btf.type(state);
  if (type?.kind === "struct" && off + size > type.sizeBytes)
    bad(env, `write access at off ${off} with size ${size}`);
  return true;
}

function storeSocket(env: Env, { btf }: StructOpsMember, store: Store): boolean {
  const { name, off } = store;
  if (name !== "tcp_sock") bad(env, "only read is supported");
  for (const { from, member: path } of TCP_FIELDS) {
    const field = fieldRange(btf, from, path);
    const isHere = path === "icsk_ca_priv" ? off >= field.start && off < field.end : off === field.start;
    if (!isHere) continue;
    checkFieldEnd(env, "tcp_sock", store, field.end);
    return true;
  }
  return bad(env, `no write support to tcp_sock at off ${off}`);
}

/**
 * Checks a store through a typed pointer, which some types of programs permit.
 *
 * @returns true when it is allowed, false when the program's type permits none.
 * @throws MEM_READ_ONLY when it permits others.
 */
export function mayStoreTyped(env: Env, store: Store): boolean {
  if (PACKET_TYPES.has(env.progType)) return storeConnection(env, store);
  const member = structOpsMember(env);
  if (member?.struct.name === "bpf_dummy_ops") return storeDummyState(env, member, store);
  if (member?.struct.name === "tcp_congestion_ops") return storeSocket(env, member, store);
  return false;
}
