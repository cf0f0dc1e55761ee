import { TrapError } from "@tsbpf/base";
import type { HelperPlugin } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { R1, setU32, u32 } from "./regs.ts";

/** Attempts at a lock that another CPU holds before the run is ended. */
const ATTEMPTS_MAX = 100_000_000;

const deadlock = (address: number): TrapError =>
  new TrapError("RUN_DEADLOCK", "the lock is taken already and nobody gives it back", {
    details: { address },
  });

const spinLock = kernelHelper(93, "Takes a lock that lies in a map value.", (regs, env) => {
  const { i32, isShared } = env.memory;
  const address = u32(regs, R1);
  const at = address >>> 2;
  // Without other CPUs nobody runs while this program does, so a lock that is taken stays taken.
  let attempts = isShared ? ATTEMPTS_MAX : 1;
  while (Atomics.compareExchange(i32, at, 0, 1) !== 0) {
    if (--attempts <= 0) throw deadlock(address);
  }
  setU32(regs, 0);
});

const spinUnlock = kernelHelper(94, "Gives a lock back.", (regs, env) => {
  Atomics.store(env.memory.i32, u32(regs, R1) >>> 2, 0);
  setU32(regs, 0);
});

/** Helpers on locks. */
export const lockHelpers: readonly HelperPlugin[] = [spinLock, spinUnlock];
