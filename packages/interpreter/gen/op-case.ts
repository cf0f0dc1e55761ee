/** What the outer loop does when a case leaves the inner loop; undefined when a case never does. */
export type SlowKind =
  | "memory"
  | "atomic"
  | "divide"
  | "packet"
  | "call"
  | "exit"
  | "gotox"
  | "break"
  | "bad";

/** One case of the loop's switch. */
export interface OpCase {
  /** The row's id, or the id and a suffix where one row has several cases. */
  readonly name: string;
  readonly body: readonly string[];
  readonly slow?: SlowKind;
}

/** Leaves the inner loop; the instruction has been counted and not executed. */
export const LEAVE = "break run;";
export const NEXT = "continue;";
/** Takes the jump whose distance, in words from the next instruction, is the third word. */
export const JUMP = "p = (p + (code[p - 2] as number)) | 0;";

/** Reads of the register file; `d` and `s` are even, so `+ 1` is the high half. */
export const LO = (reg: string): string => `(r[${reg}] as number)`;
export const HI = (reg: string): string => `(r[${reg} + 1] as number)`;
export const SET_LO = (reg: string, value: string): string => `r[${reg}] = ${value};`;
export const SET_HI = (reg: string, value: string): string => `r[${reg} + 1] = ${value};`;

export const DST = "const d = (w >> 8) & 30;";
export const SRC = "const s = (w >> 16) & 30;";
export const IMM = "const k = code[p - 3] as number;";

/** The second operand of arithmetic and compares. */
export interface Operand {
  readonly suffix: "k" | "x";
  /** Declarations, the destination included. */
  readonly declare: readonly string[];
  readonly lo: string;
  readonly hi: string;
}

export const OPERANDS: readonly Operand[] = [
  { suffix: "k", declare: [DST, IMM], lo: "k", hi: "(k >> 31)" },
  { suffix: "x", declare: [DST, SRC], lo: LO("s"), hi: HI("s") },
];
