/** Operand width of arithmetic and compares, in bits. */
export type Width = 32 | 64;
/** Where the second operand comes from: the immediate or a register. */
export type Source = "k" | "x";
/** Bytes that a load or store touches. */
export type SizeBytes = 1 | 2 | 4 | 8;

export const ALU_OPS = [
  "add",
  "sub",
  "mul",
  "div",
  "sdiv",
  "or",
  "and",
  "lsh",
  "rsh",
  "neg",
  "mod",
  "smod",
  "xor",
  "mov",
  "movsx8",
  "movsx16",
  "movsx32",
  "arsh",
] as const;
export type AluOp = (typeof ALU_OPS)[number];

export const JMP_OPS = [
  "jeq",
  "jgt",
  "jge",
  "jset",
  "jne",
  "jsgt",
  "jsge",
  "jlt",
  "jle",
  "jslt",
  "jsle",
] as const;
export type JmpOp = (typeof JMP_OPS)[number];

export const ATOMIC_OPS = [
  "add",
  "or",
  "and",
  "xor",
  "fetch_add",
  "fetch_or",
  "fetch_and",
  "fetch_xor",
  "xchg",
  "cmpxchg",
  "load_acquire",
  "store_release",
] as const;
export type AtomicOp = (typeof ATOMIC_OPS)[number];

/** What the two immediates of a wide load name. */
export const WIDE_KINDS = [
  "imm",
  "map_fd",
  "map_value",
  "btf_id",
  "func",
  "map_idx",
  "map_idx_value",
] as const;
export type WideKind = (typeof WIDE_KINDS)[number];

/** What the call instruction calls. */
export const CALL_KINDS = ["helper", "subprog", "kfunc", "indirect"] as const;
export type CallKind = (typeof CALL_KINDS)[number];

/**
 * Conformance groups; those after `packet` are later than RFC 9669 and have no official label.
 *
 * @source RFC 9669 §2.4
 */
export const CONFORMANCE_GROUPS = [
  "base32",
  "base64",
  "divmul32",
  "divmul64",
  "atomic32",
  "atomic64",
  "packet",
  "acqrel",
  "may_goto",
  "addr_space_cast",
  "gotox",
  "callx",
] as const;
export type ConformanceGroup = (typeof CONFORMANCE_GROUPS)[number];

/**
 * A register that an instruction reads or writes: the one a field names, or an implicit one.
 *
 * `imm` stands for the register whose number lies in the immediate.
 */
export type Role = "dst" | "src" | "imm" | "r0" | "r6" | "args" | "scratch";

/**
 * What a field may hold: a register, zero only, anything, or one of a list.
 *
 * `jump` and `call` are slot distances; they may be anything here, where they lead is the verifier's question.
 */
export type FieldRule = "reg" | "zero" | "any" | "jump" | "call" | readonly number[];

/** What an instruction does, with what its execution needs to know. */
export type Action =
  | { readonly kind: "alu"; readonly aluOp: AluOp; readonly width: Width; readonly source: Source }
  | { readonly kind: "end"; readonly order: "le" | "be" | "swap"; readonly bits: 16 | 32 | 64 }
  | { readonly kind: "addr_cast" }
  | { readonly kind: "load"; readonly size: SizeBytes; readonly isSigned: boolean }
  | { readonly kind: "store"; readonly size: SizeBytes; readonly source: Source }
  | { readonly kind: "atomic"; readonly atomicOp: AtomicOp; readonly size: SizeBytes }
  | { readonly kind: "wide"; readonly wideKind: WideKind }
  | { readonly kind: "packet"; readonly size: SizeBytes; readonly mode: "abs" | "ind" }
  | { readonly kind: "ja"; readonly distance: "off" | "imm" }
  | { readonly kind: "branch"; readonly jmpOp: JmpOp; readonly width: Width; readonly source: Source }
  | { readonly kind: "may_goto" }
  | { readonly kind: "gotox" }
  | { readonly kind: "call"; readonly callKind: CallKind; readonly registerField?: "dst" | "imm" }
  | { readonly kind: "exit" };

export type ActionKind = Action["kind"];

/** One instruction of the set: everything tsbpf knows about it follows from its row. */
export interface InsnRow {
  /** Unique name, e.g. `add64.k`, `atomic32.fetch_add`, `wide.map_fd`. */
  readonly id: string;
  readonly op: number;
  readonly action: Action;
  readonly dst: FieldRule;
  readonly src: FieldRule;
  readonly off: FieldRule;
  readonly imm: FieldRule;
  /** Registers read; `args` stands for r1..r5 as the callee's prototype says. */
  readonly uses: readonly Role[];
  /** Registers written; `scratch` stands for r1..r5, which hold nothing afterwards. */
  readonly defs: readonly Role[];
  readonly group: ConformanceGroup;
  /** Lowest `-mcpu` version whose compilers emit it; 0 when none does. */
  readonly cpu: 0 | 1 | 2 | 3 | 4;
  /** First Linux release that accepts it; `null` when none does. */
  readonly since: string | null;
  readonly source: string;
}
