import {
  type FuncSpec,
  type KernelRef,
  type LineSpec,
  type MapSpec,
  mapTypeName,
  PROG_TYPES,
  type ProgSpec,
  type ProgTypeName,
  progTypeName,
} from "@tsbpf/abi";
import { InputError, parseHexBytes } from "@tsbpf/base";
import { parseBtf } from "@tsbpf/btf";
import { decodeInsns } from "@tsbpf/isa";
import { Fields } from "./fields.ts";

/** One run that a case asks for, as BPF_PROG_TEST_RUN takes it. */
export interface CaseRun {
  readonly data: Uint8Array | undefined;
  readonly ctx: Uint8Array | undefined;
  readonly repeat: number;
  /** How often the run is asked for anew. */
  readonly times: number;
}

/** What a map slot starts with. */
export type CaseValue =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "map"; readonly mapIdx: number }
  | { readonly kind: "inner" }
  | { readonly kind: "prog"; readonly case: Case };

export interface CaseMap {
  readonly spec: MapSpec;
  readonly init: readonly (readonly [key: Uint8Array, value: CaseValue])[];
  readonly isFrozen: boolean;
  readonly isDumped: boolean;
  readonly btf: Uint8Array | undefined;
}

/** A case of the protocol, read and typed. */
export interface Case {
  readonly name: string | null;
  readonly prog: ProgSpec;
  readonly maps: readonly CaseMap[];
  readonly runs: readonly CaseRun[] | undefined;
  readonly logLevel: number;
}

const hex = (text: string): Uint8Array => parseHexBytes(text);

function progTypeOf(value: unknown): ProgTypeName {
  const name =
    typeof value === "number"
      ? progTypeName(value)
      : typeof value === "string" && value in PROG_TYPES
        ? (value as ProgTypeName)
        : undefined;
  if (name !== undefined) return name;
  throw new InputError(
    "CASE_FIELD",
    `prog_type ${JSON.stringify(value)} found, a number or name of a program type needed`,
  );
}

function readMap(fields: Fields, idx: number, btf: Uint8Array | undefined): CaseMap {
  const type = mapTypeName(fields.integer("type"));
  if (type === undefined)
    throw new InputError("CASE_FIELD", `map type ${fields.integer("type")} is not known`);
  const inner = fields.object("inner");
  const ownBtf = fields.hex("btf");
  const spec: MapSpec = {
    name: `${fields.string("name") ?? "map"}_${idx}`,
    type,
    keyBytes: fields.integer("key_size", 0),
    valueBytes: fields.integer("value_size", 0),
    maxEntries: fields.integer("max_entries", 0),
    flags: fields.integer("flags", 0),
    ...(fields.has("map_extra") ? { mapExtra: BigInt(fields.integer("map_extra")) } : {}),
    ...(inner === undefined ? {} : { inner: readMap(inner, idx, btf).spec }),
    ...(fields.has("btf_key_type_id") ? { btfKeyTypeId: fields.integer("btf_key_type_id") } : {}),
    ...(fields.has("btf_value_type_id") ? { btfValueTypeId: fields.integer("btf_value_type_id") } : {}),
    ...(fields.boolean("freeze") ? { isFrozen: true } : {}),
  };
  return {
    spec,
    init: fields.list("init").map((pair) => readInit(pair)),
    isFrozen: fields.boolean("freeze"),
    isDumped: fields.raw("dump") !== false,
    btf: ownBtf ?? btf,
  };
}

function readInit(pair: unknown): readonly [Uint8Array, CaseValue] {
  if (!Array.isArray(pair) || typeof pair[0] !== "string") {
    throw new InputError("CASE_FIELD", "init needs pairs of a hex key and a value");
  }
  const [key, value] = pair as [string, unknown];
  return [hex(key), readValue(value)];
}

function readValue(value: unknown): CaseValue {
  if (typeof value === "string") return { kind: "bytes", bytes: hex(value) };
  const fields = new Fields(value, "init value");
  if (fields.has("map")) return { kind: "map", mapIdx: fields.integer("map") };
  if (fields.has("prog")) return { kind: "prog", case: readCase(fields.raw("prog")) };
  if (fields.has("inner")) return { kind: "inner" };
  throw new InputError("CASE_FIELD", "an init value needs hex, map, inner or prog");
}

function readRuns(value: unknown): CaseRun[] | undefined {
  if (value === undefined || value === null) return undefined;
  return (Array.isArray(value) ? value : [value]).map((run) => {
    const fields = new Fields(run, "run");
    return {
      data: fields.hex("data"),
      ctx: fields.hex("ctx"),
      repeat: Math.max(1, fields.integer("repeat", 1)),
      times: Math.max(1, fields.integer("runs", 1)),
    };
  });
}

/**
 * Splits records of a given size, as bpf(2) takes function and line information; what is wrong with sizes below `known`
 * bytes is the verifier's to say.
 */
function* records(bytes: Uint8Array, size: number, known: number): Generator<DataView> {
  if (size < known) return;
  for (let at = 0; at + size <= bytes.length; at += size) {
    yield new DataView(bytes.buffer, bytes.byteOffset + at, size);
  }
}

/** The records themselves, so that what is wrong with them is judged. */
function rawRecords(fields: Fields): Pick<ProgSpec, "funcInfo" | "lineInfo"> {
  const funcs = fields.hex("func_info");
  const lines = fields.hex("line_info");
  return {
    ...(funcs === undefined || funcs.length === 0
      ? {}
      : { funcInfo: { bytes: funcs, recordBytes: fields.integer("func_info_rec_size", FUNC_BYTES) } }),
    ...(lines === undefined || lines.length === 0
      ? {}
      : { lineInfo: { bytes: lines, recordBytes: fields.integer("line_info_rec_size", LINE_BYTES) } }),
  };
}

const FUNC_BYTES = 8;
const LINE_BYTES = 16;

function readFuncs(fields: Fields, btfBytes: Uint8Array | undefined): FuncSpec[] {
  const raw = fields.hex("func_info");
  if (raw === undefined || btfBytes === undefined) return [];
  const btf = parseBtf(btfBytes);
  return [...records(raw, fields.integer("func_info_rec_size", FUNC_BYTES), FUNC_BYTES)].map((view) => {
    const typeId = view.getUint32(4, true);
    const type = typeId < btf.endId ? btf.type(typeId) : undefined;
    return {
      name: type?.kind === "func" ? type.name : "",
      slot: view.getUint32(0, true),
      linkage: type?.kind === "func" ? type.linkage : "static",
      btfTypeId: typeId,
    };
  });
}

function readLines(fields: Fields, btfBytes: Uint8Array | undefined): LineSpec[] {
  const raw = fields.hex("line_info");
  if (raw === undefined || btfBytes === undefined) return [];
  const btf = parseBtf(btfBytes);
  const textAt = (offset: number): string => (offset < btf.stringBytes ? btf.stringAt(offset) : "");
  return [...records(raw, fields.integer("line_info_rec_size", LINE_BYTES), LINE_BYTES)].map((view) => {
    const lineColumn = view.getUint32(12, true);
    return {
      slot: view.getUint32(0, true),
      fileName: textAt(view.getUint32(4, true)),
      text: textAt(view.getUint32(8, true)),
      line: lineColumn >>> 10,
      column: lineColumn & 0x3ff,
    };
  });
}

function readKernelRefs(fields: Fields): KernelRef[] {
  const of = (key: string, kind: KernelRef["kind"]): KernelRef[] =>
    fields.list(key).map((item) => {
      const one = new Fields(item, key);
      return { slot: one.integer("insn"), name: one.string("name") ?? "", kind, isWeak: false };
    });
  return [...of("kfuncs", "kfunc"), ...of("ksyms", "typed_ksym")];
}

/**
 * Reads a case.
 *
 * @throws CASE_FIELD, HEX_MALFORMED, BTF_… (InputError) naming the field.
 */
export function readCase(value: unknown): Case {
  const fields = new Fields(value, "case");
  const btf = fields.hex("btf");
  const maps = fields.list("maps").map((map, idx) => readMap(new Fields(map, `maps[${idx}]`), idx, btf));
  const insns = decodeInsns(hex(fields.string("insns") ?? ""));
  const mapRefs = fields.list("fixups").map((item) => {
    const one = new Fields(item, "fixups");
    const slot = one.integer("insn");
    const next = insns[slot + 1];
    if (one.has("off") && next !== undefined) insns[slot + 1] = { ...next, imm: one.integer("off") | 0 };
    const mapIdx = one.integer("map");
    if (maps[mapIdx] === undefined)
      throw new InputError("CASE_FIELD", `fixups name map ${mapIdx}, there are ${maps.length}`);
    return { slot, mapIdx };
  });
  const prog: ProgSpec = {
    name: fields.string("prog_name") ?? "",
    type: progTypeOf(fields.raw("prog_type")),
    attachType: fields.integer("expected_attach_type", 0),
    flags: fields.integer("flags", 0),
    license: fields.string("license") ?? "GPL",
    insns,
    maps: maps.map((map) => map.spec),
    mapRefs,
    kernelRefs: readKernelRefs(fields),
    funcs: readFuncs(fields, btf),
    lines: readLines(fields, btf),
    autoload: true,
    ...rawRecords(fields),
    ...(btf === undefined ? {} : { btf }),
    ...(fields.object("attach_btf") === undefined
      ? {}
      : { attachTarget: fields.object("attach_btf")?.string("name") ?? "" }),
  };
  return {
    name: fields.string("name") ?? null,
    prog,
    maps,
    runs: readRuns(fields.raw("run")),
    logLevel: fields.integer("log_level", 1),
  };
}
