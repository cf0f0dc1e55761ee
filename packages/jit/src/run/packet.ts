import { SKB_STATE } from "@tsbpf/abi";
import type { Machine } from "@tsbpf/runtime";

/** Offsets from here on count from the network header. @source linux uapi/linux/filter.h SKF_NET_OFF */
const NET_OFF = -0x10_0000;
/** Offsets from here on, up to {@link NET_OFF}, count from the link-layer header. @source SKF_LL_OFF */
const LINK_OFF = -0x20_0000;

/** Finds the address of packet bytes for a legacy load; 0 when the packet does not hold all of them. */
export function findPacketBytes({ env }: Machine, offset: number, size: number): number {
  const { packet, memory, ctxAddress } = env;
  if (packet === undefined) return 0;
  let at: number;
  let from = packet.start;
  if (offset >= 0) {
    from = packet.dataStart;
    at = from + offset;
  } else if (offset >= NET_OFF) {
    at = memory.view.getUint32(ctxAddress + SKB_STATE.networkHeader, true) + offset - NET_OFF;
  } else if (offset >= LINK_OFF) {
    at = memory.view.getUint32(ctxAddress + SKB_STATE.macHeader, true) + offset - LINK_OFF;
  } else return 0;
  return at >= from && at + size <= packet.dataEnd ? at : 0;
}
