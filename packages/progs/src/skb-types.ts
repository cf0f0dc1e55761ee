import { STRUCT_LAYOUTS } from "@tsbpf/abi";
import { defineProgType } from "@tsbpf/plugin";
import { SkbContext, type SkbKind } from "./skb.ts";
import { cgroupSkbVerdict, lwtVerdict, skVerdict, socketFilterVerdict, tcVerdict } from "./verdicts.ts";

const ctx = STRUCT_LAYOUTS.__sk_buff;
const source = "linux uapi/linux/bpf.h struct __sk_buff";

const LINK: SkbKind = { isLinkLayer: true, hasSockFields: false };
const NETWORK: SkbKind = { isLinkLayer: false, hasSockFields: false };
const SOCKET: SkbKind = { isLinkLayer: false, hasSockFields: true };

/** Socket filters: how much of a packet a socket gets. */
export const socketFilter = defineProgType({
  type: "socket_filter",
  summary: "Decides how many bytes of a packet its socket gets.",
  source,
  ctx,
  verdictName: socketFilterVerdict,
  createContext: (host) => new SkbContext(host, NETWORK),
});

/** Traffic control classifiers. */
export const schedCls = defineProgType({
  type: "sched_cls",
  summary: "Classifies and rewrites packets of an interface, in and out.",
  source,
  ctx,
  verdictName: tcVerdict,
  createContext: (host) => new SkbContext(host, LINK),
});

/** Traffic control actions. */
export const schedAct = defineProgType({
  type: "sched_act",
  summary: "Acts on packets that a traffic control filter matched.",
  source,
  ctx,
  verdictName: tcVerdict,
  createContext: (host) => new SkbContext(host, LINK),
});

/** Packets of the sockets of a cgroup. */
export const cgroupSkb = defineProgType({
  type: "cgroup_skb",
  summary: "Lets packets of a cgroup's sockets pass or drops them.",
  source,
  ctx,
  verdictName: cgroupSkbVerdict,
  createContext: (host) => new SkbContext(host, SOCKET),
});

/** Stream parsers and verdicts of socket maps. */
export const skSkb = defineProgType({
  type: "sk_skb",
  summary: "Parses and redirects data that arrives at sockets of a map.",
  source,
  ctx,
  verdictName: skVerdict,
  createContext: (host) => new SkbContext(host, SOCKET),
});

const lwt = (type: "lwt_in" | "lwt_out" | "lwt_xmit" | "lwt_seg6local", summary: string) =>
  defineProgType({
    type,
    summary,
    source,
    ctx,
    verdictName: lwtVerdict,
    createContext: (host) => new SkbContext(host, NETWORK),
  });

/** Packets that arrive over a light-weight tunnel route. */
export const lwtIn = lwt("lwt_in", "Inspects packets that arrive over a route.");
/** Packets that leave over a light-weight tunnel route. */
export const lwtOut = lwt("lwt_out", "Inspects packets that leave over a route.");
/** Packets that a route is about to send. */
export const lwtXmit = lwt("lwt_xmit", "Rewrites packets that a route is about to send.");
/** Packets for a local segment of IPv6 segment routing. */
export const lwtSeg6Local = lwt(
  "lwt_seg6local",
  "Acts on packets for a local segment of IPv6 segment routing.",
);
