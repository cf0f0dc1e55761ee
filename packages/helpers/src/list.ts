import type { HelperPlugin } from "@tsbpf/plugin";
import { cpuHelpers } from "./cpu.ts";
import { csumHelpers } from "./csum.ts";
import { dynptrHelpers } from "./dynptr.ts";
import { fibHelpers } from "./fib.ts";
import { lockHelpers } from "./lock.ts";
import { loopHelpers } from "./loop.ts";
import { mapHelpers } from "./map.ts";
import { mtuHelpers } from "./mtu.ts";
import { perfHelpers } from "./perf.ts";
import { printkHelpers } from "./printk.ts";
import { probeReadHelpers } from "./probe-read.ts";
import { redirectHelpers } from "./redirect.ts";
import { ringbufHelpers } from "./ringbuf.ts";
import { skbBytesHelpers } from "./skb-bytes.ts";
import { skbChangeHelpers } from "./skb-change.ts";
import { skbMetaHelpers } from "./skb-meta.ts";
import { skbRoomHelpers } from "./skb-room.ts";
import { sockHelpers } from "./sock.ts";
import { sockRedirectHelpers } from "./sock-redirect.ts";
import { storageHelpers } from "./storage.ts";
import { syncookieHelpers } from "./syncookie.ts";
import { tailCallHelpers } from "./tail-call.ts";
import { taskHelpers } from "./task.ts";
import { textHelpers } from "./text.ts";
import { timeHelpers } from "./time.ts";
import { traceHelpers } from "./trace.ts";
import { tunnelHelpers } from "./tunnel.ts";
import { xdpHelpers } from "./xdp.ts";

/**
 * The kernel's helpers that are implemented, by ascending id. Helpers of the tables that are not in here have a
 * prototype only: a program that calls one traps with its name.
 */
export const kernelHelpers: readonly HelperPlugin[] = [
  ...mapHelpers,
  ...timeHelpers,
  ...cpuHelpers,
  ...taskHelpers,
  ...probeReadHelpers,
  ...textHelpers,
  ...printkHelpers,
  ...csumHelpers,
  ...xdpHelpers,
  ...skbBytesHelpers,
  ...skbChangeHelpers,
  ...skbRoomHelpers,
  ...skbMetaHelpers,
  ...tunnelHelpers,
  ...redirectHelpers,
  ...fibHelpers,
  ...mtuHelpers,
  ...perfHelpers,
  ...ringbufHelpers,
  ...dynptrHelpers,
  ...tailCallHelpers,
  ...loopHelpers,
  ...lockHelpers,
  ...storageHelpers,
  ...sockHelpers,
  ...sockRedirectHelpers,
  ...syncookieHelpers,
  ...traceHelpers,
].sort((a, b) => a.proto.id - b.proto.id);
