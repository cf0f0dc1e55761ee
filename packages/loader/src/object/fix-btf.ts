import {
  type Btf,
  type BtfDatasec,
  type BtfSectionVar,
  type BtfTypeInput,
  parseBtf,
  rewriteBtf,
} from "@tsbpf/btf";
import { LOADER_LIMITS } from "../elf/constants.ts";
import type { ElfFile } from "../elf/elf.ts";
import { elfError } from "../elf/errors.ts";
import type { ElfSection } from "../elf/sections.ts";
import type { ElfSymbol } from "../elf/symbols.ts";
import type { KconfigLayout } from "./externs.ts";

/*
 * Computes: the object's types with what compilers leave to the loader: sizes of sections, offsets of variables
 *   (L-155), and static linkage for symbols that are visible in their object only (C-224).
 * Assumes: symbol values that were checked against their sections.
 * Guarantees: ids, names and string offsets stay; an object that needs nothing keeps its bytes.
 * Cost: one encoding and parsing of the table.
 */

const isHidden = ({ visibility }: ElfSymbol): boolean => visibility === "hidden" || visibility === "internal";

/** Global symbols that an object defines, by name. */
function definedGlobals(elf: ElfFile): ReadonlyMap<string, ElfSymbol> {
  const globals = new Map<string, ElfSymbol>();
  for (const symbol of elf.symbols) {
    if (symbol.binding === "local" || symbol.section === undefined || globals.has(symbol.name)) continue;
    globals.set(symbol.name, symbol);
  }
  return globals;
}

function fixSectionVars(
  btf: Btf,
  section: BtfDatasec,
  inFile: ElfSection,
  globals: ReadonlyMap<string, ElfSymbol>,
): BtfSectionVar[] {
  const vars = section.vars.map((entry) => {
    const variable = btf.type(entry.type);
    // Static variables have no symbol of their own; compilers store their offsets.
    if (variable.kind !== "var" || variable.linkage === "static") return entry;
    const symbol = globals.get(variable.name);
    if (symbol === undefined || symbol.section !== inFile.index) return entry;
    if (symbol.value > inFile.sizeBytes) {
      const text = `variable ${symbol.name} lies past the end of its section of ${inFile.sizeBytes} bytes`;
      throw elfError("ELF_SYMBOL", text, { section: inFile.name, offset: symbol.value });
    }
    return { ...entry, offset: symbol.value };
  });
  return vars.sort((a, b) => a.offset - b.offset);
}

function fixDatasec(
  btf: Btf,
  section: BtfDatasec,
  elf: ElfFile,
  globals: ReadonlyMap<string, ElfSymbol>,
): BtfDatasec {
  const inFile = elf.sectionNamed(section.name);
  if (inFile === undefined || inFile.sizeBytes > LOADER_LIMITS.sectionBytesLast) return section;
  return {
    ...section,
    sizeBytes: section.sizeBytes === 0 ? inFile.sizeBytes : section.sizeBytes,
    vars: fixSectionVars(btf, section, inFile, globals),
  };
}

function kconfigDatasec(section: BtfDatasec, layout: KconfigLayout): BtfDatasec {
  const vars = section.vars.map((entry) => ({
    ...entry,
    offset: layout.offsets.get(entry.type) ?? entry.offset,
  }));
  return { ...section, sizeBytes: layout.sizeBytes, vars: vars.sort((a, b) => a.offset - b.offset) };
}

interface Fix {
  readonly btf: Btf;
  readonly elf: ElfFile;
  readonly globals: ReadonlyMap<string, ElfSymbol>;
  readonly layout: KconfigLayout | undefined;
  readonly hiddenSubprogs: ReadonlySet<string>;
}

function fixType(fix: Fix, type: BtfTypeInput & { readonly id: number }): BtfTypeInput {
  const { btf, elf, globals, layout } = fix;
  switch (type.kind) {
    case "datasec":
      if (type.name === ".kconfig") return layout === undefined ? type : kconfigDatasec(type, layout);
      return fixDatasec(btf, type, elf, globals);
    case "var": {
      if (layout?.offsets.has(type.id)) return { ...type, linkage: "global" };
      const symbol = globals.get(type.name);
      const isLocal = type.linkage === "global" && symbol !== undefined && isHidden(symbol);
      return isLocal ? { ...type, linkage: "static" } : type;
    }
    case "func":
      return type.linkage === "global" && fix.hiddenSubprogs.has(type.name)
        ? { ...type, linkage: "static" }
        : type;
    default:
      return type;
  }
}

const isSame = (a: BtfTypeInput, b: BtfTypeInput): boolean =>
  a === b || (a.kind === "datasec" && b.kind === "datasec" && JSON.stringify(a) === JSON.stringify(b));

/** Completes an object's types from its symbols. */
export function fixBtf(
  btf: Btf,
  elf: ElfFile,
  layout: KconfigLayout | undefined,
  hiddenSubprogs: ReadonlySet<string>,
): Btf {
  const globals = definedGlobals(elf);
  const fix = { btf, elf, globals, layout, hiddenSubprogs };
  let changed = false;
  const types: BtfTypeInput[] = [];
  for (const type of btf.types()) {
    const fixed = fixType(fix, type);
    changed ||= !isSame(fixed, type);
    types.push(fixed);
  }
  return changed ? parseBtf(rewriteBtf(btf, types)) : btf;
}
