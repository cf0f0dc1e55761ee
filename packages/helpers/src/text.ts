import { isKernelSpace } from "@tsbpf/abi";
import { kernelHelper } from "./define.ts";
import { fail, R1, R2, R3, R4, setS32, u32 } from "./regs.ts";
import { parseInteger } from "./text-parse.ts";

/** Bits of the flags that hold the base. @source linux kernel/bpf BPF_STRTOX_BASE_MASK */
const BASE_MASK = 31;
const BASES: ReadonlySet<number> = new Set([0, 8, 10, 16]);
/** Digits that are looked at, with their prefix. */
const DIGITS_MAX = 63;
const MINUS = 45;
const S64_MAX = (1n << 63n) - 1n;
const S64_MIN_ABS = 1n << 63n;

interface Parsed {
  /** Characters consumed. */
  readonly consumed: number;
  readonly value: bigint;
  readonly isNegative: boolean;
}

/** Parses as both helpers do; returns an error name instead when they would refuse. */
function parse(bytes: Uint8Array, regs: Int32Array): Parsed | "EINVAL" | "ERANGE" {
  const base = u32(regs, R3) & BASE_MASK;
  if (!BASES.has(base) || base !== u32(regs, R3) || regs[R3 + 1] !== 0) return "EINVAL";
  let at = 0;
  while (at < bytes.length && isKernelSpace(bytes[at] as number)) at++;
  const isNegative = bytes[at] === MINUS;
  if (isNegative) at++;
  const digits = parseInteger(bytes.subarray(at, at + DIGITS_MAX), base);
  if (digits === undefined) return "EINVAL";
  if (digits.isOverflow) return "ERANGE";
  return { consumed: at + digits.length, value: digits.value, isNegative };
}

const strtol = kernelHelper(105, "Converts a string to a signed number.", (regs, env) => {
  const { view } = env.memory;
  const out = u32(regs, R4);
  view.setBigInt64(out, 0n, true);
  const parsed = parse(env.memory.bytesAt(u32(regs, R1), u32(regs, R2)), regs);
  if (typeof parsed === "string") return fail(regs, parsed);
  if (parsed.value > (parsed.isNegative ? S64_MIN_ABS : S64_MAX)) return fail(regs, "ERANGE");
  view.setBigInt64(out, parsed.isNegative ? -parsed.value : parsed.value, true);
  setS32(regs, parsed.consumed);
});

const strtoul = kernelHelper(106, "Converts a string to an unsigned number.", (regs, env) => {
  const { view } = env.memory;
  const out = u32(regs, R4);
  view.setBigInt64(out, 0n, true);
  const parsed = parse(env.memory.bytesAt(u32(regs, R1), u32(regs, R2)), regs);
  if (typeof parsed === "string") return fail(regs, parsed);
  if (parsed.isNegative) return fail(regs, "EINVAL");
  view.setBigUint64(out, parsed.value, true);
  setS32(regs, parsed.consumed);
});

const strncmp = kernelHelper(182, "Compares two strings, at most so many bytes of them.", (regs, env) => {
  const { u8 } = env.memory;
  const one = u32(regs, R1);
  const size = u32(regs, R2);
  const other = u32(regs, R3);
  for (let i = 0; i < size; i++) {
    const difference = (u8[one + i] as number) - (u8[other + i] as number);
    if (difference !== 0) return setS32(regs, difference < 0 ? -1 : 1);
    if (u8[one + i] === 0) break;
  }
  setS32(regs, 0);
});

/** Helpers on strings. */
export const textHelpers = [strtol, strtoul, strncmp] as const;
