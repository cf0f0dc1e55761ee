import type { JmpOp } from "@tsbpf/isa";
import { HI, JUMP, LEAVE, LO, NEXT, OPERANDS, type OpCase, type Operand } from "./op-case.ts";

/** Declarations and the condition under which a jump is taken. */
interface Test {
  readonly declare: readonly string[];
  readonly condition: string;
}

type MakeTest = (operand: Operand) => Test;

const plain =
  (condition: (operand: Operand) => string): MakeTest =>
  (operand) => ({ declare: [], condition: condition(operand) });

/** 64-bit order: the high halves decide, signed or not, and the low halves when those are equal. */
const ordered64 =
  (op: "<" | "<=" | ">" | ">=", isSigned: boolean): MakeTest =>
  ({ lo, hi }) => ({
    declare: [`const a = ${HI("d")};`, `const b = ${hi};`],
    condition: `a === b ? ${LO("d")} >>> 0 ${op} ${lo} >>> 0 : ${isSigned ? `a ${op} b` : `a >>> 0 ${op} b >>> 0`}`,
  });

const TESTS64: Readonly<Record<JmpOp, MakeTest>> = {
  jeq: plain(({ lo, hi }) => `${LO("d")} === ${lo} && ${HI("d")} === ${hi}`),
  jne: plain(({ lo, hi }) => `${LO("d")} !== ${lo} || ${HI("d")} !== ${hi}`),
  jset: plain(({ lo, hi }) => `((${LO("d")} & ${lo}) | (${HI("d")} & ${hi})) !== 0`),
  jgt: ordered64(">", false),
  jge: ordered64(">=", false),
  jlt: ordered64("<", false),
  jle: ordered64("<=", false),
  jsgt: ordered64(">", true),
  jsge: ordered64(">=", true),
  jslt: ordered64("<", true),
  jsle: ordered64("<=", true),
};

const unsigned32 = (op: string): MakeTest => plain(({ lo }) => `${LO("d")} >>> 0 ${op} ${lo} >>> 0`);
const signed32 = (op: string): MakeTest => plain(({ lo }) => `${LO("d")} ${op} ${lo}`);

const TESTS32: Readonly<Record<JmpOp, MakeTest>> = {
  jeq: signed32("==="),
  jne: signed32("!=="),
  jset: plain(({ lo }) => `(${LO("d")} & ${lo}) !== 0`),
  jgt: unsigned32(">"),
  jge: unsigned32(">="),
  jlt: unsigned32("<"),
  jle: unsigned32("<="),
  jsgt: signed32(">"),
  jsge: signed32(">="),
  jslt: signed32("<"),
  jsle: signed32("<="),
};

function branchCases(tests: Readonly<Record<JmpOp, MakeTest>>, width: 32 | 64): OpCase[] {
  return (Object.keys(tests) as JmpOp[]).flatMap((jmpOp) =>
    OPERANDS.map((operand) => {
      const { declare, condition } = tests[jmpOp](operand);
      return {
        name: `${jmpOp}${width}.${operand.suffix}`,
        body: [...operand.declare, ...declare, `if (${condition}) ${JUMP}`, NEXT],
      };
    }),
  );
}

export const JUMP_CASES: readonly OpCase[] = [
  ...branchCases(TESTS64, 64),
  ...branchCases(TESTS32, 32),
  { name: "ja", body: [JUMP, NEXT] },
  {
    name: "may_goto",
    body: [
      "const loops = frames[sp + LOOPS_LEFT] as number;",
      `if (loops === 0) ${JUMP}`,
      "else frames[sp + LOOPS_LEFT] = loops - 1;",
      NEXT,
    ],
  },
  { name: "gotox", body: [LEAVE], slow: "gotox" },
];
