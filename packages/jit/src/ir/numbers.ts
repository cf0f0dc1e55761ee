import type { Action, Insn, JmpOp } from "@tsbpf/isa";
import type { Value } from "./value.ts";

type AluAction = Extract<Action, { kind: "alu" }>;

/** Numbers known to be at most this are followed; so few additions can never wrap 64 bits. */
const NUMBER_MAX = 2 ** 40;
const WORD_MAX = 2 ** 32 - 1;
const WORD_BITS = 32;

/** Makes what is known of a number that is at most `max`; undefined when that is too large to be followed. */
export const small = (max: number): Value | undefined =>
  max <= NUMBER_MAX ? { kind: "small", off: 0, max } : undefined;

/** Largest number that a register can hold; infinite when that is not known. */
export function maxOf(value: Value | undefined): number {
  if (value?.kind === "small") return value.max;
  if (value?.kind !== "sym" || value.off < 0) return Number.POSITIVE_INFINITY;
  return value.max + value.off;
}

/** Whether an address is the packet's start plus something that is not negative. */
export const isAbove = (value: Value | undefined): boolean =>
  value?.kind === "sym" && value.isAbove && value.off >= 0;

/** Returns what is known of the result of arithmetic that makes no address. */
export function computedNumber(
  { aluOp, width, source }: AluAction,
  { imm }: Insn,
  before: Value | undefined,
): Value | undefined {
  if (width === WORD_BITS) return small(WORD_MAX);
  if (source !== "k") return undefined;
  switch (aluOp) {
    case "mov":
      return imm >= 0 ? small(imm) : undefined;
    case "and":
      return imm >= 0 ? small(Math.min(imm, maxOf(before))) : undefined;
    case "mul":
      return imm >= 0 ? small(maxOf(before) * imm) : undefined;
    case "lsh":
      return small(maxOf(before) * 2 ** (imm & SHIFT_MASK));
    case "rsh":
      return small(Math.floor(Math.min(maxOf(before), 2 ** 64) / 2 ** (imm & SHIFT_MASK)));
    default:
      return undefined;
  }
}

const SHIFT_MASK = 63;

/** Bytes that a comparison has shown to be in the packet, from an address on. */
export interface Shown {
  readonly id: number;
  readonly bytes: number;
}

/** Which side of a comparison is at least the other, where it holds and where it does not. */
const LEAST: Readonly<Partial<Record<JmpOp, readonly [ifTaken: "a" | "b", ifNot: "a" | "b"]>>> = {
  jgt: ["a", "b"],
  jge: ["a", "b"],
  jlt: ["b", "a"],
  jle: ["b", "a"],
};

/**
 * Says what a comparison of an address with the packet's end shows. An address that is the packet's start plus
 * something, and not beyond the end, has all bytes between before it in the packet.
 */
export function shownBy(
  jmpOp: JmpOp,
  isTaken: boolean,
  a: Value | undefined,
  b: Value | undefined,
): Shown | undefined {
  const least = LEAST[jmpOp]?.[isTaken ? 0 : 1];
  if (least === undefined) return undefined;
  const [above, below] = least === "a" ? [a, b] : [b, a];
  if (above?.kind !== "end" || above.off !== 0 || below?.kind !== "sym" || !isAbove(below)) return undefined;
  return below.off > 0 ? { id: below.id, bytes: below.off } : undefined;
}
