import type { HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { setU32 } from "./regs.ts";

/** The host has no sockets, so every search ends empty-handed and every conversion fails. */
const none: RawHelper = (regs) => setU32(regs, 0);

const CASTS: readonly (readonly [id: number, what: string])[] = [
  [96, "TCP socket"],
  [98, "listening socket"],
  [136, "IPv6 TCP socket"],
  [137, "TCP socket"],
  [138, "TCP socket that waits for its end"],
  [139, "TCP connection request"],
  [140, "IPv6 UDP socket"],
  [178, "Unix socket"],
  [196, "multipath TCP socket"],
];

/** Helpers that search for sockets and look at them. */
export const sockHelpers: readonly HelperPlugin[] = [
  kernelHelper(84, "Searches for a TCP socket; none exist here.", none),
  kernelHelper(85, "Searches for a UDP socket; none exist here.", none),
  kernelHelper(86, "Gives a socket back.", none),
  kernelHelper(99, "Searches for a TCP socket or connection request; none exist here.", none),
  ...CASTS.map(([id, what]) => kernelHelper(id, `Returns a socket as a ${what}; none exist here.`, none)),
];
