import { areBitsAligned } from "../domain/bits.ts";
import type { Env } from "../env.ts";
import { printTnum } from "../log/print-reg.ts";
import { reject } from "../reject.ts";
import { REG, type Reg, type RegBase } from "../state/reg.ts";

const PREFIX: Partial<Record<RegBase, string>> = {
  [REG.flowKeys]: "flow keys ",
  [REG.mapKey]: "key ",
  [REG.mapValue]: "value ",
  [REG.ctx]: "context ",
  [REG.stack]: "stack ",
  [REG.sock]: "sock ",
  [REG.sockCommon]: "sock_common ",
  [REG.tcpSock]: "tcp_sock ",
  [REG.xdpSock]: "xdp_sock ",
};
/** Bytes that the network stack leaves before an Ethernet header so that the IP header is aligned. */
const NET_IP_ALIGN = 2;

/** Checks natural alignment, always for the stack and atomics, else when strict (A-10..A-14). */
export function checkAlignment(env: Env, reg: Reg, off: number, size: number, isStrictOnce: boolean): void {
  if (size === 1 || reg.type === REG.arena) return;
  const isStrict = env.isStrictAlignment || isStrictOnce;
  if (reg.type === REG.pkt || reg.type === REG.pktMeta) {
    if (!isStrict) return;
    if (areBitsAligned(reg.val, NET_IP_ALIGN + reg.off + off, size)) return;
    reject(
      env,
      "MEM_ALIGN",
      "EACCES",
      `misaligned packet access off ${NET_IP_ALIGN}+${printTnum(reg.val.tnum)}+${reg.off}+${off} size ${size}`,
    );
  }
  if (!isStrict && reg.type !== REG.stack) return;
  if (areBitsAligned(reg.val, reg.off + off, size)) return;
  const prefix = PREFIX[reg.type] ?? "";
  reject(
    env,
    "MEM_ALIGN",
    "EACCES",
    `misaligned ${prefix}access off ${printTnum(reg.val.tnum)}+${reg.off}+${off} size ${size}`,
  );
}
