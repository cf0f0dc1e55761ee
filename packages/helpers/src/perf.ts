import { type ErrnoName, XDP_STATE } from "@tsbpf/abi";
import type { BpfMap, HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { mapArg } from "./map-arg.ts";
import { fail, R1, R2, R3, R4, R5, setU32, u32 } from "./regs.ts";
import { isSkbType, packetOf, word } from "./skb.ts";
import { xdpLength } from "./xdp.ts";

/** Index that means the CPU that runs the program. @source linux uapi/linux/bpf.h BPF_F_CURRENT_CPU */
const CURRENT_CPU = 0xffff_ffff;
/** Packet bytes to append, in the high half of the flags. @source linux uapi/linux/bpf.h BPF_F_CTXLEN_MASK */
const LENGTH_MASK = 0xf_ffff;

/** Says why a record cannot be written to a slot, as far as that depends on the slot. */
function slotErrno(
  env: HelperEnv,
  map: BpfMap,
  index: number,
): "E2BIG" | "ENOENT" | "EOPNOTSUPP" | undefined {
  if (index >= map.spec.maxEntries) return "E2BIG";
  const isRead =
    (env.services.perfReaders ?? "all") === "all" || map.hostSlots?.objectAt(index) !== undefined;
  if (!isRead) return "ENOENT";
  return index === env.cpu ? undefined : "EOPNOTSUPP";
}

const slotOf = (env: HelperEnv, flagsLo: number): number =>
  flagsLo >>> 0 === CURRENT_CPU ? env.cpu : flagsLo >>> 0;

/** Copies the data, and the packet bytes that follow it, and records them. */
function emit(env: HelperEnv, map: BpfMap, data: number, size: number, packetBytes: number): void {
  if (!env.effects.isOn) return;
  const record = new Uint8Array(size + packetBytes);
  record.set(env.memory.bytesAt(data, size));
  if (packetBytes > 0) record.set(packetPrefix(env, packetBytes), size);
  env.effects.record({ kind: "perf_event", map: map.spec.name, cpu: env.cpu, data: record });
}

function packetPrefix(env: HelperEnv, bytes: number): Uint8Array {
  const { dataStart, lengthBytes } = packetOf(env);
  const prefix = new Uint8Array(bytes);
  prefix.set(env.memory.bytesAt(dataStart, Math.min(bytes, lengthBytes)));
  if (bytes > lengthBytes) prefix.set(fragBytes(env, bytes - lengthBytes), lengthBytes);
  return prefix;
}

const fragBytes = (env: HelperEnv, bytes: number): Uint8Array =>
  env.memory.bytesAt(word(env, XDP_STATE.fragAddress), bytes);

const packetBytesOf = (env: HelperEnv): number =>
  env.progType === "xdp" ? xdpLength(env) : packetOf(env).lengthBytes;

const perfEventOutput: RawHelper = (regs, env) => {
  const map = mapArg(regs, R2, env);
  const high = regs[R3 + 1] as number;
  const lengthMask = env.progType === "xdp" || isSkbType(env) ? LENGTH_MASK : 0;
  const appended = high & lengthMask;
  if ((high & ~lengthMask) !== 0) return fail(regs, "EINVAL");
  if (appended > 0 && appended > packetBytesOf(env)) return fail(regs, "EFAULT");
  const errno = slotErrno(env, map, slotOf(env, regs[R3] as number));
  if (errno !== undefined) return fail(regs, errno);
  emit(env, map, u32(regs, R4), u32(regs, R5), appended);
  setU32(regs, 0);
};

/** Bytes of a counter with the times it was enabled and running. @source linux uapi/linux/bpf.h bpf_perf_event_value */
const VALUE_BYTES = 24;

/** Says why a counter cannot be read. Events that exist count records, of which there are none to count: they read 0. */
function counterErrno(regs: Int32Array, env: HelperEnv): ErrnoName | undefined {
  const map = mapArg(regs, R1, env);
  if (regs[R2 + 1] !== 0) return "EINVAL";
  return slotErrno(env, map, slotOf(env, regs[R2] as number));
}

const perfEventRead: RawHelper = (regs, env) => {
  const errno = counterErrno(regs, env);
  if (errno === undefined) setU32(regs, 0);
  else fail(regs, errno);
};

const perfEventReadValue: RawHelper = (regs, env) => {
  const to = u32(regs, R3);
  const size = u32(regs, R4);
  env.memory.u8.fill(0, to, to + size);
  const errno = size === VALUE_BYTES ? counterErrno(regs, env) : "EINVAL";
  if (errno === undefined) setU32(regs, 0);
  else fail(regs, errno);
};

const perfProgReadValue: RawHelper = (regs, env) => {
  const to = u32(regs, R2);
  const size = u32(regs, R3);
  env.memory.u8.fill(0, to, to + size);
  if (size === VALUE_BYTES) setU32(regs, 0);
  else fail(regs, "EINVAL");
};

/** Helpers on perf events. */
export const perfHelpers: readonly HelperPlugin[] = [
  kernelHelper(22, "Reads the counter of a perf event.", perfEventRead),
  kernelHelper(25, "Sends a record to the reader of a perf event array.", perfEventOutput),
  kernelHelper(55, "Reads the counter of a perf event and the times it was on.", perfEventReadValue),
  kernelHelper(56, "Reads the counter of the program's own perf event.", perfProgReadValue),
];
