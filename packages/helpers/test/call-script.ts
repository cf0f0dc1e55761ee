import { kfuncByName, mapTypeName, type ProgTypeName, protoByName } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import { LinearMemory } from "@tsbpf/memory";
import type { BpfMap, HelperEnv } from "@tsbpf/plugin";
import type { KernelAnswer, KernelCase, KernelMap } from "../../../tooling/kernel/src/index.ts";
import { kernelMapTypes } from "../../maps/src/index.ts";
import { progTypeByName } from "../../progs/src/index.ts";
import { createServices, kernelKfuncs } from "../src/index.ts";
import { helperByName } from "./fake-machine.ts";

/** An argument: the context, a number, an address in the data, in the format or on the stack, or a map. */
export type ScriptArg =
  | "ctx"
  | number
  | bigint
  | { readonly mem: number }
  | { readonly fmt: number }
  | { readonly stack: number }
  | { readonly map: number };

/** Helper calls in a row, the same for the kernel and for us. */
export interface CallScript {
  readonly name: string;
  readonly type: ProgTypeName;
  readonly packet: Uint8Array;
  readonly calls: readonly (readonly [helper: string, ...args: ScriptArg[]])[];
  /** Bytes to put into the data before. */
  readonly init?: readonly (readonly [offset: number, bytes: Uint8Array | string])[];
  /** Bytes that constant strings may point to. */
  readonly format?: string;
  readonly maps?: readonly KernelMap[];
  /** Context fields to compare afterwards. */
  readonly fields?: readonly number[];
}

/** What a script did. */
export interface ScriptResult {
  readonly errno: number;
  /** r0 after each call and the fields, as signed decimals; pointers as `null` or `pointer`. */
  readonly results?: readonly string[];
  readonly data?: string;
  readonly packet?: string;
}

const DATA_BYTES = 2048;
const MAP_FD = 1;
const MAP_VALUE = 2;
const PSEUDO_KFUNC = 2;
const VOID = new Set(["spin_lock", "spin_unlock", "ringbuf_submit_dynptr", "ringbuf_discard_dynptr"]);
const POINTER = new Set([
  "map_lookup_elem",
  "map_lookup_percpu_elem",
  "dynptr_data",
  "bpf_dynptr_slice",
  "bpf_dynptr_slice_rdwr",
  "bpf_iter_num_next",
]);
/** Kernel functions are named with their prefix, helpers without. */
const isKfunc = (name: string): boolean => name.startsWith("bpf_") && kfuncByName(name) !== undefined;
const returnsVoid = (name: string): boolean =>
  VOID.has(name) || (isKfunc(name) && kfuncByName(name)?.signature.startsWith("void bpf") === true);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const asBytes = (given: Uint8Array | string): Uint8Array =>
  typeof given === "string" ? Uint8Array.from(Buffer.from(given, "latin1")) : given;

function insn(op: number, dst = 0, src = 0, off = 0, imm = 0): string {
  const bytes = Buffer.alloc(8);
  bytes[0] = op;
  bytes[1] = dst | (src << 4);
  bytes.writeInt16LE(off, 2);
  bytes.writeInt32LE(imm, 4);
  return hex(bytes);
}

const initialData = (script: CallScript): Uint8Array => {
  const data = new Uint8Array(DATA_BYTES);
  for (const [offset, bytes] of script.init ?? []) data.set(asBytes(bytes), offset);
  return data;
};
const formatOf = (script: CallScript): Uint8Array => asBytes(script.format ?? "\0\0\0\0\0\0\0\0");
const resultCount = (script: CallScript): number => script.calls.length + (script.fields?.length ?? 0);

/** Writes a script as a program. */
export function toCase(script: CallScript): KernelCase {
  const fixups: { insn: number; map: number }[] = [];
  const kfuncs: { insn: number; name: string }[] = [];
  let code = insn(0xbf, 6, 1);
  const wide = (dst: number, src: number, lo: number, hi = 0) => {
    code += insn(0x18, dst, src, 0, lo) + insn(0, 0, 0, 0, hi);
  };
  const addressOf = (dst: number, map: number, offset: number) => {
    fixups.push({ insn: code.length / 16, map });
    wide(dst, MAP_VALUE, 0, offset);
  };
  const place = (dst: number, arg: ScriptArg) => {
    if (arg === "ctx") code += insn(0xbf, dst, 6);
    else if (typeof arg !== "object") {
      const value = BigInt(arg);
      wide(dst, 0, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
    } else if ("mem" in arg) addressOf(dst, 0, arg.mem);
    else if ("fmt" in arg) addressOf(dst, 2, arg.fmt);
    else if ("stack" in arg) code += insn(0xbf, dst, 10) + insn(0x07, dst, 0, 0, arg.stack);
    else {
      fixups.push({ insn: code.length / 16, map: 3 + arg.map });
      wide(dst, MAP_FD, 0);
    }
  };
  const keep = (idx: number) => {
    addressOf(8, 1, 8 * idx);
    code += insn(0x7b, 8, 7);
  };
  for (const [idx, [helper, ...args]] of script.calls.entries()) {
    for (const [at, arg] of args.entries()) place(at + 1, arg);
    if (isKfunc(helper)) kfuncs.push({ insn: code.length / 16, name: helper });
    code += isKfunc(helper) ? insn(0x85, 0, PSEUDO_KFUNC) : insn(0x85, 0, 0, 0, protoByName(helper)!.id);
    if (returnsVoid(helper)) continue;
    code += insn(0xbf, 7, 0);
    keep(idx);
  }
  for (const [idx, field] of (script.fields ?? []).entries()) {
    code += insn(0x61, 7, 6, field);
    keep(script.calls.length + idx);
  }
  code += insn(0xb7) + insn(0x95);
  const array = (size: number): KernelMap => ({ type: 2, key_size: 4, value_size: size, max_entries: 1 });
  const format = formatOf(script);
  return {
    prog_type: script.type,
    insns: code,
    fixups,
    kfuncs,
    maps: [
      { ...array(DATA_BYTES), init: [["00000000", hex(initialData(script))]] },
      array(8 * resultCount(script)),
      { ...array(format.length), flags: 128, freeze: true, init: [["00000000", hex(format)]] },
      ...(script.maps ?? []).map((map) => ({ ...map, dump: false })),
    ],
    run: { data: hex(script.packet), data_size_out: 80_000 },
  };
}

/** Kernel functions leave the bits above the type of their result as they are. */
function resultBits(helper: string | undefined): number {
  if (helper === undefined || !isKfunc(helper)) return 64;
  return kfuncByName(helper)!.signature.startsWith("bool ") ? 8 : 32;
}

const show = (helper: string | undefined, value: bigint): string => {
  if (helper !== undefined && POINTER.has(helper)) return value === 0n ? "null" : "pointer";
  return BigInt.asIntN(resultBits(helper), value).toString();
};

/** Reads the kernel's answer. */
export function resultOf(script: CallScript, answer: KernelAnswer): ScriptResult {
  const errno = answer.runs?.[0]?.errno ?? answer.errno;
  if (errno !== 0) return { errno };
  const kept = Buffer.from(answer.maps?.[1]?.[0]?.[1] as string, "hex");
  return {
    errno: 0,
    results: Array.from({ length: resultCount(script) }, (_, idx) =>
      show(script.calls[idx]?.[0], kept.readBigUInt64LE(8 * idx)),
    ),
    data: answer.maps?.[0]?.[0]?.[1] as string,
    packet: answer.data_out ?? "",
  };
}

function createMaps(script: CallScript, memory: LinearMemory): BpfMap[] {
  const maps: BpfMap[] = [];
  const host = {
    memory,
    cpuCount: 4096,
    hashSeed: 0,
    mapAt: (at: number) => maps.find((map) => map.address === at),
  };
  for (const [idx, given] of (script.maps ?? []).entries()) {
    const type = mapTypeName(given.type)!;
    const plugin = kernelMapTypes.find((one) => one.type === type)!;
    const spec = {
      name: `m${idx}`,
      type,
      keyBytes: given.key_size ?? 0,
      valueBytes: given.value_size ?? 0,
      maxEntries: given.max_entries ?? 0,
      flags: given.flags ?? 0,
    };
    maps.push(plugin.create(spec, host));
  }
  return maps;
}

const implementationOf = (name: string) =>
  isKfunc(name) ? kernelKfuncs.find((kfunc) => kfunc.proto.name === name)!.raw! : helperByName(name).raw!;

/** Runs a script on our own helpers. */
export function runScript(script: CallScript): ScriptResult {
  // A small memory: thousands of scripts each get their own.
  const memory = new LinearMemory({ initialBytes: 512 * 1024 });
  const context = progTypeByName(script.type)!.createContext({
    memory,
    maxPacketBytes: 80_000,
    isTestRun: true,
  });
  const maps = createMaps(script, memory);
  const data = memory.alloc(DATA_BYTES, { kind: "map", name: "data" });
  const format = memory.alloc(formatOf(script).length, { kind: "map", name: "format" });
  const stackEnd = memory.alloc(512, { kind: "stack", name: "stack" }) + 512;
  memory.u8.set(initialData(script), data);
  memory.u8.set(formatOf(script), format);
  try {
    context.load({ packet: script.packet });
  } catch (error) {
    if (error instanceof InputError && error.code === "RUN_INPUT")
      return { errno: error.details.errno as number };
    throw error;
  }
  const env: HelperEnv = {
    memory,
    cpu: 0,
    cpuCount: 2,
    progType: script.type,
    services: createServices({ perfReaders: "slots" }),
    effects: { isOn: true, record: () => {} },
    packet: context.packet,
    ctxAddress: context.address,
    runState: new Map(),
    vmState: new Map(),
    mapAt: (at) => maps.find((map) => map.address === at),
    callBack: () => 0,
    packetMoved: () => context.packet?.syncRegion(),
    count: () => {},
  };
  const argValue = (arg: ScriptArg): bigint => {
    if (arg === "ctx") return BigInt(context.address);
    if (typeof arg !== "object") return BigInt(arg);
    if ("mem" in arg) return BigInt(data + arg.mem);
    if ("fmt" in arg) return BigInt(format + arg.fmt);
    if ("stack" in arg) return BigInt(stackEnd + arg.stack);
    return BigInt(maps[arg.map]!.address);
  };
  const regs = new Int32Array(22);
  const results = script.calls.map(([helper, ...args]) => {
    for (const [idx, arg] of args.entries()) {
      const value = argValue(arg);
      regs[2 * idx + 2] = Number(BigInt.asIntN(32, value));
      regs[2 * idx + 3] = Number(BigInt.asIntN(32, value >> 32n));
    }
    implementationOf(helper)(regs, env);
    return returnsVoid(helper) ? "0" : show(helper, (BigInt(regs[1]! >>> 0) << 32n) | BigInt(regs[0]! >>> 0));
  });
  const fields = (script.fields ?? []).map((field) =>
    memory.view.getUint32(context.address + field, true).toString(),
  );
  return {
    errno: 0,
    results: [...results, ...fields],
    data: hex(memory.bytesAt(data, DATA_BYTES)),
    packet: hex(context.readPacket()),
  };
}
