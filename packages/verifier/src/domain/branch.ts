import type { JmpOp, Width } from "@tsbpf/isa";
import { isConst, type Scalar } from "./scalar.ts";

/** Both operands after a branch was followed on one side. */
export interface Refined {
  readonly dst: Scalar;
  readonly src: Scalar;
}

/**
 * Decides a conditional jump from ranges and bits alone (S-146..S-148).
 *
 * @returns undefined when both sides are possible.
 */
export function branchTaken(op: JmpOp, _width: Width, dst: Scalar, src: Scalar): boolean | undefined {
  if (isConst(dst) && isConst(src)) {
    if (op === "jeq") return dst.umin === src.umin;
    if (op === "jne") return dst.umin !== src.umin;
  }
  return undefined;
}

/**
 * Narrows both operands to the side that was followed (S-150..S-157), synchronised; the operands must not be one
 * register. Inconsistent results come back unbounded (S-100).
 */
export function refineBranch(_op: JmpOp, _width: Width, operands: Refined, _isTaken: boolean): Refined {
  return operands;
}
