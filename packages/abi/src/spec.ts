import type { Insn } from "@tsbpf/isa";
import type { MapTypeName } from "./map-types.ts";
import type { ProgTypeName } from "./prog-types.ts";

/** A map as a program or object asks for it; inert. */
export interface MapSpec {
  readonly name: string;
  readonly type: MapTypeName;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  /** `map_flags` bits. */
  readonly flags: number;
  readonly mapExtra?: bigint;
  /** Memory node that the map asks for; only with the flag `numaNode`. */
  readonly numaNode?: number;
  /** Initial elements; an array map's entry 0 holds the bytes of `.data` and the like. */
  readonly contents?: readonly MapEntry[];
  /** Whether user space may not write after the contents are in. */
  readonly isFrozen?: boolean;
  /** Template of the inner maps of a map-in-map. */
  readonly inner?: MapSpec;
  readonly btfKeyTypeId?: number;
  readonly btfValueTypeId?: number;
  /** Fields of the value that BTF marks as special, in order of offset; plain copies leave them out. */
  readonly valueFields?: readonly ValueField[];
  readonly pinning?: "by_name";
  /** Name of the ELF section for maps that hold global data. */
  readonly dataSection?: string;
}

/** Kinds of special fields in map values, by the name of their type or tag. */
export type ValueFieldKind =
  | "bpf_spin_lock"
  | "bpf_res_spin_lock"
  | "bpf_timer"
  | "bpf_wq"
  | "bpf_task_work"
  | "kptr_unref"
  | "kptr_ref"
  | "kptr_percpu"
  | "uptr"
  | "bpf_list_head"
  | "bpf_list_node"
  | "bpf_rb_root"
  | "bpf_rb_node"
  | "bpf_refcount";

/** A field of a map value that only particular helpers may touch. */
export interface ValueField {
  readonly kind: ValueFieldKind;
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface MapEntry {
  readonly key: Uint8Array;
  /** Bytes, or the name of a map or program that the slot refers to. */
  readonly value: Uint8Array | { readonly map: string } | { readonly prog: string };
}

/** A wide load that names a map: the k-th of the program's `maps`. */
export interface MapRef {
  readonly slot: number;
  readonly mapIdx: number;
}

/** A call of a kernel function by name, or a wide load of a kernel symbol. */
export interface KernelRef {
  readonly slot: number;
  readonly name: string;
  readonly kind: "kfunc" | "ksym" | "typed_ksym";
  readonly isWeak: boolean;
}

/** A function of a program; the first starts at slot 0 and is the entry. */
export interface FuncSpec {
  readonly name: string;
  readonly slot: number;
  readonly linkage: "static" | "global" | "extern";
  /** FUNC id in the program's BTF, 0 without BTF. */
  readonly btfTypeId: number;
}

/** One record of BTF line info. */
export interface LineSpec {
  readonly slot: number;
  readonly fileName: string;
  readonly text: string;
  /** 1-based; column 0 when unknown. */
  readonly line: number;
  readonly column: number;
}

/** BTF records as bpf(2) takes them: little endian, one behind the other. */
export interface RawRecords {
  readonly bytes: Uint8Array;
  /** Bytes of each record, as the loader says; it need not be a size that Linux takes. */
  readonly recordBytes: number;
}

/** A program as the kernel would get it: one array of slots that holds the entry and all functions it needs; inert. */
export interface ProgSpec {
  readonly name: string;
  readonly type: ProgTypeName;
  /** `expected_attach_type`, 0 when none. */
  readonly attachType: number;
  /** `prog_flags` bits. */
  readonly flags: number;
  readonly license: string;
  readonly insns: readonly Insn[];
  /** Maps that the code refers to, in order of `MapRef.mapIdx`. */
  readonly maps: readonly MapSpec[];
  readonly mapRefs: readonly MapRef[];
  readonly kernelRefs: readonly KernelRef[];
  /** Empty when the program has no BTF function info. */
  readonly funcs: readonly FuncSpec[];
  readonly lines: readonly LineSpec[];
  /** Names of functions that no record of BTF gives, by slot: what an assembly text calls them. For people alone. */
  readonly labels?: ReadonlyMap<number, string>;
  /** The function records themselves, where what may be wrong with them is to be judged; `funcs` says the same. */
  readonly funcInfo?: RawRecords;
  /** The line records themselves; `lines` says the same. */
  readonly lineInfo?: RawRecords;
  /** Raw `.BTF` bytes, little endian or as the object had them. */
  readonly btf?: Uint8Array;
  /** Name after the slash of the section, e.g. a traced function. */
  readonly attachTarget?: string;
  readonly section?: string;
  /** False for sections that start with `?`. */
  readonly autoload: boolean;
  /** Why this program alone cannot run, e.g. a strong extern without value; whoever loads it throws an InputError. */
  readonly defect?: { readonly code: string; readonly text: string };
}

/** A program of instructions alone: XDP, GPL, without maps or records, unless `fields` say otherwise. */
export const makeProgSpec = (
  insns: readonly Insn[],
  fields: Partial<Omit<ProgSpec, "insns">> = {},
): ProgSpec => ({
  name: "prog",
  type: "xdp",
  attachType: 0,
  flags: 0,
  license: "GPL",
  insns,
  maps: [],
  mapRefs: [],
  kernelRefs: [],
  funcs: [],
  lines: [],
  autoload: true,
  ...fields,
});

/** All that an object file holds; inert, deterministic, copyable. */
export interface ObjectSpec {
  readonly name: string;
  readonly license: string;
  readonly progs: readonly ProgSpec[];
  readonly maps: readonly MapSpec[];
  readonly btf?: Uint8Array;
  /** Things that were found and not used, for people. */
  readonly warnings: readonly string[];
}
