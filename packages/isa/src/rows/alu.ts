import type { AluOp, ConformanceGroup, InsnRow, Source, Width } from "../row.ts";

const CLASS = { 32: 0x04, 64: 0x07 } as const;
const X = 0x08;
const WIDTHS: readonly Width[] = [32, 64];
const RFC = "RFC 9669 §4.1";

/** Operation bits of the arithmetic that takes either operand form. */
const BINARY: readonly (readonly [AluOp, number, off: number])[] = [
  ["add", 0x00, 0],
  ["sub", 0x10, 0],
  ["mul", 0x20, 0],
  ["div", 0x30, 0],
  ["sdiv", 0x30, 1],
  ["or", 0x40, 0],
  ["and", 0x50, 0],
  ["lsh", 0x60, 0],
  ["rsh", 0x70, 0],
  ["mod", 0x90, 0],
  ["smod", 0x90, 1],
  ["xor", 0xa0, 0],
  ["mov", 0xb0, 0],
  ["arsh", 0xc0, 0],
];

const DIVMUL: ReadonlySet<AluOp> = new Set(["mul", "div", "sdiv", "mod", "smod"]);

function groupOf(aluOp: AluOp, width: Width): ConformanceGroup {
  if (DIVMUL.has(aluOp)) return width === 32 ? "divmul32" : "divmul64";
  return width === 32 ? "base32" : "base64";
}

const isSignedDivision = (aluOp: AluOp): boolean => aluOp === "sdiv" || aluOp === "smod";

function binaryRow(aluOp: AluOp, bits: number, off: number, width: Width, source: Source): InsnRow {
  return {
    id: `${aluOp}${width}.${source}`,
    op: CLASS[width] | bits | (source === "x" ? X : 0),
    action: { kind: "alu", aluOp, width, source },
    dst: "reg",
    src: source === "x" ? "reg" : "zero",
    off: off === 0 ? "zero" : [off],
    imm: source === "x" ? "zero" : "any",
    uses: [...(aluOp === "mov" ? [] : (["dst"] as const)), ...(source === "x" ? (["src"] as const) : [])],
    defs: ["dst"],
    group: groupOf(aluOp, width),
    cpu: isSignedDivision(aluOp) ? 4 : width === 32 ? 3 : 1,
    since: isSignedDivision(aluOp) ? "6.6" : "3.18",
    source: RFC,
  };
}

function negRow(width: Width): InsnRow {
  return {
    id: `neg${width}`,
    op: CLASS[width] | 0x80,
    action: { kind: "alu", aluOp: "neg", width, source: "k" },
    dst: "reg",
    src: "zero",
    off: "zero",
    imm: "zero",
    uses: ["dst"],
    defs: ["dst"],
    group: width === 32 ? "base32" : "base64",
    cpu: width === 32 ? 3 : 1,
    since: "3.18",
    source: RFC,
  };
}

function signExtendRow(bits: 8 | 16 | 32, width: Width): InsnRow {
  return {
    id: `movsx${bits}.${width}`,
    op: CLASS[width] | 0xb0 | X,
    action: { kind: "alu", aluOp: `movsx${bits}`, width, source: "x" },
    dst: "reg",
    src: "reg",
    off: [bits],
    imm: "zero",
    uses: ["src"],
    defs: ["dst"],
    group: width === 32 ? "base32" : "base64",
    cpu: 4,
    since: "6.6",
    source: RFC,
  };
}

function endRow(order: "le" | "be" | "swap", bits: 16 | 32 | 64): InsnRow {
  const op = { le: 0xd4, be: 0xdc, swap: 0xd7 } as const;
  return {
    id: `${order}${bits}`,
    op: op[order],
    action: { kind: "end", order, bits },
    dst: "reg",
    src: "zero",
    off: "zero",
    imm: [bits],
    uses: ["dst"],
    defs: ["dst"],
    group: bits === 64 ? "base64" : "base32",
    cpu: order === "swap" ? 4 : 1,
    since: order === "swap" ? "6.6" : "3.18",
    source: "RFC 9669 §4.2",
  };
}

const ADDR_SPACE_CAST: InsnRow = {
  id: "addr_space_cast",
  op: 0xbf,
  action: { kind: "addr_cast" },
  dst: "reg",
  src: "reg",
  off: [1],
  imm: "any",
  uses: ["src"],
  defs: ["dst"],
  group: "addr_space_cast",
  cpu: 4,
  since: "6.9",
  source: "linux Documentation/bpf/standardization, arena",
};

export const ALU_ROWS: readonly InsnRow[] = [
  ...BINARY.flatMap(([aluOp, bits, off]) =>
    WIDTHS.flatMap((width) => [
      binaryRow(aluOp, bits, off, width, "k"),
      binaryRow(aluOp, bits, off, width, "x"),
    ]),
  ),
  ...WIDTHS.map(negRow),
  signExtendRow(8, 32),
  signExtendRow(16, 32),
  signExtendRow(8, 64),
  signExtendRow(16, 64),
  signExtendRow(32, 64),
  ADDR_SPACE_CAST,
  ...(["le", "be", "swap"] as const).flatMap((order) =>
    ([16, 32, 64] as const).map((bits) => endRow(order, bits)),
  ),
];
