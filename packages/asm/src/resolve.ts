import { invariant } from "@tsbpf/base";
import { type Insn, insnOfRow, rowOfId } from "@tsbpf/isa";
import type { Draft, OpenRef } from "./draft.ts";
import type { Ref } from "./parse/insn.ts";
import { DISTANCE32, OFF16 } from "./parse/operands.ts";
import type { AsmFunc, AsmKernelRef, AsmMapRef, AsmSymbols, AssembleOptions } from "./program.ts";
import { clip } from "./text/diagnostic.ts";
import { didYouMean, eachOf } from "./text/suggest.ts";

/** What the references of a text come to. */
export interface Resolved {
  readonly mapRefs: readonly AsmMapRef[];
  readonly kernelRefs: readonly AsmKernelRef[];
  /** Slots that calls and function references by name lead to. */
  readonly funcSlots: ReadonlyMap<number, string>;
}

const GOTOL_OP = rowOfId("gotol")?.op;
const EXIT_OP = rowOfId("exit")?.op;

interface Resolver {
  readonly draft: Draft;
  readonly symbols: AsmSymbols;
  readonly mapNames: ReadonlySet<string> | undefined;
  /** Where jumps to `exit` lead without such a label. */
  readonly exitSlot: number | undefined;
  readonly mapRefs: AsmMapRef[];
  readonly kernelRefs: AsmKernelRef[];
  readonly funcSlots: Map<number, string>;
}

type RefOf<Kind extends Ref["kind"]> = Extract<Ref, { kind: Kind }>;

function replace(resolver: Resolver, slot: number, rowId: string, fields: Partial<Insn>): void {
  const row = rowOfId(rowId);
  const old = resolver.draft.insns[slot];
  invariant(row !== undefined && old !== undefined, `slot ${slot} holds a reference`);
  resolver.draft.insns[slot] = insnOfRow(row, { dst: old.dst, ...fields });
}

/** Finds the slot of a label; numeric labels look back (`1b`) or ahead (`1f`) from the reference. */
function slotOfLabel({ draft, exitSlot }: Resolver, name: string, from: number): number | undefined {
  const local = /^(\d+)([bf])$/.exec(name);
  if (local === null) return draft.labels.get(name)?.slot ?? (name === "exit" ? exitSlot : undefined);
  const slots = draft.numbered.get(local[1] ?? "") ?? [];
  // Slots ascend, so a binary search keeps long texts linear.
  let low = 0;
  let high = slots.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((slots[middle] ?? 0) <= from) low = middle + 1;
    else high = middle;
  }
  return local[2] === "b" ? slots[low - 1] : slots[low];
}

function resolveLabel(resolver: Resolver, { slot, source }: OpenRef, ref: RefOf<"label">): void {
  const { draft } = resolver;
  const target = slotOfLabel(resolver, ref.name, slot);
  if (target === undefined) {
    draft.error(
      "ASM_LABEL_UNKNOWN",
      `there is no label ${clip(ref.name)}`,
      ref.token,
      source,
      didYouMean(ref.name, draft.labels.keys()),
    );
    return;
  }
  const distance = target - slot - 1;
  const range = ref.field === "off" ? OFF16 : DISTANCE32;
  if (distance < range.min || distance > range.max) {
    const text = `label ${clip(ref.name)} is ${distance} slots away, ${range.min}..${range.max} fit a jump`;
    draft.error("ASM_JUMP_RANGE", text, ref.token, source, "jump there with gotol");
    return;
  }
  const insn = draft.insns[slot];
  invariant(insn !== undefined, `slot ${slot} holds a reference`);
  draft.insns[slot] = { ...insn, [ref.field]: distance };
  const isFunc = ref.field === "imm" && insn.op !== GOTOL_OP;
  if (isFunc && draft.labels.has(ref.name)) resolver.funcSlots.set(target, ref.name);
}

/** Turns a call into one of a kernel function. */
function useKfunc(resolver: Resolver, slot: number, name: string): boolean {
  const found = resolver.symbols.kfuncOf?.(name);
  if (found === undefined) return false;
  replace(resolver, slot, "call.kfunc", { imm: found.btfId, off: found.btfFdIdx ?? 0 });
  resolver.kernelRefs.push({ slot, name, kind: "kfunc" });
  return true;
}

function failCall(resolver: Resolver, { source }: OpenRef, ref: Ref, what: string): void {
  const { draft, symbols } = resolver;
  const known = eachOf(symbols.callNames ?? [], draft.labels.keys());
  const suggestion = didYouMean(ref.name, known);
  draft.error("ASM_CALL_UNKNOWN", `there is no ${what} ${clip(ref.name)}`, ref.token, source, suggestion);
}

function resolveCallee(resolver: Resolver, open: OpenRef, ref: RefOf<"callee">): void {
  const { draft, symbols } = resolver;
  const { slot, source } = open;
  if (ref.id === undefined && draft.labels.has(ref.name)) {
    replace(resolver, slot, "call.subprog", {});
    resolveLabel(resolver, open, { kind: "label", field: "imm", name: ref.name, token: ref.token });
    return;
  }
  const helperId = symbols.helperIdOf?.(ref.name);
  if (helperId !== undefined) {
    if (ref.id === undefined || ref.id === helperId) {
      replace(resolver, slot, "call.helper", { imm: helperId });
      return;
    }
    const text = `helper ${clip(ref.name)} has the id ${helperId}, the text says ${ref.id}`;
    draft.error("ASM_HELPER_ID", text, ref.token, source, `write call ${clip(ref.name)}`);
    return;
  }
  if (useKfunc(resolver, slot, ref.name)) return;
  // A number beside the name is enough when nobody can tell names.
  if (ref.id !== undefined && symbols.helperIdOf === undefined) return;
  failCall(resolver, open, ref, "function, helper or kernel function named");
}

function resolveHelper(resolver: Resolver, open: OpenRef, ref: RefOf<"helper">): void {
  const id = resolver.symbols.helperIdOf?.(ref.name);
  if (id === undefined) failCall(resolver, open, ref, "helper named");
  else replace(resolver, open.slot, "call.helper", { imm: id });
}

/** A kernel function that is called as such may stay without an id: who loads the program finds it by name. */
function resolveKfunc(resolver: Resolver, open: OpenRef, ref: RefOf<"kfunc">): void {
  if (useKfunc(resolver, open.slot, ref.name)) return;
  if (resolver.symbols.kfuncOf !== undefined) {
    failCall(resolver, open, ref, "kernel function named");
    return;
  }
  resolver.kernelRefs.push({ slot: open.slot, name: ref.name, kind: "kfunc" });
}

function resolveMap(resolver: Resolver, { slot, source }: OpenRef, ref: RefOf<"map" | "symbol">): void {
  const { draft, mapNames } = resolver;
  if (mapNames !== undefined && !mapNames.has(ref.name)) {
    const what = ref.kind === "map" ? "map" : "function or map";
    const known = ref.kind === "map" ? mapNames : eachOf(mapNames, draft.labels.keys());
    const suggestion = didYouMean(ref.name, known);
    draft.error(
      "ASM_SYMBOL_UNKNOWN",
      `there is no ${what} named ${clip(ref.name)}`,
      ref.token,
      source,
      suggestion,
    );
    return;
  }
  const valueOffset = ref.kind === "map" ? ref.valueOffset : undefined;
  const mapRef = { slot, name: ref.name };
  resolver.mapRefs.push(valueOffset === undefined ? mapRef : { ...mapRef, valueOffset });
}

function resolveSymbol(resolver: Resolver, open: OpenRef, ref: RefOf<"symbol">): void {
  if (!resolver.draft.labels.has(ref.name)) {
    resolveMap(resolver, open, ref);
    return;
  }
  replace(resolver, open.slot, "wide.func", {});
  resolveLabel(resolver, open, { kind: "label", field: "imm", name: ref.name, token: ref.token });
}

function resolveRef(resolver: Resolver, open: OpenRef): void {
  const { ref } = open;
  switch (ref.kind) {
    case "label":
      resolveLabel(resolver, open, ref);
      break;
    case "callee":
      resolveCallee(resolver, open, ref);
      break;
    case "helper":
      resolveHelper(resolver, open, ref);
      break;
    case "kfunc":
      resolveKfunc(resolver, open, ref);
      break;
    case "map":
      resolveMap(resolver, open, ref);
      break;
    case "symbol":
      resolveSymbol(resolver, open, ref);
      break;
    case "ksym":
      resolver.kernelRefs.push({ slot: open.slot, name: ref.name, kind: "typed_ksym" });
      break;
  }
}

/** Resolves every reference of a draft in place; what cannot be resolved becomes an error of the draft. */
export function resolveRefs(draft: Draft, { symbols = {}, conformance = false }: AssembleOptions): Resolved {
  const mapNames = symbols.mapNames === undefined ? undefined : new Set(symbols.mapNames);
  const firstExit = conformance ? draft.insns.findIndex(({ op }) => op === EXIT_OP) : -1;
  const exitSlot = firstExit < 0 ? undefined : firstExit;
  const resolver: Resolver = {
    draft,
    symbols,
    mapNames,
    exitSlot,
    mapRefs: [],
    kernelRefs: [],
    funcSlots: new Map(),
  };
  for (const open of draft.refs) {
    if (draft.isFull) break;
    resolveRef(resolver, open);
  }
  return resolver;
}

/** Lists the functions of a draft: those that were marked, and those that are called or referred to by name. */
export function listFuncs(
  draft: Draft,
  called: ReadonlyMap<number, string>,
  entryName: string | undefined,
): AsmFunc[] {
  if (draft.insns.length === 0) return [];
  const linkages = new Map<string, "global" | "static" | undefined>();
  const names = new Map<number, string>();
  for (const { name, linkage, token, source } of draft.linkages) {
    const label = draft.labels.get(name);
    if (label === undefined) {
      draft.error(
        "ASM_LABEL_UNKNOWN",
        `there is no label ${clip(name)}`,
        token,
        source,
        didYouMean(name, draft.labels.keys()),
      );
      continue;
    }
    if (linkage !== undefined || !linkages.has(name)) linkages.set(name, linkage);
    if (!names.has(label.slot)) names.set(label.slot, name);
  }
  for (const [slot, name] of called) if (!names.has(slot)) names.set(slot, name);
  if (!names.has(0)) {
    const first = [...draft.labels.values()].find((label) => label.slot === 0);
    names.set(0, entryName ?? first?.name ?? "main");
  }
  return [...names]
    .filter(([slot]) => slot < draft.insns.length)
    .sort(([a], [b]) => a - b)
    .map(([slot, name]) => ({
      name,
      slot,
      linkage: linkages.get(name) ?? (slot === 0 ? "global" : "static"),
    }));
}
