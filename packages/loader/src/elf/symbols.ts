import { ByteReader, StringTable } from "@tsbpf/base";
import {
  ELF,
  LOADER_LIMITS,
  SYMBOL_BINDINGS,
  SYMBOL_TYPES,
  SYMBOL_VISIBILITIES,
  type SymbolBinding,
  type SymbolType,
  type SymbolVisibility,
} from "./constants.ts";
import { elfError, unsupported } from "./errors.ts";
import type { ElfSection, ElfSections } from "./sections.ts";

/** One symbol of an object. */
export interface ElfSymbol {
  readonly index: number;
  /** A section symbol without a name of its own has that of its section. */
  readonly name: string;
  readonly binding: SymbolBinding;
  readonly type: SymbolType;
  readonly visibility: SymbolVisibility;
  /** Section that defines it; undefined for externs and for absolute and common symbols. */
  readonly section: number | undefined;
  /** The stored section index, reserved values included. */
  readonly sectionIndex: number;
  /** Bytes from the section's start. */
  readonly value: number;
  readonly sizeBytes: number;
}

/** Finds the one symbol table. */
export function findSymtab(elf: ElfSections): ElfSection {
  const tables = elf.sections.filter(({ type }) => type === ELF.sectionSymtab);
  const [table] = tables;
  if (table === undefined) {
    throw elfError("ELF_SYMTAB", "no symbol table, a stripped object?", { section: "section headers" });
  }
  if (tables.length > 1) {
    throw elfError("ELF_SYMTAB", `${tables.length} symbol tables, one needed`, {
      section: "section headers",
    });
  }
  return table;
}

function field<T>(values: readonly T[], number: number, what: string, table: ElfSection, offset: number): T {
  const value = values[number];
  if (value !== undefined) return value;
  throw unsupported("ELF_SYMBOL", `symbol ${what} ${number}, 0..${values.length - 1} supported`, {
    section: table.name,
    offset,
  });
}

/** Reads the entries of the symbol table. @source System V ABI, chapter 4 "Symbol Table" */
export function readSymbols(elf: ElfSections, table: ElfSection): ElfSymbol[] {
  if (table.entryBytes !== ELF.symbolBytes || table.sizeBytes % ELF.symbolBytes !== 0) {
    const text = `symbol table of ${table.sizeBytes} bytes with entries of ${table.entryBytes}, ${ELF.symbolBytes} needed`;
    throw elfError("ELF_SYMTAB", text, { section: table.name });
  }
  const strings = elf.sections[table.link];
  if (strings === undefined || strings.type !== ELF.sectionStrtab) {
    throw elfError("ELF_LINK", `section ${table.link} should hold the symbol names`, { section: table.name });
  }
  const names = new StringTable(strings.bytes);
  const reader = new ByteReader(table.bytes, elf.endian, { what: table.name, area: "ELF" });
  const symbols: ElfSymbol[] = [];
  for (let index = 0; index * ELF.symbolBytes < table.sizeBytes; index++) {
    symbols.push(readSymbol(elf, table, reader, names, index));
  }
  return symbols;
}

function readSymbol(
  elf: ElfSections,
  table: ElfSection,
  reader: ByteReader,
  names: StringTable,
  index: number,
): ElfSymbol {
  const at = index * ELF.symbolBytes;
  const info = reader.u8(at + 4);
  const sectionIndex = reader.u16(at + 6);
  if (sectionIndex === ELF.indexExtended) {
    throw unsupported("ELF_SYMBOL", `symbol ${index} has an extended section index`, {
      section: table.name,
      offset: at + 6,
    });
  }
  const isOrdinary = sectionIndex !== ELF.indexUndefined && sectionIndex < ELF.indexReservedFirst;
  if (isOrdinary && sectionIndex >= elf.sections.length) {
    throw elfError(
      "ELF_SYMBOL",
      `symbol ${index} lies in section ${sectionIndex}, the object has ${elf.sections.length}`,
      { section: table.name, offset: at + 6 },
    );
  }
  const type = field(SYMBOL_TYPES, info & 0xf, "type", table, at + 4);
  const ownName = names.at(reader.u32(at), LOADER_LIMITS.nameBytes);
  if (ownName === undefined) {
    const text = `name of symbol ${index} at offset ${reader.u32(at)} of ${names.bytes.length} name bytes`;
    throw elfError("ELF_NAME", text, { section: table.name, offset: at });
  }
  const section = isOrdinary ? sectionIndex : undefined;
  const sectionName = section === undefined ? "" : (elf.sections[section]?.name ?? "");
  return {
    index,
    name: ownName === "" && type === "section" ? sectionName : ownName,
    binding: field(SYMBOL_BINDINGS, info >> 4, "binding", table, at + 4),
    type,
    visibility: SYMBOL_VISIBILITIES[reader.u8(at + 5) & 3] ?? "default",
    section,
    sectionIndex,
    value: reader.size64(at + 8),
    sizeBytes: reader.size64(at + 16),
  };
}
