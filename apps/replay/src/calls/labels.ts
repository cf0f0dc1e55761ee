import { type ArgSpec, parseFormat } from "@tsbpf/abi";
import { toS64 } from "@tsbpf/base";
import { type Btf, type BtfFuncProto, parseBtf } from "@tsbpf/btf";
import type { BpfMap, HelperPlugin } from "@tsbpf/plugin";
import { funcAt, type LinkedFunc, type LinkedProg, type Machine } from "@tsbpf/runtime";
import {
  peekBytes,
  printElement,
  printMemory,
  printNumber,
  printPointer,
  printTyped,
  registerOf,
} from "./values.ts";

const ARGS = [1, 2, 3, 4, 5] as const;

/** The map that a call names, and where its key lies. */
export interface MapUse {
  readonly map: BpfMap;
  /** Address of the key; undefined for calls without one. */
  readonly keyAddress: bigint | undefined;
}

/** Finds the map among a helper's arguments, before the call. */
export function mapUseOf(helper: HelperPlugin, machine: Machine, regs: Int32Array): MapUse | undefined {
  const { args } = helper.proto;
  const mapIdx = args.findIndex((one) => one.kind === "map");
  if (mapIdx < 0) return undefined;
  const map = machine.env.mapAt(Number(registerOf(regs, mapIdx + 1) & 0xffff_ffffn));
  if (map === undefined) return undefined;
  const keyIdx = args.findIndex((one) => one.kind === "map_key");
  return { map, keyAddress: keyIdx < 0 ? undefined : registerOf(regs, keyIdx + 1) };
}

/** Prints a call of a helper with its arguments, before it happens: `bpf_map_lookup_elem(map=cnt, key=01 00 00 00)`. */
export function printHelperCall(helper: HelperPlugin, machine: Machine, regs: Int32Array): string {
  const { args, isVariadic, name } = helper.proto;
  const use = mapUseOf(helper, machine, regs);
  const texts = args.map((spec, idx) => {
    const text = printArg(spec, registerOf(regs, idx + 1), { args, machine, regs, map: use?.map });
    return text === "ctx()" ? "ctx" : `${spec.name}=${text}`;
  });
  if (isVariadic === true) texts.push(...variadicArgs(args, machine, regs));
  return `${name}(${texts.join(", ")})`;
}

interface ArgContext {
  readonly args: readonly ArgSpec[];
  readonly machine: Machine;
  readonly regs: Int32Array;
  readonly map: BpfMap | undefined;
}

function printArg(spec: ArgSpec, value: bigint, context: ArgContext): string {
  const { machine, map } = context;
  switch (spec.kind) {
    case "scalar":
    case "size":
    case "alloc_size":
      return printNumber(value);
    case "map":
      return map?.spec.name ?? printPointer(value, machine);
    case "map_key":
      return printPointed(spec, value, map?.spec.keyBytes, machine);
    case "map_value":
      return printPointed(spec, value, map?.spec.valueBytes, machine);
    case "mem":
      return printPointed(spec, value, sizeOfMemory(spec, context), machine);
    case "const_str":
      return printPointed(spec, value, STRING_BYTES, machine);
    case "func":
      return printPointer(value, machine).replace(/^func\((.*)\)$/, "$1");
    default:
      return printPointer(value, machine);
  }
}

const STRING_BYTES = 64;

function sizeOfMemory(spec: ArgSpec, { args, regs }: ArgContext): number | undefined {
  if (spec.sizeBytes !== undefined) return spec.sizeBytes;
  const idx = args.findIndex((one) => one.name === spec.size);
  return idx < 0 ? undefined : Number(registerOf(regs, idx + 1) & 0xffff_ffffn);
}

/** What the helper reads is shown; what it writes is not there yet, so only the place is. */
function printPointed(spec: ArgSpec, value: bigint, size: number | undefined, machine: Machine): string {
  const isRead = spec.access !== "write";
  const bytes = isRead && size !== undefined && size > 0 ? peekBytes(machine, value, size) : undefined;
  if (bytes === undefined) return printPointer(value, machine);
  return spec.kind === "map_key" || spec.kind === "map_value" ? printElement(bytes) : printMemory(bytes);
}

/** Arguments behind the last one: as many as a format among the arguments converts. */
function variadicArgs(args: readonly ArgSpec[], machine: Machine, regs: Int32Array): string[] {
  const formatIdx = args.findIndex((one) => one.kind === "mem" || one.kind === "const_str");
  const size =
    args[formatIdx] === undefined
      ? undefined
      : sizeOfMemory(args[formatIdx], {
          args,
          machine,
          regs,
          map: undefined,
        });
  const bytes =
    formatIdx < 0 ? undefined : peekBytes(machine, registerOf(regs, formatIdx + 1), size ?? STRING_BYTES);
  if (bytes === undefined) return [];
  const nul = bytes.indexOf(0);
  const parts = parseFormat(nul < 0 ? bytes : bytes.subarray(0, nul)) ?? [];
  const count = parts.filter((part) => "spec" in part).length;
  return ARGS.slice(args.length, args.length + count).map((reg) => printNumber(registerOf(regs, reg)));
}

/** What BTF says of a function. */
interface FuncTypes {
  readonly btf: Btf;
  readonly proto: BtfFuncProto;
}

const typesOfProg = new WeakMap<LinkedProg, Map<number, FuncTypes | undefined>>();
const btfOfBytes = new WeakMap<Uint8Array, Btf | undefined>();

function btfOf(bytes: Uint8Array): Btf | undefined {
  if (!btfOfBytes.has(bytes)) {
    let btf: Btf | undefined;
    try {
      btf = parseBtf(bytes);
    } catch {
      // Types are a help for readers; a program runs without them.
    }
    btfOfBytes.set(bytes, btf);
  }
  return btfOfBytes.get(bytes);
}

function typesOf(prog: LinkedProg, start: number): FuncTypes | undefined {
  let known = typesOfProg.get(prog);
  if (known === undefined) {
    known = new Map();
    typesOfProg.set(prog, known);
  }
  if (!known.has(start)) known.set(start, readTypes(prog, start));
  return known.get(start);
}

function readTypes({ spec }: LinkedProg, start: number): FuncTypes | undefined {
  const func = spec.funcs.find((one) => one.slot === start);
  if (func === undefined || func.btfTypeId === 0 || spec.btf === undefined) return undefined;
  const btf = btfOf(spec.btf);
  if (btf === undefined) return undefined;
  const type = btf.type(func.btfTypeId);
  const proto = type.kind === "func" ? btf.type(type.type) : type;
  return proto.kind === "func_proto" ? { btf, proto } : undefined;
}

/** Name of the function that starts at a slot. */
export const funcName = (prog: LinkedProg, start: number): string =>
  funcAt(prog, start)?.name ?? prog.spec.name;

/** Prints a function with its arguments as it begins: by names and types where BTF has them, else live registers. */
export function printFuncCall(
  prog: LinkedProg,
  func: Pick<LinkedFunc, "start" | "name">,
  machine: Machine,
  regs: Int32Array,
): string {
  const types = typesOf(prog, func.start);
  if (types !== undefined) {
    const texts = types.proto.params.slice(0, ARGS.length).map((param, idx) => {
      const text = printTyped(registerOf(regs, idx + 1), param.type, types.btf, machine);
      return text === "ctx()" ? "ctx" : param.name === "" ? text : `${param.name}=${text}`;
    });
    return `${func.name}(${texts.join(", ")})`;
  }
  const live = prog.facts?.liveIn.get(func.start) ?? (func.start === 0 ? 0b10 : 0);
  const texts = ARGS.filter((reg) => (live & (1 << reg)) !== 0).map((reg) => {
    const value = registerOf(regs, reg);
    const text = value > 0xffffn ? printPointer(value, machine) : printNumber(value);
    return text === "ctx()" ? "ctx" : `r${reg}=${text}`;
  });
  return `${func.name}(${texts.join(", ")})`;
}

/** Prints a function's result by its BTF type; the empty text for void. */
export function printFuncResult(prog: LinkedProg, start: number, machine: Machine, regs: Int32Array): string {
  const value = registerOf(regs, 0);
  const types = typesOf(prog, start);
  if (types === undefined) return printNumber(value);
  if (types.proto.returns === 0) return "";
  return printTyped(value, types.proto.returns, types.btf, machine);
}

/** Prints the result of the program itself: the number, and what it means for its type. */
export function printVerdict(prog: LinkedProg, regs: Int32Array): string {
  const value = registerOf(regs, 0);
  const retval = Number(BigInt.asUintN(32, value));
  const name = prog.progType.verdictName(retval);
  const number = `${toS64(value)}`;
  return name === undefined || name === number ? number : `${number} (${name})`;
}
