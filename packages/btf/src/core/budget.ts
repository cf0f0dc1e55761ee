import type { Btf } from "../btf.ts";
import { btfError } from "../errors.ts";

/** Bounds the work of matching the relocations of one object, which nested types could make exponential. */
export interface CoreBudget {
  /**
   * Takes steps, about one for each member, parameter or enumerator looked at.
   *
   * @throws BTF_CORE_LIMIT when none are left.
   */
  spend(btf: Btf, typeId: number, steps?: number): void;
}

const STEPS = 20_000_000;

export function createCoreBudget(): CoreBudget {
  let left = STEPS;
  return {
    spend(btf, typeId, steps = 1) {
      left -= steps;
      if (left >= 0) return;
      throw btfError("BTF_CORE_LIMIT", `more than ${STEPS} steps to match types`, { what: btf.what, typeId });
    },
  };
}
