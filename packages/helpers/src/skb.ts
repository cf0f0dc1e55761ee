import { CSUM_STATE, SKB_STATE } from "@tsbpf/abi";
import { TrapError } from "@tsbpf/base";
import type { PacketBuffer } from "@tsbpf/memory";
import type { HelperEnv } from "@tsbpf/plugin";

/** Offsets of `__sk_buff` fields that helpers read or write. @source linux uapi/linux/bpf.h struct __sk_buff */
export const FIELD = {
  len: 0,
  pktType: 4,
  protocol: 16,
  vlanPresent: 20,
  vlanTci: 24,
  vlanProto: 28,
  ifindex: 40,
  hash: 68,
  tstamp: 152,
  gsoSegs: 164,
  gsoSize: 176,
  tstampType: 180,
} as const;

/** Ethertypes as the `protocol` field reads them. @source linux uapi/linux/if_ether.h */
export const PROTOCOL = { ipv4: 0x0008, ipv6: 0xdd86, vlan: 0x0081, qinq: 0xa888 } as const;

/** Largest packet that helpers grow one to: four pages less the kernel's own room. */
export const SKB_BYTES_MAX = 16_064;

/**
 * Returns the packet of a run.
 *
 * @throws RUN_HELPER_PACKET (TrapError) when the program type has none.
 */
export function packetOf(env: HelperEnv): PacketBuffer {
  if (env.packet !== undefined) return env.packet;
  throw new TrapError(
    "RUN_HELPER_PACKET",
    `a helper needs a packet, programs of type ${env.progType} have none`,
    {
      details: { progType: env.progType },
    },
  );
}

/** Reads a word of the context or of what it keeps beyond its struct. */
export const word = (env: HelperEnv, offset: number): number =>
  env.memory.view.getUint32(env.ctxAddress + offset, true);

/** Writes a word of the context or of what it keeps beyond its struct. */
export const setWord = (env: HelperEnv, offset: number, value: number): void =>
  env.memory.view.setUint32(env.ctxAddress + offset, value, true);

/** Moves the bounds of the packet and keeps `len` equal to them. */
export function setPacketBounds(env: HelperEnv, start: number, end: number): void {
  packetOf(env).setBounds(start, end);
  setWord(env, FIELD.len, end - start);
  env.packetMoved();
}

/** Returns the offset of a header from the start of the program's view; negative when it lies before. */
export const headerOffset = (env: HelperEnv, header: number): number =>
  word(env, header) - packetOf(env).dataStart;

const HEADERS = [SKB_STATE.macHeader, SKB_STATE.networkHeader, SKB_STATE.transportHeader] as const;

/**
 * Moves the whole packet up when there is no room before it.
 *
 * @returns false when there is no room after it either.
 */
function makeHeadroom(env: HelperEnv, bytes: number): boolean {
  const packet = packetOf(env);
  const { dataStart, dataEnd } = packet;
  // The link-layer header may lie before the program's view and has to move along.
  const first = Math.min(dataStart, word(env, SKB_STATE.macHeader));
  if (first - bytes >= packet.start) return true;
  if (dataEnd + bytes > packet.end) return false;
  env.memory.copy(first + bytes, first, dataEnd - first);
  for (const header of HEADERS) {
    const at = word(env, header);
    if (at !== 0) setWord(env, header, at + bytes);
  }
  packet.setBounds(dataStart + bytes, dataEnd + bytes);
  return true;
}

/**
 * Inserts zeros `offset` bytes after the start of the packet by moving what lies before them down.
 *
 * @returns false when the buffer has no room.
 */
export function insertZeros(env: HelperEnv, offset: number, bytes: number): boolean {
  if (!makeHeadroom(env, bytes)) return false;
  const { dataStart, dataEnd } = packetOf(env);
  const start = dataStart - bytes;
  env.memory.copy(start, dataStart, offset);
  env.memory.u8.fill(0, start + offset, start + offset + bytes);
  setPacketBounds(env, start, dataEnd);
  return true;
}

/** Removes bytes `offset` after the start of the packet by moving what lies before them up. */
export function removeBytes(env: HelperEnv, offset: number, bytes: number): void {
  const { dataStart, dataEnd } = packetOf(env);
  env.memory.u8.copyWithin(dataStart + bytes, dataStart, dataStart + offset);
  setPacketBounds(env, dataStart + bytes, dataEnd);
}

/** Moves the noted start of a header by some bytes. */
export const shiftHeader = (env: HelperEnv, header: number, bytes: number): void =>
  setWord(env, header, word(env, header) + bytes);

/** Forgets the packet's hash. */
export function clearHash(env: HelperEnv): void {
  setWord(env, FIELD.hash, 0);
  setWord(env, SKB_STATE.hasHash, 0);
}

/** Says whether the packet stands for several segments. */
export const isSegmented = (env: HelperEnv): boolean => word(env, FIELD.gsoSize) !== 0;

/** Forgets that checksums were verified. */
export function resetUnnecessary(env: HelperEnv): void {
  if (word(env, SKB_STATE.csumState) !== CSUM_STATE.unnecessary) return;
  setWord(env, SKB_STATE.csumState, CSUM_STATE.none);
  setWord(env, SKB_STATE.csumLevel, 0);
}

/** Says whether the program's context is a `__sk_buff` with a packet of its own. */
export function isSkbType(env: HelperEnv): boolean {
  switch (env.progType) {
    case "socket_filter":
    case "sched_cls":
    case "sched_act":
    case "cgroup_skb":
    case "lwt_in":
    case "lwt_out":
    case "lwt_xmit":
    case "lwt_seg6local":
    case "sk_skb":
      return true;
    default:
      return false;
  }
}
