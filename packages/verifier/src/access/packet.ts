import { PROG_TYPES } from "@tsbpf/abi";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { type Access, NEGATIVE_TEXT } from "./sized.ts";

const WRITERS: ReadonlySet<number> = new Set([
  PROG_TYPES.sched_cls,
  PROG_TYPES.sched_act,
  PROG_TYPES.xdp,
  PROG_TYPES.lwt_xmit,
  PROG_TYPES.sk_skb,
  PROG_TYPES.sk_msg,
  PROG_TYPES.cgroup_sockopt,
]);
const READERS: ReadonlySet<number> = new Set([
  PROG_TYPES.lwt_in,
  PROG_TYPES.lwt_out,
  PROG_TYPES.lwt_seg6local,
  PROG_TYPES.sk_reuseport,
  PROG_TYPES.flow_dissector,
  PROG_TYPES.cgroup_skb,
]);

/** Says whether a program type may touch the packet directly. */
export const mayAccessPacket = (env: Env, isWrite: boolean): boolean =>
  WRITERS.has(env.progType) || (!isWrite && READERS.has(env.progType));

/** Checks an access to packet data against the range that compares have proven. */
export function checkPacketBounds(env: Env, access: Access): void {
  const { reg, regno, off, size } = access;
  if (reg.val.sminNumber < 0) reject(env, "MEM_NEGATIVE", "EACCES", `R${regno} ${NEGATIVE_TEXT}`);
  const range = reg.x.range;
  const outside = `R${regno} offset is outside of the packet`;
  if (range < 0) reject(env, "MEM_PACKET_BOUNDS", "EINVAL", outside);
  const isSized = size > 0 || access.allowZero;
  if (off >= 0 && isSized && off + size <= range) return;
  env.log.write(
    `invalid access to packet, off=${off} size=${size}, R${regno}(id=${reg.id},off=${off},r=${range})\n`,
  );
  reject(env, "MEM_PACKET_BOUNDS", "EACCES", outside);
}
