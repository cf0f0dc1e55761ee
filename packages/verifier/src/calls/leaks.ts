import { PROG_TYPES } from "@tsbpf/abi";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { curFrame } from "../state/state.ts";

/** Checks that nothing is held where control leaves the program (C-161, H-64, H-79). */
export function checkNothingHeld(
  env: Env,
  prefix: string,
  options: { readonly isException?: boolean; readonly checksLocks: boolean },
): void {
  const state = env.cur;
  const isException = options.isException ?? false;
  if (isException || state.frames.length === 1) {
    const r0 = curFrame(state).regs[0];
    let isLingering = false;
    for (const ref of state.refs) {
      if (ref.kind !== "ptr") continue;
      if (env.progType === PROG_TYPES.struct_ops && !isException && r0?.refObjId === ref.id) continue;
      env.log.write(`Unreleased reference id=${ref.id} alloc_insn=${ref.insnIdx}\n`);
      isLingering = true;
    }
    if (isLingering) reject(env, "REF_LEAK", "EINVAL", `${prefix} would lead to reference leak`);
  }
  if (!options.checksLocks) return;
  if (state.activeLocks > 0) rejectInside(env, prefix, "bpf_spin_lock");
  if (state.activeIrqId !== 0) rejectInside(env, prefix, "bpf_local_irq_save");
  if (state.isRcu) rejectInside(env, prefix, "bpf_rcu_read_lock");
  if (state.preemptLocks > 0) rejectInside(env, prefix, "bpf_preempt_disable");
}

const rejectInside = (env: Env, prefix: string, region: string): never =>
  reject(env, "REF_REGION", "EINVAL", `${prefix} cannot be used inside ${region}-ed region`);
