import type { LinkedProg, Target } from "@tsbpf/runtime";
import type { RawHelper } from "./loop.gen.ts";

type LiveMap = LinkedProg["maps"][number];

const R2 = 4;
const R3 = 6;
const R4 = 8;

const TWO_32 = 2 ** 32;

/** The flags of an update; those above 2^53 are refused anyway, rounded or not. */
const flagsIn = (regs: Int32Array): number =>
  ((regs[R4 + 1] as number) >>> 0) * TWO_32 + ((regs[R4] as number) >>> 0);

/** The calls that change or find elements, of a map that is known. */
const BOUND: Readonly<Record<string, (map: LiveMap) => RawHelper>> = {
  map_lookup_elem: (map) => (regs, env) => {
    regs[0] = map.lookup((regs[R2] as number) >>> 0, env.cpu);
    regs[1] = 0;
  },
  map_update_elem: (map) => (regs, env) => {
    const flags = flagsIn(regs);
    const status = map.update((regs[R2] as number) >>> 0, (regs[R3] as number) >>> 0, flags, env.cpu);
    regs[0] = status;
    regs[1] = status >> 31;
  },
  map_delete_elem: (map) => (regs, env) => {
    const status = map.delete((regs[R2] as number) >>> 0, env.cpu);
    regs[0] = status;
    regs[1] = status >> 31;
  },
};

/**
 * Returns an implementation of a map helper's call that need not look the map up, where the verifier says that all
 * ways to the call bring the same map, and the helper that its work may be done so.
 */
export function bindMapCall(linked: LinkedProg, slot: number, target: Target): RawHelper | undefined {
  const map = linked.maps[linked.facts?.callMapIdx.get(slot) ?? -1];
  if (map === undefined || target.kind !== "helper" || target.helper.wasm?.kind !== "intrinsic")
    return undefined;
  return BOUND[target.helper.wasm.name]?.(map);
}
