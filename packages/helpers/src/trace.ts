import type { HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { fail, isZero, R2, R3, R4, setU32, u32 } from "./regs.ts";

/** Bits of the flags of stack helpers. @source linux uapi/linux/bpf.h BPF_F_SKIP_FIELD_MASK */
const SKIP_MASK = 255;
const USER_STACK = 256;
const FAST_COMPARE = 512;
const REUSE_ID = 1024;
const USER_BUILD_ID = 2048;
const FRAME_BYTES = 8;
const BUILD_ID_BYTES = 32;
/** @source linux uapi/linux/bpf.h BPF_F_GET_BRANCH_RECORDS_SIZE */
const RECORDS_SIZE = 1;

const getStackId: RawHelper = (regs) => {
  const allowed = SKIP_MASK | USER_STACK | FAST_COMPARE | REUSE_ID;
  fail(regs, (u32(regs, R3) & ~allowed) !== 0 || regs[R3 + 1] !== 0 ? "EINVAL" : "EFAULT");
};

/** Zeroes the buffer and fails, as Linux does when it finds no frames: the host has no stack to walk. */
const getStack: RawHelper = (regs, env) => {
  const to = u32(regs, R2);
  const size = u32(regs, R3);
  const flags = u32(regs, R4);
  const hasBuildIds = (flags & USER_BUILD_ID) !== 0;
  const isKernel = (flags & USER_STACK) === 0;
  env.memory.u8.fill(0, to, to + size);
  const isBad =
    (flags & ~(SKIP_MASK | USER_STACK | USER_BUILD_ID)) !== 0 ||
    regs[R4 + 1] !== 0 ||
    (isKernel && hasBuildIds) ||
    size % (hasBuildIds ? BUILD_ID_BYTES : FRAME_BYTES) !== 0;
  fail(regs, isBad ? "EINVAL" : "EFAULT");
};

const readBranchRecords: RawHelper = (regs) =>
  fail(regs, (u32(regs, R4) & ~RECORDS_SIZE) !== 0 || regs[R4 + 1] !== 0 ? "EINVAL" : "ENOENT");

const getBranchSnapshot: RawHelper = (regs) => fail(regs, isZero(regs, R3) ? "ENOENT" : "EINVAL");

/** Helpers that look at what the processor did; here there is nothing to see. */
export const traceHelpers: readonly HelperPlugin[] = [
  kernelHelper(27, "Returns an id of the current stack; no stack is known here.", getStackId),
  kernelHelper(67, "Copies the current stack; no stack is known here.", getStack),
  kernelHelper(119, "Copies the branches before a perf event; none are known here.", readBranchRecords),
  kernelHelper(141, "Copies a task's stack; no stack is known here.", getStack),
  kernelHelper(173, "Returns the address of the traced function, 0 when it is not known.", (regs) =>
    setU32(regs, 0),
  ),
  kernelHelper(176, "Copies the last branches; none are known here.", getBranchSnapshot),
];
