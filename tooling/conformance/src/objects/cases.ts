import { ATTACH_TYPES, PROG_FLAGS, type ProgSpec } from "@tsbpf/abi";
import { printHexBytes } from "@tsbpf/base";
import { type Btf, parseBtf } from "@tsbpf/btf";
import { type KernelCase, type KernelMap, toKernelCase } from "@tsbpf/kernel";
import { type KconfigValues, loadObject } from "@tsbpf/loader";
import { type Expectation, expectationOf } from "./annotation.ts";
import { fitMap } from "./fit.ts";
import { prepareSpec } from "./harness.ts";
import { loadableBtf } from "./kernel-btf.ts";

/** A program of an object as a question to kernel and verifier. */
export interface ObjectCase {
  readonly name: string;
  readonly question: KernelCase | undefined;
  readonly skipReason: string;
  /** What the program's author says of it, for where the kernel cannot be asked. */
  readonly expectation?: Expectation;
}

const FLAG_TAG = "comment:test_prog_flags=";
const FLAGS: Readonly<Record<string, number>> = {
  BPF_F_STRICT_ALIGNMENT: PROG_FLAGS.strictAlignment,
  BPF_F_ANY_ALIGNMENT: PROG_FLAGS.anyAlignment,
  BPF_F_TEST_STATE_FREQ: PROG_FLAGS.testStateFreq,
  BPF_F_SLEEPABLE: PROG_FLAGS.sleepable,
  BPF_F_XDP_HAS_FRAGS: PROG_FLAGS.xdpHasFrags,
};

/** Flags that annotations of Linux's own tests ask for; a minus takes one away. */
function annotatedFlags(btf: Btf, spec: ProgSpec): number {
  let flags = spec.flags;
  const func = spec.funcs[0]?.btfTypeId;
  if (func === undefined) return flags;
  for (const type of btf.types()) {
    if (type.kind !== "decl_tag" || type.type !== func || !type.name.startsWith(FLAG_TAG)) continue;
    const word = type.name.slice(FLAG_TAG.length);
    const flag = FLAGS[word.replace(/^!/, "")] ?? (Number(word) || 0);
    flags = word.startsWith("!") ? flags & ~flag : flags | flag;
  }
  return flags;
}

/** The kernel's name and kind for what a program attaches to, as libbpf finds it. */
function attachBtf(spec: ProgSpec): KernelCase["attach_btf"] {
  const name = spec.attachTarget;
  if (name === undefined) return undefined;
  if (spec.type === "struct_ops") return { name: name.replace(/\..*/, ""), kind: "struct" };
  if (spec.type === "lsm") return { name: `bpf_lsm_${name}`, kind: "func" };
  if (spec.type !== "tracing") return undefined;
  if (spec.attachType === ATTACH_TYPES.trace_iter) return { name: `bpf_iter_${name}`, kind: "func" };
  if (spec.attachType === ATTACH_TYPES.trace_raw_tp) return { name: `btf_trace_${name}`, kind: "typedef" };
  return { name, kind: "func" };
}

/** Gives maps their types, which locks, timers and kernel pointers need. */
function withTypes(given: KernelMap, spec: ProgSpec["maps"][number], btf: string): KernelMap {
  const { btfValueTypeId, inner } = spec;
  const map =
    given.inner === undefined || inner === undefined
      ? given
      : { ...given, inner: withTypes(given.inner, inner, btf) };
  if (map.btf !== undefined || btfValueTypeId === undefined || btfValueTypeId === 0) return map;
  return { ...map, btf, btf_key_type_id: spec.btfKeyTypeId ?? 0, btf_value_type_id: btfValueTypeId };
}

/** Finds a program that has a function, for extensions to replace. */
export type FindTarget = (func: string) => ProgSpec | undefined;

/** Why an extension cannot be asked about. */
function unknownTarget(spec: ProgSpec, find: FindTarget): string | undefined {
  if (spec.type !== "ext") return undefined;
  if (spec.attachTarget === undefined) return "the section does not say which function is replaced";
  return find(spec.attachTarget) === undefined
    ? `no object has a program with ${spec.attachTarget}`
    : undefined;
}

/** Number that the kernel gives the member that a program becomes. */
function memberIdx(spec: ProgSpec, kernelTypes: Btf | undefined): number | undefined {
  const [struct = "", member = ""] = (spec.attachTarget ?? "").split(".");
  const id = kernelTypes?.idsOf(struct, "struct")[0];
  const type = id === undefined ? undefined : kernelTypes?.type(id);
  const idx = type?.kind === "struct" ? type.members.findIndex(({ name }) => name === member) : -1;
  return idx < 0 ? undefined : idx;
}

/** Function of another program that this one replaces or traces. */
function extendedFunc(spec: ProgSpec, kernelTypes: Btf | undefined): string | undefined {
  if (spec.type === "ext") return spec.attachTarget;
  const isTraced =
    spec.type === "tracing" &&
    (spec.attachType === ATTACH_TYPES.trace_fentry || spec.attachType === ATTACH_TYPES.trace_fexit);
  if (!isTraced || spec.attachTarget === undefined || kernelTypes === undefined) return undefined;
  return kernelTypes.idsOf(spec.attachTarget, "func").length === 0 ? spec.attachTarget : undefined;
}

/** What a symbol of the kernel is: programs ask for the address of a function to learn whether there is one. */
const symbolKind = (name: string, kernelTypes: Btf | undefined): string =>
  (kernelTypes?.idsOf(name, "func").length ?? 0) > 0 ? "func" : "var";

function toQuestion(given: ProgSpec, kernelTypes: Btf | undefined, find: FindTarget): KernelCase {
  const maps = given.maps.map((map) => fitMap(map));
  const spec = { ...given, maps, ...(given.btf === undefined ? {} : { btf: loadableBtf(given.btf) }) };
  const base = toKernelCase(spec);
  const hex = spec.btf === undefined ? "" : printHexBytes(spec.btf);
  // What this kernel lacks and the object can do without stays a load of 0.
  const needed = spec.kernelRefs.filter(({ kind, isWeak }) => kind !== "ksym" || !isWeak);
  const refs = needed.map(({ slot, name, kind }) => ({ insn: slot, name, kind }));
  const kfuncs = refs.filter((ref) => ref.kind === "kfunc");
  const ksyms = refs.filter((ref) => ref.kind !== "kfunc");
  const func = extendedFunc(spec, kernelTypes);
  const found = func === undefined ? undefined : find(func);
  // A program that is named as what it traces is no target: it would be its own.
  const isOther = found !== undefined && extendedFunc(found, kernelTypes) === undefined;
  const extended = isOther ? found : undefined;
  const target = extended === undefined ? attachBtf(spec) : undefined;
  const idx = spec.type === "struct_ops" ? memberIdx(spec, kernelTypes) : undefined;
  return {
    ...base,
    ...(idx === undefined ? {} : { expected_attach_type: idx }),
    flags: spec.btf === undefined ? spec.flags : annotatedFlags(parseBtf(spec.btf), spec),
    maps: (base.maps ?? []).map((map, i) => {
      const own = spec.maps[i];
      return own === undefined || hex === "" ? map : withTypes(map, own, hex);
    }),
    ...(kfuncs.length === 0 ? {} : { kfuncs: kfuncs.map(({ insn, name }) => ({ insn, name })) }),
    ...(ksyms.length === 0
      ? {}
      : { ksyms: ksyms.map((ref) => ({ ...ref, kind: symbolKind(ref.name, kernelTypes) })) }),
    ...(target === undefined ? {} : { attach_btf: target }),
    ...(extended === undefined || func === undefined
      ? {}
      : { target: { prog: toQuestion(extended, kernelTypes, find), func } }),
  };
}

/** Why a member of a struct of functions cannot be asked about. */
const unknownMember = (spec: ProgSpec, kernelTypes: Btf | undefined): string | undefined =>
  spec.type === "struct_ops" && memberIdx(spec, kernelTypes) === undefined
    ? `the kernel has no ${spec.attachTarget ?? "struct"} for the program`
    : undefined;

/**
 * Turns each program of an object into a question; those that cannot be asked say why.
 *
 * @param find - a program for an extension's function; without it extensions are left out.
 * @param kconfig - how the kernel was configured, for objects that ask.
 */
export function objectCases(
  file: string,
  bytes: Uint8Array,
  kernelTypes: Btf | undefined,
  find: FindTarget = () => undefined,
  kconfig: KconfigValues = {},
): readonly ObjectCase[] {
  const types = kernelTypes === undefined ? {} : { targetBtf: kernelTypes };
  return loadObject(bytes, { ...types, kconfig }).progs.map((given) => {
    const spec = prepareSpec(file, given);
    const name = `${file}: ${spec.name}`;
    const expectation = expectationOf(spec);
    const said = expectation === undefined ? {} : { expectation };
    const obstacle = unknownTarget(spec, find) ?? spec.defect?.text ?? unknownMember(spec, kernelTypes);
    if (obstacle !== undefined) return { name, question: undefined, skipReason: obstacle, ...said };
    return { name, question: toQuestion(spec, kernelTypes, find), skipReason: "", ...said };
  });
}
