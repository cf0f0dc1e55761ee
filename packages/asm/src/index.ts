export type { AssembleResult } from "./assemble.ts";
export { assemble, tryAssemble } from "./assemble.ts";
export type { DisassembleOptions } from "./print/disassemble.ts";
export { disassemble, insnSlots } from "./print/disassemble.ts";
export type { GraphOptions } from "./print/graph.ts";
export { printGraph } from "./print/graph.ts";
export type { KernelPrintOptions } from "./print/kernel.ts";
export { printKernelInsn } from "./print/kernel.ts";
export type { ListingEntry, ListingOpcodes, ListingOptions, ListingSource } from "./print/listing.ts";
export { listProg, printListing } from "./print/listing.ts";
export type { PrintOptions, Syntax } from "./print/print.ts";
export { printInsn } from "./print/print.ts";
export type { PrintSymbols } from "./print/symbols.ts";
export type {
  AsmFunc,
  AsmKernelRef,
  AsmMapRef,
  AsmSymbols,
  AssembledProg,
  AssembleOptions,
  PlacedComment,
} from "./program.ts";
export type { AsmDiagnostic, AsmErrorCode, AsmWarningCode, SourcePlace } from "./text/diagnostic.ts";
export { ASM_ERROR_CODES, ASM_WARNING_CODES, AsmError, formatDiagnostic } from "./text/diagnostic.ts";
export type { AsmComment } from "./text/lines.ts";
