import { kernelHelper } from "./define.ts";
import { setU64 } from "./regs.ts";

const ktimeGetNs = kernelHelper(5, "Returns nanoseconds since boot, without time suspended.", (regs, env) => {
  const { clock } = env.services;
  if (clock.ktimeInto === undefined) setU64(regs, clock.ktimeNs());
  else clock.ktimeInto(regs);
});

const ktimeGetBootNs = kernelHelper(
  125,
  "Returns nanoseconds since boot, with time suspended.",
  (regs, env) => setU64(regs, env.services.clock.bootNs()),
);

const ktimeGetCoarseNs = kernelHelper(
  160,
  "Returns nanoseconds since boot as of the last tick.",
  (regs, env) => setU64(regs, env.services.clock.coarseNs()),
);

const ktimeGetTaiNs = kernelHelper(208, "Returns nanoseconds of international atomic time.", (regs, env) =>
  setU64(regs, env.services.clock.taiNs()),
);

const jiffies64 = kernelHelper(118, "Returns the number of ticks.", (regs, env) =>
  setU64(regs, env.services.clock.jiffies()),
);

/** Helpers that read clocks. */
export const timeHelpers = [ktimeGetNs, ktimeGetBootNs, ktimeGetCoarseNs, ktimeGetTaiNs, jiffies64] as const;
