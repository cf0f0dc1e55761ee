import { canAccess, PERM } from "@tsbpf/memory";
import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { fail, isZero, R1, R2, R3, R5, setU32, u32 } from "./regs.ts";

/** High half of the lowest kernel address on x86-64. */
const KERNEL_HI = 0xffff_8000;

const isReadable = (env: HelperEnv, regs: Int32Array, size: number): boolean =>
  regs[R3 + 1] === 0 && canAccess(env.memory, regs[R3] as number, size, PERM.read);

/** What an unreadable address answers: the kernel's readers do not even try addresses below the kernel's. */
const faultOf = (regs: Int32Array, isKernel: boolean): "ERANGE" | "EFAULT" =>
  isKernel && u32(regs, R3 + 1) < KERNEL_HI ? "ERANGE" : "EFAULT";

/** Copies or, when the source cannot be read, zeroes. */
const copyOrZero =
  (isKernel: boolean): RawHelper =>
  (regs, env) => {
    const to = u32(regs, R1);
    const size = u32(regs, R2);
    if (isReadable(env, regs, isKernel ? Math.max(size, 1) : size)) {
      env.memory.copy(to, u32(regs, R3), size);
      return setU32(regs, 0);
    }
    env.memory.u8.fill(0, to, to + size);
    fail(regs, faultOf(regs, isKernel));
  };

/** Copies up to a NUL, which is always there afterwards; returns the bytes written. */
const copyString =
  (isKernel: boolean): RawHelper =>
  (regs, env) => {
    const to = u32(regs, R1);
    const size = u32(regs, R2);
    const from = u32(regs, R3);
    const { u8 } = env.memory;
    for (let i = 0; i < size; i++) {
      if (regs[R3 + 1] !== 0 || !canAccess(env.memory, from + i, 1, PERM.read)) {
        u8.fill(0, to, to + size);
        return fail(regs, faultOf(regs, isKernel));
      }
      const byte = i === size - 1 ? 0 : (u8[from + i] as number);
      u8[to + i] = byte;
      if (byte === 0) return setU32(regs, i + 1);
    }
    setU32(regs, 0);
  };

const reading = (id: number, what: string): HelperPlugin =>
  kernelHelper(
    id,
    `Copies bytes from ${what} memory; zeroes the buffer when they cannot be read.`,
    copyOrZero(what === "kernel"),
  );
const readingString = (id: number, what: string): HelperPlugin =>
  kernelHelper(
    id,
    `Copies a string from ${what} memory and returns its length, the NUL included.`,
    copyString(what === "kernel"),
  );

const copyUser = copyOrZero(false);

const copyFromUserTask = kernelHelper(191, "Copies bytes from another task's memory.", (regs, env) => {
  if (!isZero(regs, R5)) {
    return fail(regs, "EINVAL");
  }
  copyUser(regs, env);
});

/** Helpers that read any address; only the program's own memory can be read here, all else is unreadable. */
export const probeReadHelpers: readonly HelperPlugin[] = [
  reading(4, "kernel or user"),
  readingString(45, "kernel or user"),
  reading(112, "user"),
  reading(113, "kernel"),
  readingString(114, "user"),
  readingString(115, "kernel"),
  reading(148, "user"),
  copyFromUserTask,
];
