import type { JmpOp, SizeBytes, Width } from "@tsbpf/isa";
import { aluScalar, offsetScalar, type ScalarAluOp } from "./alu.ts";
import { type Refined, refineBranch } from "./branch.ts";
import { signExtendScalar, truncateScalar, zeroExtend32 } from "./cast.ts";
import { isConst, type Scalar } from "./scalar.ts";

// Computes: the functions of this folder, remembering results by the identity of their operands. Assumes: scalars are
// immutable. Guarantees: the same results. Cost: a look-up, since paths meet the same scalars again and again; results
// live as long as their operands do. Two constants are computed anew: that is cheaper, and loops make many of them.

type Table<T> = WeakMap<Scalar, WeakMap<Scalar, Map<string, T>>>;
const alus: Table<Scalar> = new WeakMap();
const offsets: Table<Scalar> = new WeakMap();
const branches: Table<Refined> = new WeakMap();
const casts: WeakMap<Scalar, Map<string, Scalar>> = new WeakMap();

function recall<T>(table: Table<T>, a: Scalar, b: Scalar, key: string, compute: () => T): T {
  let byA = table.get(a);
  if (byA === undefined) {
    byA = new WeakMap();
    table.set(a, byA);
  }
  let byB = byA.get(b);
  if (byB === undefined) {
    byB = new Map();
    byA.set(b, byB);
  }
  const known = byB.get(key);
  if (known !== undefined) return known;
  const made = compute();
  byB.set(key, made);
  return made;
}

function recallCast(a: Scalar, key: string, compute: () => Scalar): Scalar {
  let known = casts.get(a);
  if (known === undefined) {
    known = new Map();
    casts.set(a, known);
  }
  const before = known.get(key);
  if (before !== undefined) return before;
  const made = compute();
  known.set(key, made);
  return made;
}

/** {@link aluScalar}, remembered. */
export function memoAlu(op: ScalarAluOp, width: Width, dst: Scalar, src: Scalar): Scalar {
  if (isConst(dst)) return aluScalar(op, width, dst, src);
  return recall(alus, dst, src, width === 64 ? op : `${op}32`, () => aluScalar(op, width, dst, src));
}

/** {@link offsetScalar}, remembered. */
export function memoOffset(op: "add" | "sub", variable: Scalar, by: Scalar): Scalar {
  if (isConst(variable) && isConst(by)) return offsetScalar(op, variable, by);
  return recall(offsets, variable, by, op, () => offsetScalar(op, variable, by));
}

/** {@link refineBranch}, remembered. */
export function memoRefine(op: JmpOp, width: Width, operands: Refined, isTaken: boolean): Refined {
  const { dst, src } = operands;
  const key = `${op}${width}${isTaken ? "t" : "f"}`;
  return recall(branches, dst, src, key, () => refineBranch(op, width, operands, isTaken));
}

/** {@link truncateScalar}, remembered. */
export const memoTruncate = (a: Scalar, size: SizeBytes): Scalar =>
  size === 8
    ? a
    : isConst(a)
      ? truncateScalar(a, size)
      : recallCast(a, `t${size}`, () => truncateScalar(a, size));

/** {@link signExtendScalar}, remembered. */
export const memoSignExtend = (a: Scalar, fromBits: 8 | 16 | 32, width: Width): Scalar =>
  isConst(a)
    ? signExtendScalar(a, fromBits, width)
    : recallCast(a, `s${fromBits}.${width}`, () => signExtendScalar(a, fromBits, width));

/** {@link zeroExtend32}, remembered. */
export const memoZeroExtend = (a: Scalar): Scalar =>
  isConst(a) ? zeroExtend32(a) : recallCast(a, "z", () => zeroExtend32(a));
