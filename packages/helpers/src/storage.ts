import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { mapArg } from "./map-arg.ts";
import { fail, isZero, R1, R2, R3, R4, setS32, setU32, u32, u64 } from "./regs.ts";

/** @source linux uapi/linux/bpf.h BPF_LOCAL_STORAGE_GET_F_CREATE */
const CREATE = 1;

const get: RawHelper = (regs, env) => {
  const map = mapArg(regs, R1, env);
  const flags = u32(regs, R4);
  const { storage } = map;
  if (storage === undefined || isZero(regs, R2) || (flags & ~CREATE) !== 0 || regs[R4 + 1] !== 0) {
    return setU32(regs, 0);
  }
  const owner = u64(regs, R2);
  let value = storage.valueFor(owner, false, env.cpu);
  if (value === 0 && flags === CREATE) {
    value = storage.valueFor(owner, true, env.cpu);
    const initial = u32(regs, R3);
    if (value !== 0 && initial !== 0) env.memory.copy(value, initial, map.spec.valueBytes);
  }
  setU32(regs, value);
};

const remove: RawHelper = (regs, env) => {
  const { storage } = mapArg(regs, R1, env);
  if (storage === undefined || isZero(regs, R2)) return fail(regs, "EINVAL");
  setS32(regs, storage.removeValue(u64(regs, R2)));
};

const ATTACHMENT = 0n;
const STATE = "helpers.local_storage";

/** The value that belongs to the program's attachment to a cgroup; zeroed at its first use in each run. */
const getLocal: RawHelper = (regs, env: HelperEnv) => {
  const map = mapArg(regs, R1, env);
  const { storage } = map;
  if (storage === undefined) return setU32(regs, 0);
  const fresh = `${STATE}.${map.address}`;
  if (!env.runState.has(fresh)) {
    env.runState.set(fresh, true);
    storage.removeValue(ATTACHMENT);
  }
  setU32(regs, storage.valueFor(ATTACHMENT, true, env.cpu));
};

const kptrXchg: RawHelper = (regs, env) => {
  const { i32 } = env.memory;
  const at = u32(regs, R1) >>> 2;
  const lo = i32[at] as number;
  const hi = i32[at + 1] as number;
  i32[at] = regs[R2] as number;
  i32[at + 1] = regs[R2 + 1] as number;
  regs[0] = lo;
  regs[1] = hi;
};

const getting = (id: number, owner: string): HelperPlugin =>
  kernelHelper(id, `Returns the value that a map keeps for a ${owner}.`, get);
const removing = (id: number, owner: string): HelperPlugin =>
  kernelHelper(id, `Forgets the value that a map keeps for a ${owner}.`, remove);

/** Helpers on values that belong to kernel objects. */
export const storageHelpers: readonly HelperPlugin[] = [
  kernelHelper(81, "Returns the value that a map keeps for the program's attachment.", getLocal),
  getting(107, "socket"),
  removing(108, "socket"),
  getting(145, "inode"),
  removing(146, "inode"),
  getting(156, "task"),
  removing(157, "task"),
  kernelHelper(194, "Exchanges the pointer in a map value.", kptrXchg),
  getting(210, "cgroup"),
  removing(211, "cgroup"),
];
