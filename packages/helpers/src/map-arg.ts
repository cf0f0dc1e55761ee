import { printHex, TrapError } from "@tsbpf/base";
import type { BpfMap, HelperEnv } from "@tsbpf/plugin";

/**
 * Returns the map of a register.
 *
 * @throws RUN_MAP (TrapError) when the register holds no map, which only unverified programs can do.
 */
export function mapArg(regs: Int32Array, at: number, env: HelperEnv): BpfMap {
  const map = regs[at + 1] === 0 ? env.mapAt((regs[at] as number) >>> 0) : undefined;
  if (map !== undefined) return map;
  throw new TrapError(
    "RUN_MAP",
    `r${at >> 1} holds ${printHex((regs[at] as number) >>> 0)}, which is no map`,
    {
      details: { register: at >> 1 },
    },
  );
}
