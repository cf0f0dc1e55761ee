import type { HelperEnv, HelperPlugin } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { deviceOf, headerBytesOf } from "./devices.ts";
import { fail, isZero, R2, R3, R4, R5, s32, setU32, u32 } from "./regs.ts";
import { FIELD, isSegmented, packetOf, word } from "./skb.ts";

/** Answers. @source linux uapi/linux/bpf.h enum bpf_check_mtu_ret */
const FITS = 0;
const FRAG_NEEDED = 1;
/** @source linux uapi/linux/bpf.h BPF_MTU_CHK_SEGS */
const SEGMENTS = 1;
/** Where the contexts keep the interface of the packet. */
const XDP_INGRESS_IFINDEX = 12;

const ownIfindex = (env: HelperEnv): number =>
  word(env, env.progType === "xdp" ? XDP_INGRESS_IFINDEX : FIELD.ifindex);

const checkMtu = kernelHelper(
  163,
  "Says whether the packet fits the largest unit of an interface.",
  (regs, env) => {
    const { view } = env.memory;
    const field = u32(regs, R3);
    const given = view.getUint32(field, true);
    const delta = s32(regs, R4);
    const isXdp = env.progType === "xdp";
    const hasSegments = u32(regs, R5) === SEGMENTS && regs[R5 + 1] === 0;
    if (!isZero(regs, R5) && (isXdp || !hasSegments)) return fail(regs, "EINVAL");
    if (hasSegments && (delta !== 0 || given !== 0)) return fail(regs, "EINVAL");
    const asked = u32(regs, R2);
    const device = deviceOf(env, asked === 0 ? ownIfindex(env) : asked);
    if (device === undefined) return fail(regs, "ENODEV");
    const header = headerBytesOf(device);
    const length = given === 0 ? packetOf(env).lengthBytes : given + header;
    const fits = ((length + delta) | 0) <= device.mtu + header || (!isXdp && isSegmented(env));
    view.setUint32(field, device.mtu, true);
    setU32(regs, fits ? FITS : FRAG_NEEDED);
  },
);

/** Helpers about packet sizes. */
export const mtuHelpers: readonly HelperPlugin[] = [checkMtu];
