import { ATTACH_TYPES, PROG_FLAGS, PROG_TYPES } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import type { KernelCase, KernelMap } from "@tsbpf/kernel";
import { btfBlob } from "./btf-blob.ts";
import type { CItem, CValue } from "./expr.ts";
import { fillProgram, type RawInsn } from "./fill.ts";
import { mapOfFixup } from "./maps.ts";

/** A selftest as a question to kernel and verifier, with what Linux's own harness expects of it. */
export interface Selftest {
  readonly file: string;
  readonly name: string;
  /** Undefined when the test cannot be asked; `skipReason` says why. */
  readonly question: KernelCase | undefined;
  readonly skipReason: string;
  readonly expected: "accept" | "reject";
}

const END_OF_TYPES = 0xdeadbeef;
const STRING_BYTES = 256;
const NEEDS_UNALIGNED = 1;
const STRICT = 2;
/** Flags up to this one are the harness's own. */
const NEEDS_JIT = 4;
const INSN_FIELDS = ["code", "dst_reg", "src_reg", "off", "imm"] as const;

const listOf = (value: CValue | undefined): readonly CItem[] => (value?.kind === "list" ? value.items : []);
const intOf = (value: CValue | undefined): number => (value?.kind === "int" ? Number(value.value) : 0);
const textOf = (value: CValue | undefined): string => (value?.kind === "string" ? value.text : "");
const intsOf = (value: CValue | undefined): readonly number[] =>
  listOf(value).map((item) => intOf(item.value));

function toInsn(value: CValue): RawInsn {
  const fields: Record<string, number> = {};
  let next = 0;
  for (const item of listOf(value)) {
    const name = item.path[0] ?? INSN_FIELDS[next] ?? "";
    next = INSN_FIELDS.indexOf(name as (typeof INSN_FIELDS)[number]) + 1;
    fields[name] = item.value.kind === "int" ? Number(BigInt.asIntN(32, item.value.value)) : 0;
  }
  return {
    code: fields.code ?? 0,
    dst: fields.dst_reg ?? 0,
    src: fields.src_reg ?? 0,
    off: fields.off ?? 0,
    imm: fields.imm ?? 0,
  };
}

/** Cuts the zeros at the end, as the harness's fixed arrays have them. */
function toInsns(value: CValue | undefined): readonly RawInsn[] {
  const insns = listOf(value).map((item) => toInsn(item.value));
  let len = insns.length;
  while (len > 1 && insns[len - 1]?.code === 0 && insns[len - 1]?.imm === 0) len -= 1;
  return insns.slice(0, len);
}

function encode(insns: readonly RawInsn[]): string {
  const bytes = Buffer.alloc(insns.length * 8);
  insns.forEach((one, i) => {
    bytes.writeUInt8(one.code & 0xff, i * 8);
    bytes.writeUInt8((one.dst & 15) | ((one.src & 15) << 4), i * 8 + 1);
    bytes.writeInt16LE((one.off << 16) >> 16, i * 8 + 2);
    bytes.writeInt32LE(one.imm | 0, i * 8 + 4);
  });
  return bytes.toString("hex");
}

const words = (pairs: readonly (readonly number[])[]): string =>
  pairs
    .flat()
    .map((word) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(word >>> 0);
      return bytes.toString("hex");
    })
    .join("");

/** Name and kind of the kernel's type that a program attaches to, as libbpf finds it. */
function attachTarget(name: string, progType: number, attachType: number): { name: string; kind: string } {
  if (progType === PROG_TYPES.lsm) return { name: `bpf_lsm_${name}`, kind: "func" };
  if (attachType === ATTACH_TYPES.trace_iter) return { name: `bpf_iter_${name}`, kind: "func" };
  if (attachType === ATTACH_TYPES.trace_raw_tp) return { name: `btf_trace_${name}`, kind: "typedef" };
  return { name, kind: "func" };
}

function progFlags(flags: number): number {
  const strict = (flags & STRICT) === 0 ? 0 : PROG_FLAGS.strictAlignment;
  const any = (flags & NEEDS_UNALIGNED) === 0 ? 0 : PROG_FLAGS.anyAlignment;
  return strict | any | ((flags & ~3) === 0 ? 0 : flags & ~(NEEDS_UNALIGNED | STRICT | NEEDS_JIT));
}

interface MapsOfTest {
  readonly maps: readonly KernelMap[];
  readonly fixups: readonly { readonly insn: number; readonly map: number }[];
}

function mapsOf(fields: ReadonlyMap<string, CValue>, harnessBtf: string): MapsOfTest {
  const maps: KernelMap[] = [];
  const fixups: { insn: number; map: number }[] = [];
  for (const [field, value] of fields) {
    if (!field.startsWith("fixup_") || field === "fixup_kfunc_btf_id") continue;
    const map = mapOfFixup(field, harnessBtf);
    if (map === undefined) throw new InputError("CONFORMANCE_FIXUP", `no map known for ${field}`);
    for (const insn of intsOf(value)) fixups.push({ insn, map: maps.length });
    maps.push(map);
  }
  return { maps, fixups };
}

function ownBtf(fields: ReadonlyMap<string, CValue>): string | undefined {
  const types = intsOf(fields.get("btf_types"));
  if (types.length === 0) return undefined;
  const end = types.findIndex((word) => word >>> 0 === END_OF_TYPES);
  return btfBlob(end < 0 ? types : types.slice(0, end), textOf(fields.get("btf_strings")), STRING_BYTES);
}

function firstRetval(fields: ReadonlyMap<string, CValue>): number {
  return intOf(fields.get("retval"));
}

function toQuestion(
  name: string,
  fields: ReadonlyMap<string, CValue>,
  fill: string,
  harnessBtf: string,
): KernelCase {
  const progType = intOf(fields.get("prog_type")) || PROG_TYPES.socket_filter;
  const attachType = intOf(fields.get("expected_attach_type"));
  const filled = fill === "" ? undefined : fillProgram(fill, firstRetval(fields));
  if (fill !== "" && filled === undefined) throw new InputError("CONFORMANCE_FILL", `no ${fill} here`);
  const insns = filled?.insns ?? toInsns(fields.get("insns"));
  const { maps, fixups } = mapsOf(fields, harnessBtf);
  const infos = listOf(fields.get("func_info")).map((item) => intsOf(item.value));
  const records = infos.map(([slot = 0, type = 0], i) => [
    i === 1 ? (filled?.callbackSlot ?? slot) : slot,
    type,
  ]);
  const kfuncs = listOf(fields.get("fixup_kfunc_btf_id")).map(({ value }) => {
    const [kfunc, insn] = listOf(value);
    return { name: textOf(kfunc?.value), insn: intOf(insn?.value) };
  });
  const target = textOf(fields.get("kfunc"));
  const attaches = progType === PROG_TYPES.tracing || progType === PROG_TYPES.lsm;
  const btf = ownBtf(fields);
  return {
    name,
    prog_type: progType,
    expected_attach_type: attachType,
    insns: encode(insns),
    flags: progFlags(intOf(fields.get("flags"))),
    maps,
    fixups,
    ...(kfuncs.length === 0 ? {} : { kfuncs }),
    ...(btf === undefined ? {} : { btf }),
    ...(records.length === 0 ? {} : { func_info: words(records), func_info_rec_size: 8 }),
    ...(target !== "" && attaches ? { attach_btf: attachTarget(target, progType, attachType) } : {}),
  };
}

/** Turns one test of a file into a question. */
export function toSelftest(
  file: string,
  items: readonly CItem[],
  fillNames: ReadonlyMap<bigint, string>,
  harnessBtf: string,
): Selftest {
  const fields = new Map<string, CValue>();
  for (const { path, value } of items) {
    const field = path[0];
    if (field === undefined) fields.set("descr", value);
    else if (typeof field === "string") fields.set(field, value);
  }
  const name = textOf(fields.get("descr"));
  const expected = intOf(fields.get("result")) === 2 ? "reject" : "accept";
  const helper = fields.get("fill_helper");
  const fill = helper?.kind === "int" ? (fillNames.get(helper.value) ?? "") : "";
  try {
    return { file, name, question: toQuestion(name, fields, fill, harnessBtf), skipReason: "", expected };
  } catch (thrown) {
    if (!(thrown instanceof InputError)) throw thrown;
    return { file, name, question: undefined, skipReason: thrown.message, expected };
  }
}
