import { ANCILLARY_OFFSET } from "./ancillary.ts";
import { type CbpfInsn, SCRATCH_WORDS } from "./insn.ts";
import { type CbpfAluOp, type CbpfCondition, cbpfRowOf } from "./rows.ts";

/** What a classic program runs on. */
export interface CbpfPacket {
  readonly bytes: Uint8Array;
  /** Bytes that the packet had on the wire; as many as there are when omitted. */
  readonly originalBytes?: number;
}

export interface CbpfRunOptions {
  /** Instructions at most; programs with jumps backwards may not end by themselves. */
  readonly budget?: number;
}

const DEFAULT_BUDGET = 1_000_000;
const SHIFT_MAX = 31;

const ALU: Readonly<Record<CbpfAluOp, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => Math.imul(a, b),
  div: (a, b) => Math.floor(a / b),
  mod: (a, b) => a % b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  lsh: (a, b) => (b > SHIFT_MAX ? 0 : a << b),
  rsh: (a, b) => (b > SHIFT_MAX ? 0 : a >>> b),
};

const CONDITIONS: Readonly<Record<CbpfCondition, (a: number, b: number) => boolean>> = {
  jeq: (a, b) => a === b,
  jgt: (a, b) => a > b,
  jge: (a, b) => a >= b,
  jset: (a, b) => (a & b) !== 0,
};

const HEADER_LENGTH_MASK = 0xf;

/** Reads big-endian bytes; undefined when the packet does not hold them. */
function read(bytes: Uint8Array, at: number, size: number): number | undefined {
  if (at + size > bytes.length) return undefined;
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}

/**
 * Runs a classic program as libpcap does, instruction by instruction: the reference that translated programs are held
 * to. Facts besides the packet's bytes read as nothing there, which ends the run.
 *
 * @returns what the program returns, 0..2^32-1; 0 when it reads outside the packet, divides by zero, or uses up its
 *   budget.
 */
export function runCbpf(
  insns: readonly CbpfInsn[],
  { bytes, originalBytes = bytes.length }: CbpfPacket,
  { budget = DEFAULT_BUDGET }: CbpfRunOptions = {},
): number {
  const scratch = new Array<number>(SCRATCH_WORDS).fill(0);
  const registers = { a: 0, x: 0 };
  let at = 0;
  for (let steps = 0; steps < budget; steps++) {
    const insn = insns[at];
    const action = insn === undefined ? undefined : cbpfRowOf(insn.code)?.action;
    if (insn === undefined || action === undefined) return 0;
    const { k } = insn;
    at += 1;
    switch (action.kind) {
      case "packet": {
        const from = action.mode === "ind" ? registers.x + k : k;
        const value = from >= ANCILLARY_OFFSET ? undefined : read(bytes, from, action.bytes);
        if (value === undefined) return 0;
        registers.a = value;
        break;
      }
      case "imm":
        registers[action.to] = k;
        break;
      case "len":
        registers[action.to] = originalBytes;
        break;
      case "mem":
        registers[action.to] = scratch[k] ?? 0;
        break;
      case "header-length": {
        const value = read(bytes, k, 1);
        if (value === undefined) return 0;
        registers.x = 4 * (value & HEADER_LENGTH_MASK);
        break;
      }
      case "store":
        scratch[k] = registers[action.from];
        break;
      case "alu": {
        const by = action.operand === "x" ? registers.x : k;
        if ((action.op === "div" || action.op === "mod") && by === 0) return 0;
        registers.a = ALU[action.op](registers.a, by) >>> 0;
        break;
      }
      case "neg":
        registers.a = -registers.a >>> 0;
        break;
      case "jump":
        at += k | 0;
        break;
      case "branch": {
        const by = action.operand === "x" ? registers.x : k;
        at += CONDITIONS[action.condition](registers.a, by) ? insn.jt : insn.jf;
        break;
      }
      case "return":
        return action.value === "k" ? k : registers.a;
      case "move":
        if (action.to === "x") registers.x = registers.a;
        else registers.a = registers.x;
        break;
    }
  }
  return 0;
}
