import {
  ANCILLARY_OFFSET,
  type AncillaryName,
  ancillaryOf,
  LINK_OFFSET,
  NETWORK_OFFSET,
} from "./ancillary.ts";
import { type CbpfInsn, HEADER_LENGTH_MASK, SCRATCH_WORDS, SHIFT_MAX } from "./insn.ts";
import { type CbpfAction, type CbpfAluOp, type CbpfCondition, type CbpfRegister, cbpfRowOf } from "./rows.ts";

/** What a classic program runs on. */
export interface CbpfPacket {
  readonly bytes: Uint8Array;
  /** Bytes that the packet had on the wire; as many as there are when omitted. */
  readonly originalBytes?: number;
  /**
   * What loads of facts besides the bytes give under Linux's rules, 0..2^32-1 each. A load of one that is not given
   * ends the run; `xorX` needs no answer.
   */
  readonly facts?: Readonly<Partial<Record<AncillaryName, number>>>;
}

export interface CbpfRunOptions {
  /**
   * Whose rules count where they differ. Linux counts shifts modulo 32, lets the sum of X and an offset wrap, and
   * counts sums behind `LINK_OFFSET` and `NETWORK_OFFSET` from the link and network header. Default libpcap's.
   */
  readonly rules?: "libpcap" | "linux";
  /** Instructions at most; programs with jumps backwards may not end by themselves. */
  readonly budget?: number;
}

const DEFAULT_BUDGET = 1_000_000;

const ALU: Readonly<Record<CbpfAluOp, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => Math.imul(a, b),
  div: (a, b) => Math.floor(a / b),
  mod: (a, b) => a % b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  lsh: (a, b) => a << b,
  rsh: (a, b) => a >>> b,
};

const CONDITIONS: Readonly<Record<CbpfCondition, (a: number, b: number) => boolean>> = {
  jeq: (a, b) => a === b,
  jgt: (a, b) => a > b,
  jge: (a, b) => a >= b,
  jset: (a, b) => (a & b) !== 0,
};

const ETHERNET_HEADER_BYTES = 14;

/** Reads big-endian bytes; undefined when the packet does not hold them. */
function read(bytes: Uint8Array, at: number, size: number): number | undefined {
  if (at + size > bytes.length) return undefined;
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}

/** Turns Linux's special offsets into plain ones. */
function plainOffset(offset: number): number {
  if (offset < LINK_OFFSET) return offset;
  if (offset < NETWORK_OFFSET) return offset - LINK_OFFSET;
  return offset - NETWORK_OFFSET + ETHERNET_HEADER_BYTES;
}

/** One run of a classic program. */
class Run {
  private readonly packet: CbpfPacket;
  private readonly isLinux: boolean;
  private readonly scratch = new Array<number>(SCRATCH_WORDS).fill(0);
  private a = 0;
  private x = 0;

  constructor(packet: CbpfPacket, isLinux: boolean) {
    this.packet = packet;
    this.isLinux = isLinux;
  }

  /** Executes one instruction; returns how many to skip after it, or what the program returns. */
  step(insn: CbpfInsn, action: CbpfAction): { readonly skip: number } | { readonly result: number } {
    const { k } = insn;
    switch (action.kind) {
      case "packet": {
        const value = this.load(k, action);
        if (value === undefined) return { result: 0 };
        this.a = value;
        break;
      }
      case "header-length": {
        const value = read(this.packet.bytes, this.isLinux ? plainOffset(k) : k, 1);
        if (value === undefined) return { result: 0 };
        this.x = 4 * (value & HEADER_LENGTH_MASK);
        break;
      }
      case "imm":
        this.set(action.to, k);
        break;
      case "len":
        this.set(action.to, this.packet.originalBytes ?? this.packet.bytes.length);
        break;
      case "mem":
        this.set(action.to, this.scratch[k] ?? 0);
        break;
      case "move":
        this.set(action.to, action.to === "a" ? this.x : this.a);
        break;
      case "store":
        this.scratch[k] = action.from === "a" ? this.a : this.x;
        break;
      case "neg":
        this.a = -this.a >>> 0;
        break;
      case "alu": {
        const value = this.calculate(action, k);
        if (value === undefined) return { result: 0 };
        this.a = value;
        break;
      }
      case "jump":
        return { skip: k | 0 };
      case "branch": {
        const holds = CONDITIONS[action.condition](this.a, action.operand === "x" ? this.x : k);
        return { skip: holds ? insn.jt : insn.jf };
      }
      case "return":
        return { result: action.value === "k" ? k : this.a };
    }
    return { skip: 0 };
  }

  private set(register: CbpfRegister, value: number): void {
    if (register === "a") this.a = value;
    else this.x = value;
  }

  private load(k: number, { mode, bytes }: CbpfAction & { readonly kind: "packet" }): number | undefined {
    const sum = mode === "ind" ? this.x + k : k;
    if (mode === "abs" && k >= ANCILLARY_OFFSET) return this.isLinux ? this.fact(k) : undefined;
    return read(this.packet.bytes, this.isLinux ? plainOffset(sum >>> 0) : sum, bytes);
  }

  /** Returns a fact about the packet, whole whatever the size of the load. */
  private fact(k: number): number | undefined {
    const name = ancillaryOf(k);
    if (name === "xorX") return (this.a ^ this.x) >>> 0;
    return name === undefined ? undefined : this.packet.facts?.[name];
  }

  /** Returns undefined for a division by zero. */
  private calculate({ op, operand }: CbpfAction & { readonly kind: "alu" }, k: number): number | undefined {
    const by = operand === "x" ? this.x : k;
    if ((op === "div" || op === "mod") && by === 0) return undefined;
    if ((op === "lsh" || op === "rsh") && by > SHIFT_MAX && !this.isLinux) return 0;
    return ALU[op](this.a, by) >>> 0;
  }
}

/**
 * Runs a classic program instruction by instruction: the reference that translated programs are held to.
 *
 * @returns what the program returns, 0..2^32-1; 0 when it reads outside the packet, divides by zero, or uses up its
 *   budget.
 */
export function runCbpf(
  insns: readonly CbpfInsn[],
  packet: CbpfPacket,
  { budget = DEFAULT_BUDGET, rules = "libpcap" }: CbpfRunOptions = {},
): number {
  const run = new Run(packet, rules === "linux");
  let at = 0;
  for (let steps = 0; steps < budget; steps++) {
    const insn = insns[at];
    const action = insn === undefined ? undefined : cbpfRowOf(insn.code)?.action;
    if (insn === undefined || action === undefined) return 0;
    const end = run.step(insn, action);
    if ("result" in end) return end.result;
    at += 1 + end.skip;
  }
  return 0;
}
