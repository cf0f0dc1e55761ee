import { invariant } from "@tsbpf/base";
import { PERM } from "@tsbpf/memory";
import type { HelperEnv } from "@tsbpf/plugin";

const SCRATCH_BYTES = 64;
const STATE = "helpers.scratch";

/**
 * Returns the address of a few bytes that programs may read only, one span a CPU, for what helpers make up.
 *
 * They are taken when first needed, which may be during a run, so the memory must not grow for them.
 */
export function scratchOf(env: HelperEnv): number {
  let spans = env.vmState.get(STATE) as number[] | undefined;
  if (spans === undefined) {
    spans = [];
    env.vmState.set(STATE, spans);
  }
  let address = spans[env.cpu];
  if (address === undefined) {
    address = env.memory.tryAlloc(SCRATCH_BYTES, {
      kind: "scratch",
      name: "helper scratch",
      perm: PERM.read,
    });
    invariant(address !== 0, "memory has room for the scratch bytes of helpers");
    spans[env.cpu] = address;
  }
  return address;
}
