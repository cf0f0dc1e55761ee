import { canAccess, PERM } from "@tsbpf/memory";
import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { fail, isZero, R1, R2, R3, R5, setU32, u32 } from "./regs.ts";

const isReadable = (env: HelperEnv, regs: Int32Array, at: number, size: number): boolean =>
  regs[at + 1] === 0 && canAccess(env.memory, regs[at] as number, size, PERM.read);

/** Copies or, when the source cannot be read, zeroes. */
const copyOrZero: RawHelper = (regs, env) => {
  const to = u32(regs, R1);
  const size = u32(regs, R2);
  if (isReadable(env, regs, R3, size)) {
    env.memory.copy(to, u32(regs, R3), size);
    return setU32(regs, 0);
  }
  env.memory.u8.fill(0, to, to + size);
  fail(regs, "EFAULT");
};

/** Copies up to a NUL, which is always there afterwards; returns the bytes written. */
const copyString: RawHelper = (regs, env) => {
  const to = u32(regs, R1);
  const size = u32(regs, R2);
  const from = u32(regs, R3);
  const { u8 } = env.memory;
  for (let i = 0; i < size; i++) {
    if (regs[R3 + 1] !== 0 || !canAccess(env.memory, from + i, 1, PERM.read)) {
      u8.fill(0, to, to + size);
      return fail(regs, "EFAULT");
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
    copyOrZero,
  );
const readingString = (id: number, what: string): HelperPlugin =>
  kernelHelper(
    id,
    `Copies a string from ${what} memory and returns its length, the NUL included.`,
    copyString,
  );

const copyFromUserTask = kernelHelper(191, "Copies bytes from another task's memory.", (regs, env) => {
  if (!isZero(regs, R5)) {
    return fail(regs, "EINVAL");
  }
  copyOrZero(regs, env);
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
