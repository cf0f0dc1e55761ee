import type { Insn } from "@tsbpf/isa";
import type { AsmDiagnostic, AsmWarningCode, SourcePlace } from "./text/diagnostic.ts";
import type { AsmComment } from "./text/lines.ts";

/** Names that an assembly text may use and only its user knows. */
export interface AsmSymbols {
  /** Id of a helper by its full name, e.g. `bpf_map_lookup_elem`. */
  readonly helperIdOf?: (name: string) => number | undefined;
  /** BTF id of a kernel function, and the index of its module's BTF when it is no part of the kernel proper. */
  readonly kfuncOf?: (name: string) => { readonly btfId: number; readonly btfFdIdx?: number } | undefined;
  /** Helpers and kernel functions to suggest for misspelt ones. */
  readonly callNames?: Iterable<string>;
  /** The maps there are; any name is taken as a map when omitted. */
  readonly mapNames?: Iterable<string>;
}

export interface AssembleOptions {
  readonly symbols?: AsmSymbols;
  /** Whether `;` starts a comment (the default) or separates statements, as LLVM has it. */
  readonly semicolon?: "comment" | "separator";
  /** Name of the text in error messages. */
  readonly file?: string;
  /** Name of the function at slot 0 when the text gives none. */
  readonly entryName?: string;
  /**
   * Reads the text as bpf_conformance's assembler does: 32-bit immediates wrap, and without a label `exit` jumps to
   * it lead to the first exit instruction.
   */
  readonly conformance?: boolean;
  /** Errors after which reading stops, 100 when omitted. */
  readonly errorsMax?: number;
}

/** A function of the text; it starts at its label and ends where the next one starts. */
export interface AsmFunc {
  readonly name: string;
  readonly slot: number;
  readonly linkage: "global" | "static";
}

/** A wide load that names a map. Its immediates are zero, but for the offset of a map's value. */
export interface AsmMapRef {
  readonly slot: number;
  readonly name: string;
  /** Present when the load yields an address within the map's first value. */
  readonly valueOffset?: number;
}

/** A call of a kernel function, or a wide load of a kernel symbol, by name. */
export interface AsmKernelRef {
  readonly slot: number;
  readonly name: string;
  readonly kind: "kfunc" | "typed_ksym";
}

/** A comment with the instruction it belongs to. */
export interface PlacedComment extends AsmComment {
  /** The first slot of the last instruction on the same line; undefined on a line without one. */
  readonly slot?: number;
  /** The slot of the next instruction after the comment, which may be one past the end. */
  readonly nextSlot: number;
}

/** What an assembly text says; inert. */
export interface AssembledProg {
  readonly insns: readonly Insn[];
  readonly labels: ReadonlyMap<string, number>;
  /** In order of slots; the first starts at slot 0. Empty only when there is no code. */
  readonly funcs: readonly AsmFunc[];
  readonly mapRefs: readonly AsmMapRef[];
  /** Names of the maps in order of first use. */
  readonly mapNames: readonly string[];
  readonly kernelRefs: readonly AsmKernelRef[];
  /** Where each slot was written; both halves of a wide load have the same place. */
  readonly places: readonly SourcePlace[];
  readonly comments: readonly PlacedComment[];
  readonly warnings: readonly AsmDiagnostic<AsmWarningCode>[];
}
