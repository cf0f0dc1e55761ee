import type { HelperPlugin } from "@tsbpf/plugin";

/**
 * What a call site calls, decided once when the program is linked. Engines, the call graph, the disassembler and the
 * debugger's back-trace all read this.
 */
export type Target =
  | { readonly kind: "helper"; readonly helper: HelperPlugin }
  /** Helper 12: replaces the frame when it succeeds. */
  | { readonly kind: "tail_call"; readonly helper: HelperPlugin }
  /** A bpf-to-bpf pseudo call. */
  | { readonly kind: "subprog"; readonly slot: number; readonly funcIdx: number }
  | { readonly kind: "kfunc"; readonly helper: HelperPlugin }
  /** `bpf_throw`: drops all frames; the exception callback, or else the cookie, gives the result. */
  | { readonly kind: "throw"; readonly callbackSlot: number | undefined }
  /** A call through a register that holds a function pointer, or the id of a helper. */
  | { readonly kind: "indirect"; readonly reg: number }
  /** A helper or kfunc that has a prototype but no implementation here; calling it traps by name. */
  | { readonly kind: "missing"; readonly name: string };

export type TargetKind = Target["kind"];

/** High 32 bits of a function pointer; no memory address has them, so using one as memory traps. */
export const FUNC_POINTER_HI = 0x0b9f_0000;

/** Makes the low half of a function pointer: the slot where the function starts. */
export const funcPointerLo = (slot: number): number => slot;

/** Says whether a register value is a function pointer. */
export const isFuncPointer = (hi: number): boolean => hi === FUNC_POINTER_HI;
