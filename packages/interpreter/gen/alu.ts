import type { AluOp } from "@tsbpf/isa";
import {
  DST,
  HI,
  IMM,
  LEAVE,
  LO,
  NEXT,
  OPERANDS,
  type OpCase,
  type Operand,
  SET_HI,
  SET_LO,
  SRC,
} from "./op-case.ts";

/** Lines that compute an operation of either width from `d` and an operand. */
type Lines = (operand: Operand) => readonly string[];

const ZERO_HI = SET_HI("d", "0");

/** 64 bits of a bitwise operation. */
const bitwise64 =
  (op: "|" | "&" | "^"): Lines =>
  ({ lo, hi }) => [SET_HI("d", `${HI("d")} ${op} ${hi}`), SET_LO("d", `${LO("d")} ${op} ${lo}`)];

const simple32 =
  (value: (operand: Operand) => string): Lines =>
  (operand) => [SET_LO("d", value(operand)), ZERO_HI];

/** 64-bit product from 16-bit parts: `Math.imul` gives only the low 32 bits of a 32-bit product. */
const mul64: Lines = ({ lo, hi }) => [
  `const a = ${LO("d")};`,
  `const b = ${lo};`,
  "const al = a & 0xffff;",
  "const ah = a >>> 16;",
  "const bl = b & 0xffff;",
  "const bh = b >>> 16;",
  "const lh = Math.imul(al, bh);",
  "const hl = Math.imul(ah, bl);",
  "const mid = (Math.imul(al, bl) >>> 16) + (lh & 0xffff) + (hl & 0xffff);",
  "const top = Math.imul(ah, bh) + (lh >>> 16) + (hl >>> 16) + (mid >>> 16);",
  SET_HI("d", `top + Math.imul(a, ${hi}) + Math.imul(${HI("d")}, b)`),
  SET_LO("d", "Math.imul(a, b)"),
];

/**
 * Unsigned 64-bit division where the divisor is below 2^21, or both operands below 2^32: two exact steps in doubles.
 * The rest leaves the loop.
 */
const divide64 =
  (isModulo: boolean): Lines =>
  ({ lo, hi }) => [
    `const bl = ${lo} >>> 0;`,
    `if (${hi} !== 0 || bl === 0) ${LEAVE}`,
    `const ah = ${HI("d")} >>> 0;`,
    `const al = ${LO("d")} >>> 0;`,
    "if (ah === 0) {",
    `  ${SET_LO("d", isModulo ? "al % bl" : "al / bl")}`,
    `  ${NEXT}`,
    "}",
    `if (bl > 0x1f_ffff) ${LEAVE}`,
    "const qh = Math.floor(ah / bl);",
    "const rest = (ah - qh * bl) * 0x1_0000_0000 + al;",
    "const ql = Math.floor(rest / bl);",
    ...(isModulo ? [SET_LO("d", "rest - ql * bl"), ZERO_HI] : [SET_LO("d", "ql"), SET_HI("d", "qh")]),
  ];

/** Shifts by a register mask the count; those by a constant are split at 32, see `shiftCases`. */
const shift64ByRegister: Readonly<Record<"lsh" | "rsh" | "arsh", Lines>> = {
  lsh: ({ lo }) => [
    `const n = ${lo} & 63;`,
    `const a = ${LO("d")};`,
    `if (n > 31) {`,
    `  ${SET_HI("d", "a << n")}`,
    `  ${SET_LO("d", "0")}`,
    "} else {",
    `  ${SET_HI("d", `(${HI("d")} << n) | ((a >>> 1) >>> (31 - n))`)}`,
    `  ${SET_LO("d", "a << n")}`,
    "}",
  ],
  rsh: ({ lo }) => [
    `const n = ${lo} & 63;`,
    `const h = ${HI("d")};`,
    "if (n > 31) {",
    `  ${SET_LO("d", "h >>> n")}`,
    `  ${SET_HI("d", "0")}`,
    "} else {",
    `  ${SET_LO("d", `(${LO("d")} >>> n) | ((h << 1) << (31 - n))`)}`,
    `  ${SET_HI("d", "h >>> n")}`,
    "}",
  ],
  arsh: ({ lo }) => [
    `const n = ${lo} & 63;`,
    `const h = ${HI("d")};`,
    "if (n > 31) {",
    `  ${SET_LO("d", "h >> n")}`,
    `  ${SET_HI("d", "h >> 31")}`,
    "} else {",
    `  ${SET_LO("d", `(${LO("d")} >>> n) | ((h << 1) << (31 - n))`)}`,
    `  ${SET_HI("d", "h >> n")}`,
    "}",
  ],
};

const signExtend =
  (bits: 8 | 16): Lines =>
  ({ lo }) => [SET_LO("d", `(${lo} << ${32 - bits}) >> ${32 - bits}`)];

/** An operation that has no case of its own here, because the other width or operand form does not exist. */
const none: Lines = () => [];

const ALU64: Readonly<Record<AluOp, Lines>> = {
  add: ({ lo, hi }) => [
    `const a = ${LO("d")};`,
    `const sum = (a + ${lo}) | 0;`,
    SET_HI("d", `${HI("d")} + ${hi} + (sum >>> 0 < a >>> 0 ? 1 : 0)`),
    SET_LO("d", "sum"),
  ],
  sub: ({ lo, hi }) => [
    `const a = ${LO("d")};`,
    `const b = ${lo};`,
    SET_HI("d", `${HI("d")} - ${hi} - (a >>> 0 < b >>> 0 ? 1 : 0)`),
    SET_LO("d", "a - b"),
  ],
  mul: mul64,
  div: divide64(false),
  mod: divide64(true),
  sdiv: () => [LEAVE],
  smod: () => [LEAVE],
  or: bitwise64("|"),
  and: bitwise64("&"),
  xor: bitwise64("^"),
  ...shift64ByRegister,
  neg: () => [`const a = ${LO("d")};`, SET_HI("d", `-${HI("d")} - (a !== 0 ? 1 : 0)`), SET_LO("d", "-a")],
  mov: ({ lo, hi }) => [SET_LO("d", lo), SET_HI("d", hi)],
  movsx8: (operand) => [...signExtend(8)(operand), SET_HI("d", `${LO("d")} >> 31`)],
  movsx16: (operand) => [...signExtend(16)(operand), SET_HI("d", `${LO("d")} >> 31`)],
  movsx32: ({ lo }) => [`const a = ${lo};`, SET_LO("d", "a"), SET_HI("d", "a >> 31")],
};

const ALU32: Readonly<Record<AluOp, Lines>> = {
  add: simple32(({ lo }) => `${LO("d")} + ${lo}`),
  sub: simple32(({ lo }) => `${LO("d")} - ${lo}`),
  mul: simple32(({ lo }) => `Math.imul(${LO("d")}, ${lo})`),
  div: ({ lo }) => [`const b = ${lo} >>> 0;`, SET_LO("d", `b === 0 ? 0 : (${LO("d")} >>> 0) / b`), ZERO_HI],
  mod: ({ lo }) => [
    `const b = ${lo} >>> 0;`,
    `if (b !== 0) ${SET_LO("d", `(${LO("d")} >>> 0) % b`)}`,
    ZERO_HI,
  ],
  sdiv: ({ lo }) => [`const b = ${lo};`, SET_LO("d", `b === 0 ? 0 : ${LO("d")} / b`), ZERO_HI],
  smod: ({ lo }) => [`const b = ${lo};`, `if (b !== 0) ${SET_LO("d", `${LO("d")} % b`)}`, ZERO_HI],
  or: simple32(({ lo }) => `${LO("d")} | ${lo}`),
  and: simple32(({ lo }) => `${LO("d")} & ${lo}`),
  xor: simple32(({ lo }) => `${LO("d")} ^ ${lo}`),
  lsh: simple32(({ lo }) => `${LO("d")} << ${lo}`),
  rsh: simple32(({ lo }) => `${LO("d")} >>> ${lo}`),
  arsh: simple32(({ lo }) => `${LO("d")} >> ${lo}`),
  neg: simple32(() => `-${LO("d")}`),
  mov: simple32(({ lo }) => lo),
  movsx8: (operand) => [...signExtend(8)(operand), ZERO_HI],
  movsx16: (operand) => [...signExtend(16)(operand), ZERO_HI],
  movsx32: none,
};

/** Cases of the shifts of 64 bits by a constant, split where the halves change roles. */
function shiftCases(): OpCase[] {
  const declare = [DST, IMM];
  const make = (op: string, body: readonly string[]): OpCase => ({
    name: op,
    body: [...declare, ...body, NEXT],
  });
  return [
    make("lsh64.k", [
      `const a = ${LO("d")};`,
      SET_HI("d", `(${HI("d")} << k) | ((a >>> 1) >>> (31 - k))`),
      SET_LO("d", "a << k"),
    ]),
    make("lsh64.k.high", [SET_HI("d", `${LO("d")} << k`), SET_LO("d", "0")]),
    make("rsh64.k", [
      `const h = ${HI("d")};`,
      SET_LO("d", `(${LO("d")} >>> k) | ((h << 1) << (31 - k))`),
      SET_HI("d", "h >>> k"),
    ]),
    make("rsh64.k.high", [SET_LO("d", `${HI("d")} >>> k`), SET_HI("d", "0")]),
    make("arsh64.k", [
      `const h = ${HI("d")};`,
      SET_LO("d", `(${LO("d")} >>> k) | ((h << 1) << (31 - k))`),
      SET_HI("d", "h >> k"),
    ]),
    make("arsh64.k.high", [`const h = ${HI("d")};`, SET_LO("d", "h >> k"), SET_HI("d", "h >> 31")]),
  ];
}

const BINARY = [
  "add",
  "sub",
  "mul",
  "div",
  "sdiv",
  "or",
  "and",
  "lsh",
  "rsh",
  "mod",
  "smod",
  "xor",
  "mov",
  "arsh",
] as const;
const SHIFTS: ReadonlySet<AluOp> = new Set(["lsh", "rsh", "arsh"]);
const SLOW: ReadonlySet<AluOp> = new Set(["div", "mod", "sdiv", "smod"]);

function binaryCase(aluOp: AluOp, width: 32 | 64, operand: Operand): OpCase {
  const lines = (width === 64 ? ALU64 : ALU32)[aluOp](operand);
  const isLeaving = lines.at(-1) === LEAVE;
  return {
    name: `${aluOp}${width}.${operand.suffix}`,
    body: isLeaving ? lines : [...operand.declare, ...lines, NEXT],
    ...(width === 64 && SLOW.has(aluOp) ? { slow: "divide" as const } : {}),
  };
}

const X = OPERANDS[1] as Operand;

function unaryCases(): OpCase[] {
  const unary = (name: string, declare: readonly string[], lines: readonly string[]): OpCase => ({
    name,
    body: [...declare, ...lines, NEXT],
  });
  return [
    unary("neg32", [DST], ALU32.neg(X)),
    unary("neg64", [DST], ALU64.neg(X)),
    ...([8, 16] as const).map((bits) => unary(`movsx${bits}.32`, [DST, SRC], ALU32[`movsx${bits}`](X))),
    ...([8, 16, 32] as const).map((bits) => unary(`movsx${bits}.64`, [DST, SRC], ALU64[`movsx${bits}`](X))),
  ];
}

/** Swaps the bytes of 32 bits. */
const swap32 = (x: string): string =>
  `(${x} << 24) | ((${x} & 0xff00) << 8) | ((${x} >>> 8) & 0xff00) | (${x} >>> 24)`;

function endCases(): OpCase[] {
  const make = (name: string, lines: readonly string[]): OpCase => ({ name, body: [...lines, NEXT] });
  const swaps: Readonly<Record<16 | 32 | 64, readonly string[]>> = {
    16: [DST, `const a = ${LO("d")};`, SET_LO("d", "((a & 0xff) << 8) | ((a >>> 8) & 0xff)"), ZERO_HI],
    32: [DST, `const a = ${LO("d")};`, SET_LO("d", swap32("a")), ZERO_HI],
    64: [
      DST,
      `const a = ${LO("d")};`,
      `const b = ${HI("d")};`,
      SET_LO("d", swap32("b")),
      SET_HI("d", swap32("a")),
    ],
  };
  return [
    make("le16", [DST, SET_LO("d", `${LO("d")} & 0xffff`), ZERO_HI]),
    make("le32", [DST, ZERO_HI]),
    make("le64", []),
    ...(["be", "swap"] as const).flatMap((order) =>
      ([16, 32, 64] as const).map((bits) => make(`${order}${bits}`, swaps[bits])),
    ),
  ];
}

function castCases(): OpCase[] {
  return [
    { name: "addr_space_cast", body: [DST, SRC, SET_LO("d", LO("s")), ZERO_HI, NEXT] },
    {
      // The first word after the opcode holds the high half of the user's view.
      name: "addr_space_cast.user",
      body: [DST, SRC, IMM, `const a = ${LO("s")};`, SET_LO("d", "a"), SET_HI("d", "a === 0 ? 0 : k"), NEXT],
    },
  ];
}

export const ALU_CASES: readonly OpCase[] = [
  ...BINARY.flatMap((aluOp) =>
    ([32, 64] as const).flatMap((width) =>
      OPERANDS.filter(({ suffix }) => !(width === 64 && suffix === "k" && SHIFTS.has(aluOp))).map((operand) =>
        binaryCase(aluOp, width, operand),
      ),
    ),
  ),
  ...shiftCases(),
  ...unaryCases(),
  ...endCases(),
  ...castCases(),
];
