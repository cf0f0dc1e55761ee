import { decodeInsns, type Insn, SLOT_BYTES } from "@tsbpf/isa";
import { elfError } from "../elf/errors.ts";
import type { ElfSection } from "../elf/sections.ts";
import type { ElfSymbol } from "../elf/symbols.ts";
import type { ObjectParts } from "../object/parts.ts";

/** A function of an object: the slots that one symbol covers. */
export interface CodeFunction {
  readonly name: string;
  readonly section: CodeSection;
  /** First slot within the section. */
  readonly slot: number;
  readonly slotCount: number;
  readonly binding: ElfSymbol["binding"];
  /** Whether a global function is visible in its object only, and so verified as a static one (L-21). */
  readonly isHidden: boolean;
  /** Whether it is loaded as a program of its own. */
  readonly isEntry: boolean;
}

/** A section with code. */
export interface CodeSection {
  readonly section: ElfSection;
  readonly insns: readonly Insn[];
  /** Functions by first slot. */
  readonly functions: ReadonlyMap<number, CodeFunction>;
}

/** All code of an object. */
export interface ObjectCode {
  /** By section index. */
  readonly sections: ReadonlyMap<number, CodeSection>;
  /** Entry functions, by section and then in the order of the symbol table. */
  readonly entries: readonly CodeFunction[];
}

/** Hand-written assembly may lack function types: then its global labels name functions. */
const isGlobalLabel = ({ type, binding }: ElfSymbol): boolean => type === "notype" && binding !== "local";

interface Extent {
  readonly symbol: ElfSymbol;
  readonly end: number;
}

function checkExtent({ symbol, end }: Extent, section: ElfSection): void {
  const place = { section: section.name, offset: symbol.value };
  if (end > section.sizeBytes || symbol.value > section.sizeBytes) {
    const text = `function ${symbol.name} of ${end - symbol.value} bytes ends past its section of ${section.sizeBytes}`;
    throw elfError("ELF_FUNC", text, place);
  }
  if (symbol.value % SLOT_BYTES !== 0 || end % SLOT_BYTES !== 0 || end === symbol.value) {
    const text = `function ${symbol.name} of ${end - symbol.value} bytes, whole ${SLOT_BYTES}-byte slots needed`;
    throw elfError("ELF_FUNC", text, place);
  }
}

/** Lists the functions of a section with their ends, in the order of the symbol table. */
function extentsOf(section: ElfSection, all: readonly ElfSymbol[], warnings: string[]): Extent[] {
  let symbols = all.filter(({ type }) => type === "func");
  if (symbols.length === 0) {
    symbols = all.filter(isGlobalLabel);
    if (symbols.length > 0) warnings.push(`section ${section.name} has labels instead of functions`);
  }
  const nextStarts = nextStartsOf(symbols);
  return symbols.map((symbol) => {
    if (symbol.sizeBytes !== 0) return { symbol, end: symbol.value + symbol.sizeBytes };
    warnings.push(`function ${symbol.name} states no size, it ends where the next one starts`);
    return { symbol, end: nextStarts.get(symbol.value) ?? section.sizeBytes };
  });
}

/** Returns for each start the next larger one. */
function nextStartsOf(symbols: readonly ElfSymbol[]): Map<number, number> {
  const starts = [...new Set(symbols.map(({ value }) => value))].sort((a, b) => a - b);
  return new Map(starts.slice(1).map((next, i) => [starts[i] ?? 0, next]));
}

/** Groups symbols by the section that defines them. */
function symbolsBySection(symbols: readonly ElfSymbol[]): ReadonlyMap<number, readonly ElfSymbol[]> {
  const groups = new Map<number, ElfSymbol[]>();
  for (const symbol of symbols) {
    if (symbol.section === undefined) continue;
    const group = groups.get(symbol.section);
    if (group === undefined) groups.set(symbol.section, [symbol]);
    else group.push(symbol);
  }
  return groups;
}

/** Refuses functions that share slots; names for the very same slots are fine. */
function checkOverlap(extents: readonly Extent[], section: ElfSection): void {
  const sorted = [...extents].sort((a, b) => a.symbol.value - b.symbol.value || a.end - b.end);
  let last: Extent | undefined;
  for (const extent of sorted) {
    const isAlias =
      last !== undefined && last.symbol.value === extent.symbol.value && last.end === extent.end;
    if (last !== undefined && !isAlias && extent.symbol.value < last.end) {
      const text = `functions ${last.symbol.name} and ${extent.symbol.name} overlap`;
      throw elfError("ELF_FUNC", text, { section: section.name, offset: extent.symbol.value });
    }
    last = extent;
  }
}

function readCodeSection(
  parts: ObjectParts,
  section: ElfSection,
  symbols: readonly ElfSymbol[],
  isEntry: (symbol: ElfSymbol) => boolean,
): { readonly code: CodeSection; readonly entries: CodeFunction[] } {
  if (section.sizeBytes % SLOT_BYTES !== 0) {
    const text = `code of ${section.sizeBytes} bytes, whole ${SLOT_BYTES}-byte slots needed`;
    throw elfError("ELF_CODE_SIZE", text, { section: section.name });
  }
  const extents = extentsOf(section, symbols, parts.warnings);
  for (const extent of extents) checkExtent(extent, section);
  checkOverlap(extents, section);
  const functions = new Map<number, CodeFunction>();
  const code = { section, insns: decodeInsns(section.bytes, parts.elf.endian), functions };
  const entries: CodeFunction[] = [];
  for (const { symbol, end } of extents) {
    const slot = symbol.value / SLOT_BYTES;
    const { visibility } = symbol;
    const func: CodeFunction = {
      name: symbol.name,
      section: code,
      slot,
      slotCount: end / SLOT_BYTES - slot,
      binding: symbol.binding,
      isHidden: symbol.binding !== "local" && (visibility === "hidden" || visibility === "internal"),
      isEntry: isEntry(symbol),
    };
    if (func.isEntry) entries.push(func);
    // Of several names for the same slots the first one stands for calls.
    if (!functions.has(slot)) functions.set(slot, func);
  }
  return { code, entries };
}

/**
 * Finds the functions of an object and tells programs from subprograms.
 *
 * Functions of `.text` are subprograms; every global function of another section is a program (L-20), its static
 * ones are subprograms too. An object with code in `.text` alone, as other toolchains make, has its global
 * functions there as programs.
 *
 * @throws ELF_CODE_SIZE ELF_FUNC
 */
export function readCode(parts: ObjectParts): ObjectCode {
  const onlyText = parts.code.length === 1 && parts.text !== undefined;
  const symbols = symbolsBySection(parts.elf.symbols);
  const sections = new Map<number, CodeSection>();
  const entries: CodeFunction[] = [];
  for (const section of parts.code) {
    const isProgramSection = section !== parts.text || onlyText;
    const isEntry = (symbol: ElfSymbol) => isProgramSection && symbol.binding !== "local";
    const read = readCodeSection(parts, section, symbols.get(section.index) ?? [], isEntry);
    sections.set(section.index, read.code);
    entries.push(...read.entries);
  }
  return { sections, entries };
}

/** Names of the subprograms that are visible in their object only. */
export function hiddenSubprogs(code: ObjectCode): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { functions } of code.sections.values()) {
    for (const func of functions.values()) if (func.isHidden && !func.isEntry) names.add(func.name);
  }
  return names;
}
