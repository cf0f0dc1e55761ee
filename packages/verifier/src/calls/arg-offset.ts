import type { ArgSpec } from "@tsbpf/abi";
import { checkUnmoved } from "../access/offsets.ts";
import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { isMaybeNull, REG, type Reg } from "../state/reg.ts";

/** Checks how far a pointer argument may be moved (H-25). */
export function checkArgOffset(env: Env, arg: ArgSpec, reg: Reg, regno: number): void {
  if (arg.releases === true && arg.kind !== "dynptr") {
    if (reg.off !== 0 || !isConst(reg.val) || reg.val.umin !== 0n) {
      if (reg.type !== REG.scalar) {
        reject(
          env,
          "REG_OFFSET_RELEASE",
          "EINVAL",
          `R${regno} must have zero offset when passed to release func or trusted arg to kfunc`,
        );
      }
    }
  }
  switch (reg.type) {
    case REG.stack:
    case REG.pkt:
    case REG.pktMeta:
    case REG.mapKey:
    case REG.mapValue:
    case REG.mem:
    case REG.buf:
    case REG.arena:
    case REG.scalar:
      return;
    case REG.btfId:
      checkUnmoved(env, reg, regno, !isMaybeNull(reg));
      return;
    default:
      checkUnmoved(env, reg, regno);
      return;
  }
}
