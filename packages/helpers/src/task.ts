import { encodeUtf8 } from "@tsbpf/base";
import type { HelperEnv } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { fail, R1, R2, R3, R4, s32, setS32, setU32, setU64, u32 } from "./regs.ts";

/** Bytes of a task's name, its NUL included. @source linux include/linux/sched.h TASK_COMM_LEN */
const COMM_BYTES = 16;
const ROOT_CGROUP_ID = 1n;
const NAME_OF_RETVAL = "retval";
/** Highest signal number. @source linux uapi/asm-generic/signal.h _NSIG */
const SIGNAL_MAX = 64;

const cgroupPath = (env: HelperEnv): readonly bigint[] => {
  const { cgroupPath: path, cgroupId } = env.services.task;
  return path ?? (cgroupId === ROOT_CGROUP_ID ? [ROOT_CGROUP_ID] : [ROOT_CGROUP_ID, cgroupId]);
};

const getCurrentPidTgid = kernelHelper(
  14,
  "Returns the process id, and the thread id in the low half.",
  (regs, env) => {
    const { pid, tgid } = env.services.task;
    regs[0] = pid;
    regs[1] = tgid;
  },
);

const getCurrentUidGid = kernelHelper(
  15,
  "Returns the group id, and the user id in the low half.",
  (regs, env) => {
    const { uid, gid } = env.services.task;
    regs[0] = uid;
    regs[1] = gid;
  },
);

const getCurrentComm = kernelHelper(16, "Copies the task's name into a buffer.", (regs, env) => {
  const size = u32(regs, R2);
  const buffer = env.memory.bytesAt(u32(regs, R1), size);
  const name = encodeUtf8(env.services.task.comm).subarray(0, Math.min(COMM_BYTES, size) - 1);
  buffer.fill(0);
  buffer.set(name);
  setU32(regs, 0);
});

const getNsCurrentPidTgid = kernelHelper(
  120,
  "Copies the ids that a pid namespace knows the task by.",
  (regs, env) => {
    const size = u32(regs, R4);
    const info = u32(regs, R3);
    // No namespace but the initial one exists here, and no file names it.
    env.memory.u8.fill(0, info, info + size);
    fail(regs, "EINVAL");
  },
);

const getCurrentCgroupId = kernelHelper(80, "Returns the id of the task's cgroup.", (regs, env) =>
  setU64(regs, env.services.task.cgroupId),
);

const getCurrentAncestorCgroupId = kernelHelper(
  123,
  "Returns the id of a cgroup above the task's.",
  (regs, env) => {
    const level = s32(regs, R1);
    setU64(regs, cgroupPath(env)[level] ?? 0n);
  },
);

const getCgroupClassid = kernelHelper(17, "Returns the task's class for traffic control.", (regs, env) =>
  setU32(regs, env.services.task.classId ?? 0),
);

const sendSignal = (id: number, target: "process" | "thread") =>
  kernelHelper(id, `Sends a signal to the current ${target}.`, (regs, env) => {
    const signal = u32(regs, R1);
    if (signal > SIGNAL_MAX) return fail(regs, "EINVAL");
    // Kernel threads, whose pid is 0, get no signals.
    if (env.services.task.pid === 0) return fail(regs, "EPERM");
    if (env.effects.isOn) {
      env.effects.record({
        kind: "custom",
        name: "signal",
        data: { signal, target, pid: env.services.task.pid },
      });
    }
    setU32(regs, 0);
  });

const getRetval = kernelHelper(186, "Returns what the system call will return.", (regs, env) =>
  setS32(regs, (env.runState.get(NAME_OF_RETVAL) as number | undefined) ?? 0),
);

const setRetval = kernelHelper(187, "Sets what the system call will return.", (regs, env) => {
  const value = s32(regs, R1);
  env.runState.set(NAME_OF_RETVAL, value);
  if (env.effects.isOn) env.effects.record({ kind: "custom", name: "retval", data: value });
  setU32(regs, 0);
});

const getAttachCookie = kernelHelper(
  174,
  "Returns the number that the program was attached with.",
  (regs, env) => setU64(regs, (env.vmState.get("attach_cookie") as bigint | undefined) ?? 0n),
);

/** An address that no memory has, so that reading the task through it fails as an unreadable address does. */
const TASK_POINTER = 0xffff_8880_0100_0000n;

const getCurrentTask = kernelHelper(
  35,
  "Returns the address of the task, which cannot be read here.",
  (regs) => setU64(regs, TASK_POINTER),
);

/** Helpers about the task, its cgroup and what it gets back. */
export const taskHelpers = [
  getCurrentPidTgid,
  getCurrentUidGid,
  getCurrentComm,
  getNsCurrentPidTgid,
  getCurrentCgroupId,
  getCurrentAncestorCgroupId,
  getCgroupClassid,
  sendSignal(109, "process"),
  sendSignal(117, "thread"),
  getRetval,
  setRetval,
  getAttachCookie,
  getCurrentTask,
] as const;
