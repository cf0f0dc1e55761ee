import type { ConformanceGroup, InsnRow, SizeBytes, WideKind } from "../row.ts";
import { WIDE_KINDS } from "../row.ts";

const SIZE_BITS: Readonly<Record<SizeBytes, number>> = { 4: 0x00, 2: 0x08, 1: 0x10, 8: 0x18 };
const SIZES: readonly SizeBytes[] = [1, 2, 4, 8];
const MODE = { mem: 0x60, memsx: 0x80, abs: 0x20, ind: 0x40 } as const;
const CLASS = { ld: 0x00, ldx: 0x01, st: 0x02, stx: 0x03 } as const;
const RFC = "RFC 9669 §5.1";

const groupOf = (size: SizeBytes): ConformanceGroup => (size === 8 ? "base64" : "base32");
const shared = { cpu: 1, since: "3.18", source: RFC } as const;

const loadRow = (size: SizeBytes, isSigned: boolean): InsnRow => ({
  ...shared,
  id: `ldx${isSigned ? "s" : ""}${size * 8}`,
  op: CLASS.ldx | SIZE_BITS[size] | (isSigned ? MODE.memsx : MODE.mem),
  action: { kind: "load", size, isSigned },
  dst: "reg",
  src: "reg",
  off: "any",
  imm: "zero",
  uses: ["src"],
  defs: ["dst"],
  group: isSigned && size === 4 ? "base64" : groupOf(size),
  ...(isSigned ? { cpu: 4, since: "6.6", source: "RFC 9669 §5.2" } : {}),
});

const storeImmRow = (size: SizeBytes): InsnRow => ({
  ...shared,
  id: `st${size * 8}`,
  op: CLASS.st | SIZE_BITS[size] | MODE.mem,
  action: { kind: "store", size, source: "k" },
  dst: "reg",
  src: "zero",
  off: "any",
  imm: "any",
  uses: ["dst"],
  defs: [],
  group: groupOf(size),
});

const storeRow = (size: SizeBytes): InsnRow => ({
  ...shared,
  id: `stx${size * 8}`,
  op: CLASS.stx | SIZE_BITS[size] | MODE.mem,
  action: { kind: "store", size, source: "x" },
  dst: "reg",
  src: "reg",
  off: "any",
  imm: "zero",
  uses: ["dst", "src"],
  defs: [],
  group: groupOf(size),
});

/** Legacy packet loads; r6 holds the context, r1..r5 hold nothing afterwards. */
const packetRow = (size: 1 | 2 | 4, mode: "abs" | "ind"): InsnRow => ({
  ...shared,
  id: `ld${mode}${size * 8}`,
  op: CLASS.ld | SIZE_BITS[size] | MODE[mode],
  action: { kind: "packet", size, mode },
  dst: "zero",
  src: mode === "ind" ? "reg" : "zero",
  off: "zero",
  imm: "any",
  uses: mode === "ind" ? ["r6", "src"] : ["r6"],
  defs: ["r0", "scratch"],
  group: "packet",
  source: "RFC 9669 §5.5",
});

const WIDE_SINCE: Readonly<Record<WideKind, string>> = {
  imm: "3.18",
  map_fd: "3.18",
  map_value: "5.2",
  btf_id: "5.10",
  func: "5.13",
  map_idx: "5.14",
  map_idx_value: "5.14",
};

const wideRow = (wideKind: WideKind, src: number): InsnRow => ({
  ...shared,
  id: `wide.${wideKind}`,
  op: CLASS.ld | SIZE_BITS[8],
  action: { kind: "wide", wideKind },
  dst: "reg",
  src: [src],
  off: "zero",
  imm: wideKind === "func" ? "call" : "any",
  uses: [],
  defs: ["dst"],
  group: "base64",
  since: WIDE_SINCE[wideKind],
  source: "RFC 9669 §5.4",
});

export const MEMORY_ROWS: readonly InsnRow[] = [
  ...SIZES.map((size) => loadRow(size, false)),
  ...([1, 2, 4] as const).map((size) => loadRow(size, true)),
  ...SIZES.map(storeImmRow),
  ...SIZES.map(storeRow),
  ...([1, 2, 4] as const).flatMap((size) => [packetRow(size, "abs"), packetRow(size, "ind")]),
  ...WIDE_KINDS.map(wideRow),
];
