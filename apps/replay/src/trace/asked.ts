import type { ArgSpec } from "@tsbpf/abi";
import { equalBytes, joinU64, printHex, printHexBytes, U64_MAX } from "@tsbpf/base";
import type { BpfMap, HelperEnv, HelperPlugin, MapArg, MapMemory, TypedArg } from "@tsbpf/plugin";
import { type AskedValue, crc32c, type HelperQuestion } from "@tsbpf/trace";
import { hex8 } from "../report/hex8.ts";

/*
 * What a helper is asked, in a form that is the same on every machine: values, bytes behind pointers, names of maps.
 * It can be told from the registers or from the arguments of a typed implementation, and both say the same.
 */

/** Bytes of memory that are kept as they are; of more, length and checksum. */
const BYTES_MAX = 64;

/** Describes the question that the registers hold. */
export function askedInRegs(helper: HelperPlugin, regs: Int32Array, env: HelperEnv): HelperQuestion {
  return helper.args.map((arg, idx) => askedInReg(helper, arg, idx + 1, regs, env));
}

function askedInReg(
  helper: HelperPlugin,
  arg: TypedArg,
  reg: number,
  regs: Int32Array,
  env: HelperEnv,
): AskedValue {
  const address = (regs[2 * reg] as number) >>> 0;
  switch (arg.kind) {
    case "scalar":
      return arg.type === "u32" || arg.type === "s32" ? BigInt(address) : valueIn(regs, reg);
    case "size":
      return sizeValue(sizeInReg(regs, reg));
    case "map":
      return env.mapAt(address)?.spec.name ?? null;
    case "map_key":
    case "map_value": {
      const map = mapOf(helper, arg, regs, env);
      if (map === undefined) return null;
      const size = arg.kind === "map_key" ? map.spec.keyBytes : map.spec.valueBytes;
      return packed(bytesAt(env, address, size));
    }
    case "mem": {
      if (arg.nullable === true && valueIn(regs, reg) === 0n) return 0n;
      return arg.access === "write" ? null : packed(bytesAt(env, address, memBytes(helper, arg, regs)));
    }
    default:
      return null;
  }
}

/** Describes the question that the arguments of a typed implementation hold. */
export function askedInArgs(helper: HelperPlugin, values: Readonly<Record<string, unknown>>): HelperQuestion {
  return helper.args.map((arg) => {
    const value = values[arg.name];
    switch (arg.kind) {
      case "scalar":
        return typeof value === "number" ? BigInt(value >>> 0) : (value as bigint);
      case "size":
        return sizeValue(value as number);
      case "map":
        return (value as MapArg).map.spec.name;
      case "map_key":
      case "map_value":
        return packed((value as MapMemory).bytes);
      case "mem":
        if (value === null) return 0n;
        return arg.access === "write" ? null : packed(value as Uint8Array);
      default:
        return null;
    }
  });
}

const valueIn = (regs: Int32Array, reg: number): bigint =>
  joinU64(regs[2 * reg] as number, regs[2 * reg + 1] as number);
const sizeInReg = (regs: Int32Array, reg: number): number =>
  regs[2 * reg + 1] === 0 ? (regs[2 * reg] as number) >>> 0 : Number.POSITIVE_INFINITY;
const sizeValue = (size: number): bigint => (Number.isFinite(size) ? BigInt(size) : U64_MAX);

/** Returns bytes of memory as they are, cut off where memory ends. */
const bytesAt = ({ memory }: HelperEnv, address: number, size: number): Uint8Array =>
  memory.u8.subarray(address, Math.min(memory.u8.length, address + size));

const packed = (bytes: Uint8Array): AskedValue =>
  bytes.length <= BYTES_MAX ? bytes.slice() : { bytes: bytes.length, crc: crc32c(bytes) };

/** Returns how many bytes a memory argument has. */
export function memBytes(helper: HelperPlugin, arg: ArgSpec, regs: Int32Array): number {
  if (arg.sizeBytes !== undefined) return arg.sizeBytes;
  const reg = helper.args.findIndex((one) => one.name === arg.size) + 1;
  return reg === 0 ? 0 : sizeInReg(regs, reg);
}

/** Finds the map that a key or value belongs to. */
export function mapOf(
  helper: HelperPlugin,
  arg: ArgSpec,
  regs: Int32Array,
  env: HelperEnv,
): BpfMap | undefined {
  const reg =
    helper.args.findIndex((one) => one.kind === "map" && (arg.of === undefined || one.name === arg.of)) + 1;
  return reg === 0 ? undefined : env.mapAt((regs[2 * reg] as number) >>> 0);
}

/** Says whether two questions are the same. */
export const isSameQuestion = (a: HelperQuestion, b: HelperQuestion): boolean =>
  a.length === b.length && a.every((value, idx) => isSameValue(value, b[idx] ?? null));

function isSameValue(a: AskedValue, b: AskedValue): boolean {
  if (a instanceof Uint8Array) return b instanceof Uint8Array && equalBytes(a, b);
  if (typeof a !== "object" || a === null) return a === b;
  return (
    typeof b === "object" && b !== null && "crc" in b && "crc" in a && a.bytes === b.bytes && a.crc === b.crc
  );
}

/** Prints a question with the names of the arguments: `map=flows, key=0a 00 00 01, flags=0x1`. */
export function printQuestion(
  helper: { readonly args: readonly { readonly name: string }[] },
  asked: HelperQuestion,
): string {
  return helper.args
    .map((arg, idx) => ({ name: arg.name, value: asked[idx] ?? null }))
    .filter(({ value }) => value !== null)
    .map(({ name, value }) => `${name}=${printValue(value)}`)
    .join(", ");
}

function printValue(value: AskedValue): string {
  if (typeof value === "bigint") return printHex(value);
  if (typeof value === "string") return value;
  if (value === null) return "?";
  if (value instanceof Uint8Array) return printHexBytes(value).replace(/(..)(?=.)/g, "$1 ");
  return `${value.bytes} bytes of checksum ${hex8(value.crc)}`;
}
