import { isZero } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { printTnum, regTypeName } from "../log/print-reg.ts";
import { reject } from "../reject.ts";
import type { Reg } from "../state/reg.ts";

/** Checks that a pointer was not moved (A-30, H-25). */
export function checkUnmoved(env: Env, reg: Reg, regno: number, isFixedAllowed = false): void {
  const type = regTypeName(reg);
  if (reg.off < 0) {
    reject(
      env,
      "REG_OFFSET_NEGATIVE",
      "EACCES",
      `negative offset ${type} ptr R${regno} off=${reg.off} disallowed`,
    );
  }
  if (!isFixedAllowed && reg.off !== 0) {
    reject(
      env,
      "REG_OFFSET_FIXED",
      "EACCES",
      `dereference of modified ${type} ptr R${regno} off=${reg.off} disallowed`,
    );
  }
  if (!isZero(reg.val)) {
    reject(
      env,
      "REG_OFFSET_VARIABLE",
      "EACCES",
      `variable ${type} access var_off=${printTnum(reg.val.tnum)} disallowed`,
    );
  }
}
