import {
  type FuncSpec,
  type LineSpec,
  type MapSpec,
  type MapTypeName,
  mapTypeName,
  PROG_TYPES,
  type ProgSpec,
  type ProgTypeName,
  progTypeName,
  type RawRecords,
} from "@tsbpf/abi";
import { parseHexBytes } from "@tsbpf/base";
import { type Btf, parseBtf } from "@tsbpf/btf";
import { decodeInsns } from "@tsbpf/isa";
import type { KernelCase, KernelMap, KernelAnswer as WholeAnswer } from "@tsbpf/kernel";

/** A question to the kernel with a name, and with its answer where that was recorded. */
export interface Case extends KernelCase {
  readonly name: string;
  readonly kernel?: KernelAnswer;
}

/** What the kernel said, as far as verdicts are compared. */
export type KernelAnswer = Pick<WholeAnswer, "loaded" | "errno" | "errline" | "processed_insns" | "log">;

/** A case as the verifier takes it. */
export interface CaseInput {
  readonly spec: ProgSpec;
  readonly mapBtf: readonly (Uint8Array | undefined)[];
  readonly logLevel: number;
  readonly targetProg?: ProgSpec;
}

const progTypeOf = (type: number | string): ProgTypeName => {
  if (typeof type === "string") return type in PROG_TYPES ? (type as ProgTypeName) : "unspec";
  return progTypeName(type) ?? "unspec";
};
const mapTypeOf = (type: number): MapTypeName => mapTypeName(type) ?? "unspec";

function toMap(map: KernelMap): MapSpec {
  const contents = (map.init ?? []).flatMap(([key, value]) =>
    typeof value === "string" ? [{ key: parseHexBytes(key), value: parseHexBytes(value) }] : [],
  );
  return {
    name: map.name ?? "",
    type: mapTypeOf(map.type),
    keyBytes: map.key_size ?? 0,
    valueBytes: map.value_size ?? 0,
    maxEntries: map.max_entries ?? 0,
    flags: map.flags ?? 0,
    contents,
    isFrozen: map.freeze ?? false,
    ...(map.inner === undefined ? {} : { inner: toMap(map.inner) }),
    ...(map.btf_key_type_id === undefined ? {} : { btfKeyTypeId: map.btf_key_type_id }),
    ...(map.btf_value_type_id === undefined ? {} : { btfValueTypeId: map.btf_value_type_id }),
  };
}

function toFuncs(item: KernelCase, btf: Btf | undefined): readonly FuncSpec[] {
  if (item.func_info === undefined || btf === undefined) return [];
  const bytes = parseHexBytes(item.func_info);
  const view = new DataView(bytes.buffer);
  const size = item.func_info_rec_size ?? 8;
  const funcs: FuncSpec[] = [];
  for (let at = 0; size > 0 && at + 8 <= bytes.length; at += size) {
    const slot = view.getUint32(at, true);
    const id = view.getUint32(at + 4, true);
    const type = id < btf.endId ? btf.type(id) : undefined;
    const isFunc = type?.kind === "func";
    funcs.push({
      name: type?.name ?? "",
      slot,
      linkage: isFunc ? type.linkage : "static",
      btfTypeId: id,
    });
  }
  return funcs;
}

function toLines(item: KernelCase, btf: Btf | undefined): readonly LineSpec[] {
  if (item.line_info === undefined || btf === undefined) return [];
  const bytes = parseHexBytes(item.line_info);
  const view = new DataView(bytes.buffer);
  const size = item.line_info_rec_size ?? 16;
  const lines: LineSpec[] = [];
  // Strings that are none are the verifier's to refuse.
  const textAt = (offset: number): string => (offset < btf.stringBytes ? btf.stringAt(offset) : "");
  for (let at = 0; size > 0 && at + 16 <= bytes.length; at += size) {
    const lineCol = view.getUint32(at + 12, true);
    lines.push({
      slot: view.getUint32(at, true),
      fileName: textAt(view.getUint32(at + 4, true)),
      text: textAt(view.getUint32(at + 8, true)),
      line: lineCol >>> 10,
      column: lineCol & 0x3ff,
    });
  }
  return lines;
}

/** The records themselves, so that what is wrong with them is judged. */
const rawRecords = (
  key: "funcInfo" | "lineInfo",
  hex: string | undefined,
  recordBytes: number,
): Partial<Record<"funcInfo" | "lineInfo", RawRecords>> =>
  hex === undefined || hex === "" ? {} : { [key]: { bytes: parseHexBytes(hex), recordBytes } };

/** What a section would say after the slash: the kernel's own name without its prefix. */
const attachTargetOf = (name: string): string => name.replace(/^(bpf_lsm_|bpf_iter_|btf_trace_)/, "");

/** Reads one case; `btfTable` resolves `@KEY` references. */
export function toInput(item: KernelCase, btfTable: Readonly<Record<string, string>> = {}): CaseInput {
  const hexOf = (text: string): string => (text.startsWith("@") ? (btfTable[text.slice(1)] ?? "") : text);
  const btfBytes = item.btf === undefined ? undefined : parseHexBytes(hexOf(item.btf));
  const btf = btfBytes === undefined || btfBytes.length === 0 ? undefined : parseBtf(btfBytes);
  const maps = item.maps ?? [];
  const spec: ProgSpec = {
    name: item.name ?? "",
    type: progTypeOf(item.prog_type),
    attachType: item.expected_attach_type ?? 0,
    flags: item.flags ?? 0,
    license: item.license ?? "GPL",
    insns: decodeInsns(parseHexBytes(item.insns)),
    maps: maps.map(toMap),
    mapRefs: (item.fixups ?? []).map((fixup) => ({ slot: fixup.insn, mapIdx: fixup.map })),
    kernelRefs: [
      ...(item.kfuncs ?? []).map((one) => ({
        slot: one.insn,
        name: one.name,
        kind: "kfunc" as const,
        isWeak: false,
      })),
      ...(item.ksyms ?? []).map((one) => ({
        slot: one.insn,
        name: one.name,
        kind: one.kind === "ksym" ? ("ksym" as const) : ("typed_ksym" as const),
        isWeak: false,
      })),
    ],
    funcs: toFuncs(item, btf),
    lines: toLines(item, btf),
    ...rawRecords("funcInfo", item.func_info, item.func_info_rec_size ?? 8),
    ...rawRecords("lineInfo", item.line_info, item.line_info_rec_size ?? 16),
    ...(btfBytes === undefined ? {} : { btf: btfBytes }),
    ...(item.attach_btf === undefined ? {} : { attachTarget: attachTargetOf(item.attach_btf.name) }),
    ...(item.target === undefined ? {} : { attachTarget: item.target.func }),
    autoload: true,
  };
  return {
    spec,
    mapBtf: maps.map((map) => (map.btf === undefined ? undefined : parseHexBytes(hexOf(map.btf)))),
    logLevel: item.log_level ?? 1,
    ...(item.target === undefined ? {} : { targetProg: toInput(item.target.prog, btfTable).spec }),
  };
}
