import { unreachable } from "@tsbpf/base";
import { constWords, type Scalar } from "./scalar.ts";
import { addHi, mulHi, sarHi, sarLo, shlHi, shlLo, shrHi, shrLo, subHi } from "./words.ts";

/** Operations with a transfer function; division and remainder are never tracked by 6.18 (S-105). */
export type TrackedOp = "add" | "sub" | "mul" | "and" | "or" | "xor" | "lsh" | "rsh" | "arsh" | "neg";

/** Computes with two known 64-bit numbers; counts of shifts are below 64. */
export function constAlu(op: TrackedOp, a: Scalar, b: Scalar): Scalar {
  const { bitsHi: aHi, bitsLo: aLo } = a;
  const { bitsHi: bHi, bitsLo: bLo } = b;
  switch (op) {
    case "add":
      return constWords(addHi(aHi, aLo, bHi, bLo), (aLo + bLo) | 0);
    case "sub":
      return constWords(subHi(aHi, aLo, bHi, bLo), (aLo - bLo) | 0);
    case "mul":
      return constWords(mulHi(aHi, aLo, bHi, bLo), Math.imul(aLo, bLo));
    case "and":
      return constWords(aHi & bHi, aLo & bLo);
    case "or":
      return constWords(aHi | bHi, aLo | bLo);
    case "xor":
      return constWords(aHi ^ bHi, aLo ^ bLo);
    case "lsh":
      return constWords(shlHi(aHi, aLo, bLo), shlLo(aLo, bLo));
    case "rsh":
      return constWords(shrHi(aHi, bLo), shrLo(aHi, aLo, bLo));
    case "arsh":
      return constWords(sarHi(aHi, bLo), sarLo(aHi, aLo, bLo));
    case "neg":
      return constWords(subHi(0, 0, aHi, aLo), -aLo | 0);
    default:
      return unreachable(op);
  }
}

/** Computes with the known low halves of two numbers and zero-extends; counts of shifts are below 32. */
export function constAlu32(op: TrackedOp, a: Scalar, b: Scalar): Scalar {
  const x = a.bitsLo;
  const y = b.bitsLo;
  switch (op) {
    case "add":
      return constWords(0, (x + y) | 0);
    case "sub":
      return constWords(0, (x - y) | 0);
    case "mul":
      return constWords(0, Math.imul(x, y));
    case "and":
      return constWords(0, x & y);
    case "or":
      return constWords(0, x | y);
    case "xor":
      return constWords(0, x ^ y);
    case "lsh":
      return constWords(0, x << y);
    case "rsh":
      return constWords(0, (x >>> y) | 0);
    case "arsh":
      return constWords(0, x >> y);
    case "neg":
      return constWords(0, -x | 0);
    default:
      return unreachable(op);
  }
}
