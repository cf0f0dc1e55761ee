import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { fail, R1, R2, R3, setU32, u32 } from "./regs.ts";

const TCP_HEADER_BYTES = 20;
/** Where the TCP header keeps sequence number, acknowledgement and its own length. */
const TCP = { ports: 0, seq: 4, ack: 8, dataOffset: 12 } as const;
/** Where the addresses lie in an IP header. */
const ADDRESSES = { ipv4: { at: 12, bytes: 8 }, ipv6: { at: 8, bytes: 32 } } as const;
const OPTION = { end: 0, nop: 1, mss: 2 } as const;
const MSS_OPTION_BYTES = 4;
/** Segment sizes that a cookie can name, smallest first. @source linux net/ipv4 and net/ipv6 syncookies msstab */
const MSS_TABLE = { ipv4: [536, 1300, 1440, 1460], ipv6: [1260, 1380, 1420, 8940] } as const;
/** Segment size of a peer that names none. @source linux include/net/tcp.h TCP_MSS_DEFAULT */
const MSS_DEFAULT = 536;
const MSS_MIN_IPV6 = 1220;
/** A cookie is valid in the minute it was made and the one after. */
const MINUTE_NS = 60_000_000_000n;
const MINUTES_VALID = 2;
const MSS_MASK = 3;
const HASH_PRIME = 0x9e37_79b1;

type Family = "ipv4" | "ipv6";

const minuteOf = (env: HelperEnv): number => Number(env.services.clock.ktimeNs() / MINUTE_NS);

/** Mixes what identifies a connection, the minute and the peer's first sequence number. */
function cookieHash(env: HelperEnv, family: Family, regs: Int32Array, minute: number, seq: number): number {
  const { view } = env.memory;
  const { at, bytes } = ADDRESSES[family];
  const ip = u32(regs, R1);
  let hash = Math.imul(seq ^ minute, HASH_PRIME);
  const mix = (value: number): void => {
    hash = Math.imul(hash ^ value ^ (hash >>> 15), HASH_PRIME);
  };
  for (let offset = 0; offset < bytes; offset += 4) mix(view.getUint32(ip + at + offset, true));
  mix(view.getUint32(u32(regs, R2) + TCP.ports, true));
  return (hash ^ (hash >>> 13)) & ~MSS_MASK;
}

/** Finds the segment size among the options of a TCP header; 0 when it is not there. */
function mssOption(env: HelperEnv, tcp: number, headerBytes: number): number {
  const { view } = env.memory;
  for (let at = tcp + TCP_HEADER_BYTES; at < tcp + headerBytes; ) {
    const kind = view.getUint8(at);
    if (kind === OPTION.end) return 0;
    if (kind === OPTION.nop) {
      at++;
      continue;
    }
    const bytes = at + 1 < tcp + headerBytes ? view.getUint8(at + 1) : 0;
    if (bytes < 2 || at + bytes > tcp + headerBytes) return 0;
    if (kind === OPTION.mss && bytes === MSS_OPTION_BYTES) return view.getUint16(at + 2);
    at += bytes;
  }
  return 0;
}

const headerBytesAt = (env: HelperEnv, tcp: number): number =>
  (env.memory.view.getUint8(tcp + TCP.dataOffset) >> 4) * 4;

const generate =
  (family: Family): RawHelper =>
  (regs, env) => {
    const tcp = u32(regs, R2);
    const size = u32(regs, R3);
    if (size < TCP_HEADER_BYTES || size !== headerBytesAt(env, tcp)) return fail(regs, "EINVAL");
    const least = family === "ipv4" ? MSS_DEFAULT : MSS_MIN_IPV6;
    const asked = mssOption(env, tcp, size) || least;
    const table = MSS_TABLE[family];
    const idx = Math.max(
      0,
      table.findLastIndex((mss) => mss <= asked),
    );
    const seq = env.memory.view.getUint32(tcp + TCP.seq);
    regs[0] = cookieHash(env, family, regs, minuteOf(env), seq) | idx;
    regs[1] = table[idx] as number;
  };

const check =
  (family: Family): RawHelper =>
  (regs, env) => {
    const { view } = env.memory;
    const tcp = u32(regs, R2);
    const cookie = (view.getUint32(tcp + TCP.ack) - 1) | 0;
    const seq = (view.getUint32(tcp + TCP.seq) - 1) >>> 0;
    const now = minuteOf(env);
    for (let minute = now; minute > now - MINUTES_VALID; minute--) {
      if ((cookie & ~MSS_MASK) === cookieHash(env, family, regs, minute, seq)) return setU32(regs, 0);
    }
    fail(regs, "EACCES");
  };

/** Helpers on connection cookies, which hold for the VM that made them. */
export const syncookieHelpers: readonly HelperPlugin[] = [
  kernelHelper(204, "Makes the cookie that answers an IPv4 connection request.", generate("ipv4")),
  kernelHelper(205, "Makes the cookie that answers an IPv6 connection request.", generate("ipv6")),
  kernelHelper(206, "Checks the cookie that comes back over IPv4.", check("ipv4")),
  kernelHelper(207, "Checks the cookie that comes back over IPv6.", check("ipv6")),
];
