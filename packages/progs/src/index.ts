export { blobProgTypes } from "./blob-types.ts";
export { flowDissector } from "./flow-dissector.ts";
export { kernelProgTypes, progTypeByName } from "./list.ts";
export { netfilter } from "./netfilter.ts";
export {
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
export { xdp } from "./xdp.ts";
