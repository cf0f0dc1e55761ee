import {
  ARG_KINDS,
  type ArgSpec,
  CUSTOM_HELPER_ID_FIRST,
  type HelperProto,
  MAP_TYPES,
  PROG_TYPES,
  type ProgTypeName,
  RET_KINDS,
  type RetSpec,
} from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import type { HelperPlugin, TypedArg } from "@tsbpf/plugin";
import type { TraceHelper, TraceValue, TraceValueMap } from "@tsbpf/trace";

/** Traits of a prototype and what a trace calls them. */
const TRAITS = {
  gpl: "isGplOnly",
  packet_mem: "allowsPacketMem",
  invalidates_packet: "invalidatesPacket",
  may_sleep: "maySleep",
  fastcall: "isFastcall",
  calls_back: "callsBack",
  variadic: "isVariadic",
} as const satisfies Record<string, keyof HelperProto>;

const traitEntries = Object.entries(TRAITS) as readonly (readonly [
  string,
  (typeof TRAITS)[keyof typeof TRAITS],
])[];

/** Describes a helper so that a replay without it can stand in for it. */
export function toTraceHelper({ proto, args }: HelperPlugin): TraceHelper {
  const traits = traitEntries.flatMap(([name, key]) => (proto[key] === true ? [name] : []));
  return {
    id: proto.id,
    name: proto.name,
    args: args.map(toPlain),
    returns: toPlain(proto.ret),
    ...(traits.length === 0 ? {} : { traits }),
    ...(proto.progTypes === undefined ? {} : { progTypes: proto.progTypes }),
  };
}

const toPlain = (spec: TypedArg | RetSpec): TraceValueMap =>
  Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined)) as TraceValueMap;

type FieldKind = "text" | "flag" | "size" | "big" | "texts";
/** Fields of an argument beside name and kind. */
const ARG_FIELDS: Readonly<Record<string, FieldKind>> = {
  nullable: "flag",
  access: "text",
  sizeBytes: "size",
  isAligned: "flag",
  of: "text",
  size: "text",
  allowZero: "flag",
  min: "big",
  max: "big",
  releases: "flag",
  mapTypes: "texts",
  type: "text",
};
const RET_FIELDS: Readonly<Record<string, FieldKind>> = {
  nullable: "flag",
  acquires: "flag",
  min: "big",
  max: "big",
  sizeOf: "text",
  maxOf: "text",
};
const ACCESSES: readonly unknown[] = ["read", "write", "readwrite"];
const WIDTHS: readonly unknown[] = ["u64", "u32", "s32"];
const KIND_TESTS: Readonly<Record<FieldKind, (value: TraceValue) => boolean>> = {
  text: (value) => typeof value === "string",
  flag: (value) => typeof value === "boolean",
  size: (value) => typeof value === "number" && Number.isInteger(value) && value >= 0,
  big: (value) => typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value)),
  texts: (value) => Array.isArray(value) && value.every((item) => typeof item === "string"),
};

/**
 * Reads a helper's prototype from a trace.
 *
 * @throws TRACE_HELPER (InputError) when it is none that a program could be verified with.
 */
export function fromTraceHelper(helper: TraceHelper): {
  readonly proto: HelperProto;
  readonly args: TypedArg[];
} {
  const { id, name } = helper;
  const fail = (text: string): InputError =>
    new InputError("TRACE_HELPER", `helper ${name} of the trace ${text}`, { details: { id, name } });
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw fail("has no C identifier as name");
  if (id !== 0 && (id < CUSTOM_HELPER_ID_FIRST || id > 0x7fff_ffff)) {
    throw fail(`has id ${id}, ${CUSTOM_HELPER_ID_FIRST} or more allowed`);
  }
  const args = helper.args.map((map, idx) => readArg(map, idx + 1, fail));
  checkLinks(args, fail);
  const traits = new Set(helper.traits ?? []);
  const has = (trait: keyof typeof TRAITS): boolean => traits.has(trait);
  return {
    args,
    proto: {
      id,
      name,
      args,
      ret: readRet(helper.returns, fail),
      isGplOnly: has("gpl"),
      invalidatesPacket: has("invalidates_packet"),
      maySleep: has("may_sleep"),
      isFastcall: has("fastcall"),
      allowsPacketMem: has("packet_mem"),
      callsBack: has("calls_back"),
      ...(has("variadic") ? { isVariadic: true } : {}),
      signature: `${name}(${args.map((one) => one.name).join(", ")})`,
      since: "custom",
      ...(helper.progTypes === undefined
        ? {}
        : { progTypes: helper.progTypes.filter((type): type is ProgTypeName => type in PROG_TYPES) }),
    },
  };
}

type Fail = (text: string) => InputError;

function readFields(
  map: TraceValueMap,
  fields: Readonly<Record<string, FieldKind>>,
  what: string,
  fail: Fail,
): Record<string, unknown> {
  const read: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(map)) {
    const kind = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (kind === undefined || value === null) continue;
    if (!KIND_TESTS[kind](value)) throw fail(`has ${what} whose ${key} is no ${kind}`);
    read[key] = kind === "big" ? BigInt(value as number | bigint) : value;
  }
  return read;
}

function readArg(map: TraceValueMap, reg: number, fail: Fail): TypedArg {
  const what = `an argument r${reg}`;
  const { name, kind } = map;
  if (typeof name !== "string") throw fail(`has ${what} without a name`);
  const known = ARG_KINDS.find((one) => one === kind);
  if (known === undefined) throw fail(`has ${what} of kind ${String(kind)}, which is unknown`);
  const fields = readFields(map, ARG_FIELDS, what, fail);
  if (fields.access !== undefined && !ACCESSES.includes(fields.access))
    throw fail(`has ${what} of unknown access`);
  if (fields.type !== undefined && !WIDTHS.includes(fields.type)) throw fail(`has ${what} of unknown width`);
  for (const type of (fields.mapTypes as readonly string[] | undefined) ?? []) {
    if (!(type in MAP_TYPES)) throw fail(`has ${what} for maps of type ${type}, which is unknown`);
  }
  return { ...fields, name, kind: known } as TypedArg;
}

/** Refuses links to arguments that do not exist, as defining the helper would have. */
function checkLinks(args: readonly ArgSpec[], fail: Fail): void {
  const names = new Set(args.map((one) => one.name));
  if (names.size !== args.length) throw fail("has two arguments of one name");
  for (const arg of args) {
    for (const link of [arg.of, arg.size]) {
      if (link !== undefined && !names.has(link))
        throw fail(`has an argument that names ${link}, which is none`);
    }
    if (arg.kind === "mem" && arg.size === undefined && arg.sizeBytes === undefined)
      throw fail(`has memory ${arg.name} without a size`);
  }
}

function readRet(map: TraceValueMap, fail: Fail): RetSpec {
  const kind = RET_KINDS.find((one) => one === map.kind);
  // A stand-in has no memory or socket to hand out.
  if (kind !== "int" && kind !== "void")
    throw fail(`returns ${String(map.kind)}, numbers and nothing can be replayed`);
  return { ...readFields(map, RET_FIELDS, "a result", fail), kind } as RetSpec;
}
