import { SKB_STATE } from "@tsbpf/abi";
import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { deviceOf } from "./devices.ts";
import { skbHelper } from "./guarded.ts";
import { mapArg } from "./map-arg.ts";
import { fail, isZero, R1, R2, R3, R4, setU32, u32, u64 } from "./regs.ts";
import { isSegmented, packetOf, word } from "./skb.ts";

/** Results that tell the kernel to redirect, or to give up. @source linux uapi/linux/bpf.h, uapi/linux/pkt_cls.h */
const XDP = { aborted: 0, redirect: 4 } as const;
const TC = { shot: 2, redirect: 7 } as const;
/** @source linux uapi/linux/bpf.h BPF_F_INGRESS, BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS */
const INGRESS = 1;
const BROADCAST = 8;
const EXCLUDE_INGRESS = 16;
/** Bits of the flags that hold the result for a missing key. */
const MISS_MASK = 3;
const REDIR_NEIGH_BYTES = 20;
/** What sending to, and receiving from, an interface that is down answers. @source linux include/linux/netdevice.h */
const SEND_DROP = 2;
const RECEIVE_DROP = 1;

/** Where the last redirecting helper of a run sends the packet. */
export interface RedirectTarget {
  readonly ifindex?: number;
  readonly map?: string;
  /** The low 32 bits of the key, which are what counts. */
  readonly key?: number;
  readonly flags: number;
}

/** Name under which a run keeps its {@link RedirectTarget}. */
export const REDIRECT_STATE = "redirect";

function redirectTo(env: HelperEnv, ifindex: number, flags: number): void {
  env.runState.set(REDIRECT_STATE, { ifindex, flags } satisfies RedirectTarget);
  if (env.effects.isOn) env.effects.record({ kind: "redirect", target: { ifindex }, flags: BigInt(flags) });
}

const redirect: RawHelper = (regs, env) => {
  const flags = u32(regs, R2);
  const isXdp = env.progType === "xdp";
  if (isXdp ? !isZero(regs, R2) : (flags & ~INGRESS) !== 0 || regs[R2 + 1] !== 0) {
    return setU32(regs, isXdp ? XDP.aborted : TC.shot);
  }
  redirectTo(env, u32(regs, R1), flags);
  setU32(regs, isXdp ? XDP.redirect : TC.redirect);
};

const redirectPeer: RawHelper = (regs, env) => {
  if (!isZero(regs, R2)) return setU32(regs, TC.shot);
  redirectTo(env, u32(regs, R1), 0);
  setU32(regs, TC.redirect);
};

const redirectNeigh: RawHelper = (regs, env) => {
  const size = u32(regs, R3);
  if (!isZero(regs, R4) || (size !== 0 && size < REDIR_NEIGH_BYTES)) return setU32(regs, TC.shot);
  redirectTo(env, u32(regs, R1), 0);
  setU32(regs, TC.redirect);
};

const cloneRedirect: RawHelper = (regs, env) => {
  const flags = u32(regs, R3);
  const ifindex = u32(regs, R2);
  if ((flags & ~INGRESS) !== 0 || regs[R3 + 1] !== 0) return fail(regs, "EINVAL");
  if (isSegmented(env) && word(env, SKB_STATE.gsoType) === 0) return fail(regs, "EBADMSG");
  const device = deviceOf(env, ifindex);
  if (device === undefined) return fail(regs, "EINVAL");
  const isIngress = flags === INGRESS;
  if (device.isUp === false) return setU32(regs, isIngress ? RECEIVE_DROP : SEND_DROP);
  if (env.effects.isOn) {
    env.effects.record({
      kind: "custom",
      name: "clone_redirect",
      data: { ifindex, isIngress, packet: packetOf(env).bytes().slice() },
    });
  }
  setU32(regs, 0);
};

const redirectMap: RawHelper = (regs, env) => {
  const map = mapArg(regs, R1, env);
  const flags = u32(regs, R3);
  const isDevmap = map.spec.type === "devmap" || map.spec.type === "devmap_hash";
  const known = MISS_MASK | (isDevmap ? BROADCAST | EXCLUDE_INGRESS : 0);
  if ((flags & ~known) !== 0 || regs[R3 + 1] !== 0) return setU32(regs, XDP.aborted);
  const key = u32(regs, R2);
  const isBroadcast = (flags & BROADCAST) !== 0;
  if (!isBroadcast && (map.lookupIndex?.(key) ?? 0) === 0) {
    env.runState.delete(REDIRECT_STATE);
    return setU32(regs, flags & MISS_MASK);
  }
  const { name } = map.spec;
  env.runState.set(REDIRECT_STATE, { map: name, key, flags } satisfies RedirectTarget);
  if (env.effects.isOn) {
    const target = { map: name, key: u64(regs, R2) };
    env.effects.record({ kind: "redirect", target, flags: BigInt(flags) });
  }
  setU32(regs, XDP.redirect);
};

/** Helpers that send packets elsewhere. */
export const redirectHelpers: readonly HelperPlugin[] = [
  skbHelper(13, "Sends a copy of the packet to an interface.", cloneRedirect),
  kernelHelper(23, "Makes the packet go to an interface once the program returns.", redirect),
  kernelHelper(51, "Makes the packet go to an entry of a map once the program returns.", redirectMap),
  kernelHelper(152, "Makes the packet go to a neighbour once the program returns.", redirectNeigh),
  kernelHelper(
    155,
    "Makes the packet go to the peer of an interface once the program returns.",
    redirectPeer,
  ),
];
