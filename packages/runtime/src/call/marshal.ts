import { hiOf, joinU64, loOf } from "@tsbpf/base";
import { PERM } from "@tsbpf/memory";
import type {
  BpfMap,
  CallbackArg,
  HelperEnv,
  HelperPlugin,
  MapArg,
  MapMemory,
  TypedArg,
} from "@tsbpf/plugin";
import type { Machine } from "../machine.ts";
import { trap } from "../trap.ts";
import { checkArgSpan, sizeIn } from "./access.ts";
import { mapRegOf, sizeRegOf } from "./check-args.ts";

/** Puts registers into arguments, calls a typed implementation, puts its result into r0. */
export type TypedCall = (machine: Machine, regs: Int32Array) => void;

/** What one call hands out; closed when the helper returns, so that nothing it kept reaches memory afterwards. */
interface Scope {
  readonly machine: Machine;
  isOpen: boolean;
  /** Written memory arguments: stored back when the helper returns. */
  readonly written: { readonly address: number; readonly bytes: Uint8Array }[];
}

type Convert = (scope: Scope, regs: Int32Array) => unknown;

/**
 * Makes the marshalling of a helper with a typed `call`.
 *
 * Memory arguments are copies: they hold what memory held at the call, and written ones are stored when the helper
 * returns. Keys and values of maps are views in place that refuse to be used after the call.
 */
export function makeTypedCall(helper: HelperPlugin): TypedCall {
  const { call } = helper;
  const converts = helper.args.map((arg, idx) => [arg.name, makeConvert(helper, arg, idx + 1)] as const);
  const isVoid = helper.proto.ret.kind === "void";
  return (machine, regs) => {
    const scope: Scope = { machine, isOpen: true, written: [] };
    const values: Record<string, unknown> = {};
    for (const [name, convert] of converts) values[name] = convert(scope, regs);
    let result: number | bigint | undefined;
    try {
      result = call?.(values as never, machine.env);
    } finally {
      scope.isOpen = false;
    }
    for (const { address, bytes } of scope.written) machine.env.memory.u8.set(bytes, address);
    putResult(regs, isVoid ? 0 : result, helper.proto.name);
  };
}

function makeConvert(helper: HelperPlugin, arg: TypedArg, reg: number): Convert {
  const lo = 2 * reg;
  switch (arg.kind) {
    case "scalar":
      return makeScalar(arg, reg);
    case "size":
      return (_scope, regs) => sizeIn(regs, reg);
    case "map":
      return (scope, regs) => mapArgAt(scope, (regs[lo] as number) >>> 0, helper.proto.name);
    case "map_key":
    case "map_value":
      return makeMapMemory(helper, arg, reg);
    case "mem":
      return makeMem(helper, arg, reg);
    case "func":
      return (scope, regs) => callbackArg(scope.machine.env, regs[lo] as number, regs[lo + 1] as number);
    default:
      return (_scope, regs) => joinU64(regs[lo] as number, regs[lo + 1] as number);
  }
}

function makeScalar(arg: TypedArg, reg: number): Convert {
  const lo = 2 * reg;
  switch (arg.type) {
    case "u32":
      return (_scope, regs) => (regs[lo] as number) >>> 0;
    case "s32":
      return (_scope, regs) => regs[lo];
    default:
      return (_scope, regs) => joinU64(regs[lo] as number, regs[lo + 1] as number);
  }
}

function mapArgAt(scope: Scope, address: number, who: string): MapArg {
  const { env } = scope.machine;
  const map = env.mapAt(address);
  if (map === undefined) throw trap("RUN_ARGUMENT", `${who}: no map at address ${address}`, { helper: who });
  return {
    map,
    lookup(key) {
      const found = map.lookup(key.address, env.cpu);
      return found === 0 ? null : memoryAt(scope, found, map.spec.valueBytes);
    },
  };
}

/** A view in place whose bytes can be had only while the helper runs. */
function memoryAt(scope: Scope, address: number, sizeBytes: number): MapMemory {
  return {
    address,
    get bytes() {
      if (!scope.isOpen)
        throw trap("RUN_HELPER_THREW", "a map key or value was used after its helper returned");
      return scope.machine.env.memory.u8.subarray(address, address + sizeBytes);
    },
  };
}

function makeMapMemory(helper: HelperPlugin, arg: TypedArg, reg: number): Convert {
  const mapReg = mapRegOf(helper.proto, arg);
  const sizeOf = ({ spec }: BpfMap): number => (arg.kind === "map_key" ? spec.keyBytes : spec.valueBytes);
  return (scope, regs) => {
    const map = scope.machine.env.mapAt((regs[2 * mapReg] as number) >>> 0);
    return memoryAt(scope, (regs[2 * reg] as number) >>> 0, map === undefined ? 0 : sizeOf(map));
  };
}

function makeMem(helper: HelperPlugin, arg: TypedArg, reg: number): Convert {
  const sizeReg = arg.sizeBytes === undefined ? sizeRegOf(helper.proto, arg) : 0;
  const isWritten = arg.access === "write" || arg.access === "readwrite";
  const who = `${helper.proto.name}, ${arg.name} in r${reg}`;
  return (scope, regs) => {
    const lo = regs[2 * reg] as number;
    const hi = regs[2 * reg + 1] as number;
    if (lo === 0 && hi === 0 && arg.nullable === true) return null;
    const sizeBytes = arg.sizeBytes ?? sizeIn(regs, sizeReg);
    const { memory } = scope.machine.env;
    const address = lo >>> 0;
    if (address + sizeBytes > memory.sizeBytes) {
      checkArgSpan(scope.machine, { lo, hi, sizeBytes, perm: PERM.read }, who);
    }
    const bytes = memory.u8.slice(address, address + sizeBytes);
    if (isWritten) scope.written.push({ address, bytes });
    return bytes;
  };
}

function callbackArg(env: HelperEnv, lo: number, hi: number): CallbackArg {
  return (...args) => {
    const halves = new Int32Array(2 * args.length);
    args.forEach((value, idx) => {
      putValue(halves, 2 * idx, value);
    });
    return env.callBack(lo, hi, halves);
  };
}

const TWO_32 = 2 ** 32;

/** Writes a whole number, of any sign, as two halves. */
function putValue(halves: Int32Array, at: number, value: number | bigint): void {
  if (typeof value === "bigint") {
    halves[at] = loOf(value);
    halves[at + 1] = hiOf(value);
    return;
  }
  halves[at] = value % TWO_32;
  halves[at + 1] = Math.floor(value / TWO_32);
}

function putResult(regs: Int32Array, result: number | bigint | undefined, who: string): void {
  if (typeof result !== "bigint" && !Number.isSafeInteger(result)) {
    throw trap("RUN_HELPER_RESULT", `${who} returned ${String(result)}, a whole number is needed`, {
      helper: who,
    });
  }
  putValue(regs, 0, result as number | bigint);
}
