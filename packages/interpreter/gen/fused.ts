import { JUMP, NEXT, type OpCase } from "./op-case.ts";

/**
 * Cases that execute two instructions in one turn: a copy and what changes the copy, as compilers write what other
 * machines do in one instruction, and the end of a counted loop. They save a turn, and the detour over the register
 * file.
 */

/** Instructions that often follow a copy of 64 bits and change the copy. */
const AFTER_COPY = [
  "add64.k",
  "add64.x",
  "sub64.x",
  "and64.k",
  "or64.x",
  "xor64.x",
  "lsh64.k",
  "lsh64.k.high",
  "rsh64.k",
  "rsh64.k.high",
] as const;

const COPY = ["const d = (w >> 8) & 30;", "const s = (w >> 16) & 30;"];
const DO_COPY = ["r[d] = r[s] as number;", "r[d + 1] = r[s + 1] as number;"];

/** Lines of a case without its declarations and its last line, which goes on. */
const inside = ({ body }: OpCase): string[] =>
  body.filter((line) => line !== NEXT && !/^const [dsk] =/.test(line));

/** Executes the first instruction alone where the quota covers no more. */
const unlessBoth = (first: readonly string[]): string[] => [
  "if (left === 0) {",
  ...first.map((line) => `  ${line}`),
  `  ${NEXT}`,
  "}",
  "left = (left - 1) | 0;",
];

/** The copied register stands for the copy; `placement` fuses nothing that reads the copy as its second operand. */
function copyAnd(second: OpCase): OpCase {
  const isByConstant = second.name.includes(".k");
  const operand = isByConstant
    ? "const k = code[p + 1] as number;"
    : "const t = ((code[p] as number) >> 16) & 30;";
  const lines = inside(second).map((line) =>
    line
      .replaceAll("(r[s] as number)", "(r[t] as number)")
      .replaceAll("(r[s + 1] as number)", "(r[t + 1] as number)")
      .replaceAll("(r[d] as number)", "(r[s] as number)")
      .replaceAll("(r[d + 1] as number)", "(r[s + 1] as number)"),
  );
  return {
    name: `mov64.x+${second.name}`,
    body: [...COPY, ...unlessBoth(DO_COPY), operand, "p = (p + 4) | 0;", ...lines, NEXT],
  };
}

const COPY_TWICE: OpCase = {
  name: "mov64.x+mov64.x",
  body: [
    ...COPY,
    ...DO_COPY,
    `if (left === 0) ${NEXT}`,
    "left = (left - 1) | 0;",
    "const v = code[p] as number;",
    "p = (p + 4) | 0;",
    "const e = (v >> 8) & 30;",
    "const t = (v >> 16) & 30;",
    "r[e] = r[t] as number;",
    "r[e + 1] = r[t + 1] as number;",
    NEXT,
  ],
};

/** Counts a register and jumps while it is not a constant. */
function countAndJump(add: OpCase): OpCase {
  return {
    name: "add64.k+jne64.k",
    body: [
      ...add.body.filter((line) => line !== NEXT),
      `if (left === 0) ${NEXT}`,
      "left = (left - 1) | 0;",
      "const v = code[p] as number;",
      "const e = (v >> 8) & 30;",
      "const c = code[p + 1] as number;",
      "p = (p + 4) | 0;",
      `if ((r[e] as number) !== c || (r[e + 1] as number) !== c >> 31) ${JUMP}`,
      NEXT,
    ],
  };
}

/** Pairs that compilers write often and that have nothing in common: a turn is all that they save. */
const IN_A_ROW = [
  ["wide", "call.raw"],
  ["and64.k", "jeq64.k"],
  ["ldx8.open", "jne32.k"],
  ["ldx16.open", "stx16.open"],
  ["ldx32.open", "stx32.open"],
  ["mov32.k", "stx32.open"],
  ["add64.x", "exit.0"],
  ["add64.x", "exit.1"],
  ["mul64.x", "add64.k"],
  ["lsh64.k", "xor64.x"],
  ["mov32.x", "xor32.x"],
  ["mov32.x", "rsh32.k"],
] as const;

function inARow(first: OpCase, second: OpCase): OpCase {
  return {
    name: `${first.name}+${second.name}`,
    body: [
      "{",
      ...first.body.filter((line) => line !== NEXT).map((line) => `  ${line}`),
      "}",
      `if (left === 0) ${NEXT}`,
      "left = (left - 1) | 0;",
      "const v = code[p] as number;",
      "p = (p + 4) | 0;",
      ...second.body.map((line) => line.replace("(w >> ", "(v >> ")),
    ],
    ...(second.slow === undefined && first.slow === undefined ? {} : { slow: second.slow ?? first.slow }),
  };
}

/** Makes the cases from those of the single instructions. */
export function fusedCases(cases: readonly OpCase[]): OpCase[] {
  const find = (name: string): OpCase => {
    const found = cases.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no case is named ${name}`);
    return found;
  };
  return [
    ...AFTER_COPY.map((name) => copyAnd(find(name))),
    COPY_TWICE,
    countAndJump(find("add64.k")),
    ...IN_A_ROW.map(([first, second]) => inARow(find(first), find(second))),
  ];
}
