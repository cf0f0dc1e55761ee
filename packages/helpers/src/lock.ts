import { TrapError } from "@tsbpf/base";
import { giveSpinLock, takeSpinLock } from "@tsbpf/memory";
import type { HelperPlugin } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { R1, setU32, u32 } from "./regs.ts";

const spinLock = kernelHelper(93, "Takes a lock that lies in a map value.", (regs, env) => {
  const address = u32(regs, R1);
  if (!takeSpinLock(env.memory, address)) {
    throw new TrapError("RUN_DEADLOCK", "the lock is taken already and nobody gives it back", {
      details: { address },
    });
  }
  setU32(regs, 0);
});

const spinUnlock = kernelHelper(94, "Gives a lock back.", (regs, env) => {
  giveSpinLock(env.memory, u32(regs, R1));
  setU32(regs, 0);
});

/** Helpers on locks. */
export const lockHelpers: readonly HelperPlugin[] = [spinLock, spinUnlock];
