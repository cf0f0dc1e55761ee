import type { ErrnoName } from "@tsbpf/abi";
import { SKB_STATE, STRUCT_LAYOUTS } from "@tsbpf/abi";
import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { skbHelper } from "./guarded.ts";
import { fail, R2, R3, R4, setS32, setU32, u32 } from "./regs.ts";
import { setWord, word } from "./skb.ts";

const KEY_BYTES = STRUCT_LAYOUTS.bpf_tunnel_key.sizeBytes;
/** Offsets in `bpf_tunnel_key`. */
const KEY = { id: 0, remote: 4, tos: 20, ttl: 21, ext: 22, label: 24, local: 28 } as const;
const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
/** Older, shorter forms of the struct; the shortest holds IPv4 only. */
const IPV4_ONLY_BYTES = 8;
const SHORT_FORMS: ReadonlySet<number> = new Set([KEY.local, KEY.label, KEY.ext, IPV4_ONLY_BYTES]);
/** Bits of the flags. @source linux uapi/linux/bpf.h BPF_F_TUNINFO_IPV6, BPF_F_TUNINFO_FLAGS, BPF_F_ZERO_CSUM_TX */
const IPV6 = 1;
const WITH_FLAGS = 16;
const SET = { zeroCsum: 2, dontFragment: 4, sequence: 8, noKey: 16 } as const;
const SET_FLAGS = IPV6 | SET.zeroCsum | SET.dontFragment | SET.sequence | SET.noKey;
/** The kernel's own bits, as they are read back in network order. @source linux uapi/linux/if_tunnel.h TUNNEL_CSUM */
const KERNEL = { csum: 1, key: 4, sequence: 8, dontFragment: 256, noCache: 8192 } as const;
/** All kinds of options, since the kernel cannot tell which kind they are. @source linux uapi/linux/if_tunnel.h TUNNEL_OPTIONS_PRESENT */
const KERNEL_OPTIONS = 55_296;
const HAS_IPV6 = 2;
const LABEL_MASK = 0xf_ffff;
const OPT_BYTES_MAX = 255;

const setTunnelKey: RawHelper = (regs, env) => {
  const flags = u32(regs, R4);
  const size = u32(regs, R3);
  const from = u32(regs, R2);
  const { view, u8 } = env.memory;
  if ((flags & ~SET_FLAGS) !== 0 || regs[R4 + 1] !== 0) return fail(regs, "EINVAL");
  if (size !== KEY_BYTES && !SHORT_FORMS.has(size)) return fail(regs, "EINVAL");
  const isIpv6 = (flags & IPV6) !== 0;
  const given = new Uint8Array(KEY_BYTES);
  given.set(u8.subarray(from, from + size));
  const key = new DataView(given.buffer);
  const label = key.getUint32(KEY.label, true);
  if ((!isIpv6 && label !== 0) || key.getUint16(KEY.ext, true) !== 0) return fail(regs, "EINVAL");
  const to = env.ctxAddress + SKB_STATE.tunnelKey;
  const bytes = isIpv6 ? IPV6_BYTES : IPV4_BYTES;
  u8.fill(0, to, to + KEY_BYTES);
  u8.set(given.subarray(KEY.id, KEY.id + 4), to + KEY.id);
  u8.set(given.subarray(KEY.tos, KEY.ext), to + KEY.tos);
  u8.set(given.subarray(KEY.remote, KEY.remote + bytes), to + KEY.local);
  u8.set(given.subarray(KEY.local, KEY.local + bytes), to + KEY.remote);
  if (isIpv6) view.setUint32(to + KEY.label, label & LABEL_MASK, true);
  setWord(env, SKB_STATE.hasTunnel, isIpv6 ? HAS_IPV6 : 1);
  setWord(env, SKB_STATE.tunnelFlags, kernelFlags(flags));
  setWord(env, SKB_STATE.tunnelOptBytes, 0);
  setU32(regs, 0);
};

const kernelFlags = (flags: number): number =>
  KERNEL.noCache |
  ((flags & SET.dontFragment) !== 0 ? KERNEL.dontFragment : 0) |
  ((flags & SET.zeroCsum) !== 0 ? 0 : KERNEL.csum) |
  ((flags & SET.sequence) !== 0 ? KERNEL.sequence : 0) |
  ((flags & SET.noKey) !== 0 ? 0 : KERNEL.key);

/** Says why the key cannot be read, in the order of the kernel. */
function refusal(env: HelperEnv, size: number, flags: number, flagsHi: number): ErrnoName | undefined {
  const tunnel = word(env, SKB_STATE.hasTunnel);
  if (tunnel === 0 || (flags & ~(IPV6 | WITH_FLAGS)) !== 0 || flagsHi !== 0) return "EINVAL";
  if ((tunnel === HAS_IPV6) !== ((flags & IPV6) !== 0)) return "EPROTO";
  if (size === KEY_BYTES) return undefined;
  if (!SHORT_FORMS.has(size)) return "EINVAL";
  return size === IPV4_ONLY_BYTES && tunnel === HAS_IPV6 ? "EINVAL" : undefined;
}

const getTunnelKey: RawHelper = (regs, env) => {
  const flags = u32(regs, R4);
  const size = u32(regs, R3);
  const to = u32(regs, R2);
  const { u8, view } = env.memory;
  const errno = refusal(env, size, flags, regs[R4 + 1] as number);
  u8.fill(0, to, to + size);
  if (errno !== undefined) return fail(regs, errno);
  const stored = env.ctxAddress + SKB_STATE.tunnelKey;
  u8.set(u8.subarray(stored, stored + size), to);
  if ((flags & WITH_FLAGS) !== 0 && size >= KEY.label) {
    view.setUint16(to + KEY.ext, word(env, SKB_STATE.tunnelFlags));
  }
  setU32(regs, 0);
};

const setTunnelOpt: RawHelper = (regs, env) => {
  const size = u32(regs, R3);
  const hasOwnKey = word(env, SKB_STATE.hasTunnel) !== 0;
  if (!hasOwnKey || size % 4 !== 0) return fail(regs, "EINVAL");
  if (size > OPT_BYTES_MAX) return fail(regs, "ENOMEM");
  env.memory.copy(env.ctxAddress + SKB_STATE.tunnelOpt, u32(regs, R2), size);
  setWord(env, SKB_STATE.tunnelOptBytes, size);
  setWord(env, SKB_STATE.tunnelFlags, word(env, SKB_STATE.tunnelFlags) | KERNEL_OPTIONS);
  setU32(regs, 0);
};

const getTunnelOpt: RawHelper = (regs, env) => {
  const size = u32(regs, R3);
  const to = u32(regs, R2);
  const bytes = word(env, SKB_STATE.tunnelOptBytes);
  env.memory.u8.fill(0, to, to + size);
  if (word(env, SKB_STATE.hasTunnel) === 0 || bytes === 0) return fail(regs, "ENOENT");
  if (size < bytes) return fail(regs, "ENOMEM");
  env.memory.copy(to, env.ctxAddress + SKB_STATE.tunnelOpt, bytes);
  setS32(regs, bytes);
};

/** Helpers on tunnel metadata. */
export const tunnelHelpers: readonly HelperPlugin[] = [
  skbHelper(20, "Reads the tunnel that the packet came through.", getTunnelKey),
  skbHelper(21, "Sets the tunnel that the packet is to be sent through.", setTunnelKey),
  skbHelper(29, "Reads the tunnel's options.", getTunnelOpt),
  skbHelper(30, "Sets the tunnel's options.", setTunnelOpt),
];
