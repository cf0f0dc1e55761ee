import type { CbpfInsn } from "@tsbpf/cbpf";

/*
 * Runs classic BPF from its numbers alone: written after the kernel's documentation of the instruction set and shared with
 * nothing that it is compared with, neither rows nor rules of offsets.
 *
 * Source: linux Documentation/networking/filter.rst "Structure" and "extensions", uapi/linux/bpf_common.h.
 */

const MASK = 0xffff_ffffn;
const NET_OFFSET = 0xfff0_0000n;
const LINK_OFFSET = 0xffe0_0000n;
const ETHERNET_BYTES = 14n;
const FACT_OFFSET = 0xffff_f000;
const FACT_XOR_X = 40;

export interface ReferenceOptions {
  /** Shifts count modulo 32, sums of offsets wrap, and special offsets count, as in Linux; else as in libpcap. */
  readonly isLinux: boolean;
  readonly wireBytes: number;
  /** What absolute loads from 0xfffff000 on give in Linux, by their distance from there; others end the run. */
  readonly facts?: ReadonlyMap<number, number>;
}

/** Returns what a program returns; it must end by itself. */
export function evaluateClassic(
  insns: readonly CbpfInsn[],
  packet: Uint8Array,
  { isLinux, wireBytes, facts }: ReferenceOptions,
): number {
  let a = 0n;
  let x = 0n;
  const memory = new BigUint64Array(16);
  const load = (at: bigint, size: number): bigint | undefined => {
    let from = at;
    if (isLinux) {
      from &= MASK;
      if (from >= NET_OFFSET) from = from - NET_OFFSET + ETHERNET_BYTES;
      else if (from >= LINK_OFFSET) from -= LINK_OFFSET;
    }
    if (from + BigInt(size) > BigInt(packet.length)) return undefined;
    let value = 0n;
    for (let i = 0n; i < BigInt(size); i++) value = (value << 8n) | BigInt(packet[Number(from + i)] ?? 0);
    return value;
  };
  for (let pc = 0; pc < insns.length; pc++) {
    const { code, jt, jf, k: operand } = insns[pc] as CbpfInsn;
    const k = BigInt(operand);
    const kind = code & 0x07;
    if (kind === 6) return Number((code & 0x18) === 0x10 ? a : k);
    if (kind === 7) {
      if ((code & 0xf8) === 0x80) a = x;
      else x = a;
    } else if (kind === 2) memory[operand] = a;
    else if (kind === 3) memory[operand] = x;
    else if (kind <= 1) {
      const size = [4, 2, 1][(code >> 3) & 3] as number;
      let value: bigint | undefined;
      if (code >> 5 === 0) value = k;
      else if (code >> 5 === 1 && isLinux && operand >= FACT_OFFSET) {
        const fact = operand - FACT_OFFSET;
        const known = facts?.get(fact);
        value = fact === FACT_XOR_X ? a ^ x : known === undefined ? undefined : BigInt(known);
      } else if (code >> 5 === 1) value = load(k, size);
      else if (code >> 5 === 2) value = load(x + k, size);
      else if (code >> 5 === 3) value = memory[operand];
      else if (code >> 5 === 4) value = BigInt(wireBytes);
      else {
        const byte = load(k, 1);
        value = byte === undefined ? undefined : (byte & 0xfn) << 2n;
      }
      if (value === undefined) return 0;
      if (kind === 0) a = value;
      else x = value;
    } else if (kind === 4) {
      const by = (code & 8) === 0 ? k : x;
      const result = calculate(code >> 4, a, by, isLinux);
      if (result === undefined) return 0;
      a = result & MASK;
    } else {
      const by = (code & 8) === 0 ? k : x;
      const op = code >> 4;
      if (op === 0) pc += operand;
      else {
        const holds = op === 1 ? a === by : op === 2 ? a > by : op === 3 ? a >= by : (a & by) !== 0n;
        pc += holds ? jt : jf;
      }
    }
  }
  throw new Error("the program has no end");
}

/** Undefined for a division by zero. */
function calculate(op: number, a: bigint, by: bigint, isLinux: boolean): bigint | undefined {
  const shift = isLinux ? by & 31n : by;
  switch (op) {
    case 0:
      return a + by;
    case 1:
      return a - by;
    case 2:
      return a * by;
    case 3:
      return by === 0n ? undefined : a / by;
    case 4:
      return a | by;
    case 5:
      return a & by;
    case 6:
      return shift > 31n ? 0n : a << shift;
    case 7:
      return shift > 31n ? 0n : a >> shift;
    case 8:
      return -a;
    case 9:
      return by === 0n ? undefined : a % by;
    default:
      return a ^ by;
  }
}
