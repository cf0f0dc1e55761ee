import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { fieldOf, type MapInfo } from "../maps.ts";
import { reject } from "../reject.ts";
import type { Reg } from "../state/reg.ts";
import type { CallMeta } from "./args.ts";

/** A timer lies at its place in a map value (H-32). */
export function checkTimer(env: Env, reg: Reg, regno: number, meta: CallMeta): void {
  const bad = (text: string): never => reject(env, "CALL_ARG_TIMER", "EINVAL", text);
  if (!isConst(reg.val)) {
    bad(`R${regno} doesn't have constant offset. bpf_timer has to be at the constant offset`);
  }
  const map = reg.x.map as MapInfo;
  if (!map.hasBtf) bad(`map '${map.name}' has to have BTF in order to use bpf_timer`);
  const field = fieldOf(map, "bpf_timer");
  if (field === undefined) {
    bad(`map '${map.name}' has no valid bpf_timer`);
    return;
  }
  const at = reg.off + Number(reg.val.smin);
  if (field.offset !== at) {
    bad(`off ${at} doesn't point to 'struct bpf_timer' that is at ${field.offset}`);
  }
  meta.map = map;
  meta.mapUid = reg.x.mapUid;
}
