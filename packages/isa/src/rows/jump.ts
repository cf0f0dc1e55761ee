import type { InsnRow, JmpOp, Source, Width } from "../row.ts";

const CLASS = { 64: 0x05, 32: 0x06 } as const;
const X = 0x08;
const RFC = "RFC 9669 §4.3";

const BRANCHES: readonly (readonly [JmpOp, number, cpu: 1 | 2, since: string])[] = [
  ["jeq", 0x10, 1, "3.18"],
  ["jgt", 0x20, 1, "3.18"],
  ["jge", 0x30, 1, "3.18"],
  ["jset", 0x40, 1, "3.18"],
  ["jne", 0x50, 1, "3.18"],
  ["jsgt", 0x60, 1, "3.18"],
  ["jsge", 0x70, 1, "3.18"],
  ["jlt", 0xa0, 2, "4.14"],
  ["jle", 0xb0, 2, "4.14"],
  ["jslt", 0xc0, 2, "4.14"],
  ["jsle", 0xd0, 2, "4.14"],
];

function branchRow(
  [jmpOp, bits, cpu, since]: (typeof BRANCHES)[number],
  width: Width,
  source: Source,
): InsnRow {
  return {
    id: `${jmpOp}${width}.${source}`,
    op: CLASS[width] | bits | (source === "x" ? X : 0),
    action: { kind: "branch", jmpOp, width, source },
    dst: "reg",
    src: source === "x" ? "reg" : "zero",
    off: "jump",
    imm: source === "x" ? "zero" : "any",
    uses: source === "x" ? ["dst", "src"] : ["dst"],
    defs: [],
    group: width === 32 ? "base32" : "base64",
    cpu: width === 32 ? 3 : cpu,
    since: width === 32 ? "5.1" : since,
    source: RFC,
  };
}

const plain = { dst: "zero", src: "zero", off: "zero", imm: "zero", uses: [], defs: [] } as const;

export const JUMP_ROWS: readonly InsnRow[] = [
  ...BRANCHES.flatMap((branch) =>
    ([64, 32] as const).flatMap((width) => [branchRow(branch, width, "k"), branchRow(branch, width, "x")]),
  ),
  {
    ...plain,
    id: "ja",
    op: 0x05,
    action: { kind: "ja", distance: "off" },
    off: "jump",
    group: "base32",
    cpu: 1,
    since: "3.18",
    source: RFC,
  },
  {
    ...plain,
    id: "gotol",
    op: 0x06,
    action: { kind: "ja", distance: "imm" },
    imm: "jump",
    group: "base32",
    cpu: 4,
    since: "6.6",
    source: RFC,
  },
  {
    ...plain,
    id: "may_goto",
    op: 0xe5,
    action: { kind: "may_goto" },
    off: "jump",
    group: "may_goto",
    cpu: 0,
    since: "6.9",
    source: "linux uapi/linux/bpf.h BPF_JCOND",
  },
  {
    ...plain,
    id: "gotox",
    op: 0x0d,
    action: { kind: "gotox" },
    dst: "reg",
    uses: ["dst"],
    group: "gotox",
    cpu: 4,
    since: "6.19",
    source: "linux kernel/bpf/verifier.c gotox",
  },
  {
    ...plain,
    id: "exit",
    op: 0x95,
    action: { kind: "exit" },
    uses: ["r0"],
    group: "base32",
    cpu: 1,
    since: "3.18",
    source: RFC,
  },
];

const call = {
  ...plain,
  uses: ["args"],
  defs: ["r0", "scratch"],
  imm: "call",
  group: "base32",
  cpu: 1,
  source: "RFC 9669 §4.3.1",
} as const;

export const CALL_ROWS: readonly InsnRow[] = [
  {
    ...call,
    id: "call.helper",
    op: 0x85,
    action: { kind: "call", callKind: "helper" },
    src: [0],
    imm: "any",
    since: "3.18",
  },
  {
    ...call,
    id: "call.subprog",
    op: 0x85,
    action: { kind: "call", callKind: "subprog" },
    src: [1],
    since: "4.16",
  },
  {
    ...call,
    id: "call.kfunc",
    op: 0x85,
    action: { kind: "call", callKind: "kfunc" },
    src: [2],
    off: "any",
    imm: "any",
    since: "5.13",
  },
  {
    ...call,
    id: "callx",
    op: 0x8d,
    action: { kind: "call", callKind: "indirect", registerField: "dst" },
    dst: "reg",
    imm: [0],
    uses: ["dst", "args"],
    group: "callx",
    cpu: 0,
    since: null,
    source: "LLVM BPF backend, register in dst",
  },
  {
    ...call,
    id: "callx.imm",
    op: 0x8d,
    action: { kind: "call", callKind: "indirect", registerField: "imm" },
    dst: [0],
    imm: [1, 2, 3, 4, 5, 6, 7, 8, 9],
    uses: ["imm", "args"],
    group: "callx",
    cpu: 0,
    since: null,
    source: "LLVM BPF backend, register in imm",
  },
];
