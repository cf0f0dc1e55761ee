import type { Insn } from "@tsbpf/isa";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";

const MAX_KFUNCS = 256;
/** Read what a device knows of a packet; only programs bound to a device may call them. */
const DEVICE_KFUNCS: ReadonlySet<string> = new Set([
  "bpf_xdp_metadata_rx_timestamp",
  "bpf_xdp_metadata_rx_hash",
  "bpf_xdp_metadata_rx_vlan_tag",
]);

/**
 * Checks the kernel functions that the code names, dead code included (H-130). A call of number 0 is allowed while
 * nothing walks it.
 *
 * @source linux 6.18 kernel/bpf/verifier.c add_kfunc_call
 */
export function registerKfuncs(env: Env): void {
  const names = new Set<string>();
  for (let slot = 0; slot < env.len; slot++) {
    const insn = env.insns[slot] as Insn;
    if (insn.op !== 0x85 || insn.src !== 2) continue;
    env.insnIdx = slot;
    if (!env.isGpl) {
      const text = "cannot call kernel function from non-GPL compatible program";
      reject(env, "CALL_KFUNC_LICENSE", "EINVAL", text);
    }
    const name = env.kfuncOfSlot.get(slot);
    if (insn.imm === 0 && insn.off === 0 && name === undefined) continue;
    checkOffset(env, insn);
    if (name !== undefined && names.has(name)) continue;
    if (names.size === MAX_KFUNCS) {
      reject(env, "LIMIT_KFUNCS", "E2BIG", "too many different kernel function calls");
    }
    if (name === undefined) {
      reject(env, "CALL_KFUNC_ID", "EINVAL", `kernel btf_id ${insn.imm >>> 0} is not a function`);
    } else if (DEVICE_KFUNCS.has(name)) {
      reject(env, "CALL_KFUNC_DEVICE", "EINVAL", "metadata kfuncs require device-bound program");
    } else names.add(name);
  }
}

/** The offset names types of a module, of which there are none. */
function checkOffset(env: Env, insn: Insn): void {
  if (insn.off < 0) {
    env.log.write("negative offset disallowed for kernel module function call\n");
    reject(env, "CALL_KFUNC_ID", "EINVAL", "failed to find BTF for kernel function");
  }
  if (insn.off > 0) {
    env.log.write("kfunc offset > 0 without fd_array is invalid\n");
    reject(env, "CALL_KFUNC_ID", "EPROTO", "failed to find BTF for kernel function");
  }
}
