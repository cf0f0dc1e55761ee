import { isKptr } from "../access/kptr.ts";
import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { REG, type Reg } from "../state/reg.ts";
import type { CallMeta } from "./args.ts";

/** The destination of bpf_kptr_xchg: a referenced kptr field (H-70). */
export function checkKptrDest(env: Env, reg: Reg, regno: number, meta: CallMeta): void {
  const bad = (text: string, errno: "EINVAL" | "EACCES" = "EINVAL"): never =>
    reject(env, "CALL_ARG_KPTR", errno, text);
  const map = reg.type === REG.mapValue ? reg.x.map : undefined;
  if (!isConst(reg.val)) {
    bad(`R${regno} doesn't have constant offset. kptr has to be at the constant offset`);
  }
  if (map !== undefined && !map.hasBtf) {
    bad(`map '${map.name}' has to have BTF in order to use bpf_kptr_xchg`);
  }
  const fields = map?.fields ?? env.objectFields(reg);
  if (!fields.some(isKptr)) bad(`R${regno} has no valid kptr`);
  const at = reg.off + Number(reg.val.smin);
  const field = fields.find((one) => isKptr(one) && one.offset === at);
  if (field === undefined) {
    bad(`off=${at} doesn't point to kptr`, "EACCES");
    return;
  }
  if (field.kind !== "kptr_ref" && field.kind !== "kptr_percpu") {
    bad(`off=${at} kptr isn't referenced kptr`, "EACCES");
  }
  meta.kptrTarget = field.target;
  meta.kptrField = field;
}
