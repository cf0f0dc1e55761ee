import type { ProgTypeName } from "@tsbpf/abi";
import type { ProgTypePlugin } from "@tsbpf/plugin";
import { blobProgTypes } from "./blob-types.ts";
import { flowDissector } from "./flow-dissector.ts";
import { netfilter } from "./netfilter.ts";
import {
  cgroupSkb,
  lwtIn,
  lwtOut,
  lwtSeg6Local,
  lwtXmit,
  schedAct,
  schedCls,
  skSkb,
  socketFilter,
} from "./skb-types.ts";
import { xdp } from "./xdp.ts";

/** The program types of Linux, all but `ext`, which takes the type of the program it replaces. */
export const kernelProgTypes: readonly ProgTypePlugin[] = [
  xdp,
  socketFilter,
  schedCls,
  schedAct,
  cgroupSkb,
  lwtIn,
  lwtOut,
  lwtXmit,
  lwtSeg6Local,
  skSkb,
  flowDissector,
  netfilter,
  ...blobProgTypes,
];

/** Returns a program type of {@link kernelProgTypes}. */
export const progTypeByName = (type: ProgTypeName): ProgTypePlugin | undefined =>
  kernelProgTypes.find((one) => one.type === type);
