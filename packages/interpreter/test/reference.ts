import type { Action, AluOp, JmpOp } from "@tsbpf/isa";

/** What instructions compute, in bigints, written from RFC 9669 and independent of the interpreter. */

const mask = (bits: number): bigint => (1n << BigInt(bits)) - 1n;
const signed = (value: bigint, bits: number): bigint => BigInt.asIntN(bits, value);

const swapBytes = (value: bigint, bits: number): bigint => {
  let result = 0n;
  for (let i = 0; i < bits / 8; i++) result = (result << 8n) | ((value >> BigInt(8 * i)) & 0xffn);
  return result;
};

/** Both operands are already cut to `bits`; the result is cut by the caller. */
const ALU: Record<AluOp, (d: bigint, s: bigint, bits: number) => bigint> = {
  add: (d, s) => d + s,
  sub: (d, s) => d - s,
  mul: (d, s) => d * s,
  div: (d, s) => (s === 0n ? 0n : d / s),
  mod: (d, s) => (s === 0n ? d : d % s),
  sdiv: (d, s, bits) => (s === 0n ? 0n : signed(d, bits) / signed(s, bits)),
  smod: (d, s, bits) => (s === 0n ? d : signed(d, bits) % signed(s, bits)),
  or: (d, s) => d | s,
  and: (d, s) => d & s,
  xor: (d, s) => d ^ s,
  lsh: (d, s, bits) => d << (s & BigInt(bits - 1)),
  rsh: (d, s, bits) => d >> (s & BigInt(bits - 1)),
  arsh: (d, s, bits) => signed(d, bits) >> (s & BigInt(bits - 1)),
  neg: (d) => -d,
  mov: (_d, s) => s,
  movsx8: (_d, s) => signed(s, 8),
  movsx16: (_d, s) => signed(s, 16),
  movsx32: (_d, s) => signed(s, 32),
};

/** Result of an arithmetic instruction; `src` is the register, or the immediate extended to 64 bits. */
export function aluResult(
  { aluOp, width }: Extract<Action, { kind: "alu" }>,
  dst: bigint,
  src: bigint,
): bigint {
  const d = dst & mask(width);
  const s = src & mask(width);
  return ALU[aluOp](d, s, width) & mask(width);
}

export function endResult({ order, bits }: Extract<Action, { kind: "end" }>, dst: bigint): bigint {
  const cut = dst & mask(bits);
  return order === "le" ? cut : swapBytes(cut, bits);
}

const JMP: Record<JmpOp, (d: bigint, s: bigint, bits: number) => boolean> = {
  jeq: (d, s) => d === s,
  jne: (d, s) => d !== s,
  jset: (d, s) => (d & s) !== 0n,
  jgt: (d, s) => d > s,
  jge: (d, s) => d >= s,
  jlt: (d, s) => d < s,
  jle: (d, s) => d <= s,
  jsgt: (d, s, bits) => signed(d, bits) > signed(s, bits),
  jsge: (d, s, bits) => signed(d, bits) >= signed(s, bits),
  jslt: (d, s, bits) => signed(d, bits) < signed(s, bits),
  jsle: (d, s, bits) => signed(d, bits) <= signed(s, bits),
};

export function isTaken(
  { jmpOp, width }: Extract<Action, { kind: "branch" }>,
  dst: bigint,
  src: bigint,
): boolean {
  return JMP[jmpOp](dst & mask(width), src & mask(width), width);
}
