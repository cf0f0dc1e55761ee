import { ByteReader } from "@tsbpf/base";
import { ELF, RELOC_TYPES } from "./constants.ts";
import { elfError, unsupported } from "./errors.ts";
import type { ElfSection, ElfSections } from "./sections.ts";
import type { ElfSymbol } from "./symbols.ts";

/** One relocation. */
export interface ElfRelocation {
  /** Bytes from the start of the section it applies to. */
  readonly offset: number;
  /** Number of the relocation, a key of RELOC_TYPES. */
  readonly type: number;
  readonly symbol: ElfSymbol;
  /** The explicit addend of a RELA entry; undefined when it lies in the place itself. */
  readonly addend: number | undefined;
  /** Section that holds this entry, for error texts. */
  readonly from: string;
}

const isRelocationSection = ({ type }: ElfSection): boolean =>
  type === ELF.sectionRel || type === ELF.sectionRela;

/** Groups the sections that hold relocations by the section they apply to. */
export function relocationSections(elf: ElfSections): ReadonlyMap<number, readonly ElfSection[]> {
  const byTarget = new Map<number, ElfSection[]>();
  for (const section of elf.sections) {
    if (!isRelocationSection(section)) continue;
    const known = byTarget.get(section.info);
    if (known === undefined) byTarget.set(section.info, [section]);
    else known.push(section);
  }
  return byTarget;
}

/**
 * Reads the relocations that apply to a section, in ascending order of offset.
 *
 * @param sections - those that hold its relocations.
 * @throws ELF_RELOC ELF_LINK; ELF_RELOC_TYPE (UnsupportedError)
 * @source System V ABI, chapter 4 "Relocation"
 */
export function readRelocations(
  from: { readonly elf: ElfSections; readonly symtab: ElfSection; readonly symbols: readonly ElfSymbol[] },
  target: ElfSection,
  sections: readonly ElfSection[],
): ElfRelocation[] {
  const { elf, symtab, symbols } = from;
  const relocations: ElfRelocation[] = [];
  for (const section of sections) {
    const hasAddend = section.type === ELF.sectionRela;
    const entryBytes = hasAddend ? ELF.relaBytes : ELF.relBytes;
    if (section.link !== symtab.index) {
      const text = `symbols of section ${section.link}, the symbol table is section ${symtab.index}`;
      throw elfError("ELF_LINK", text, { section: section.name });
    }
    if (section.entryBytes !== entryBytes || section.sizeBytes % entryBytes !== 0) {
      const text = `relocations of ${section.sizeBytes} bytes with entries of ${section.entryBytes}, ${entryBytes} needed`;
      throw elfError("ELF_RELOC", text, { section: section.name });
    }
    const reader = new ByteReader(section.bytes, elf.endian, { what: section.name, area: "ELF" });
    for (let at = 0; at < section.sizeBytes; at += entryBytes) {
      const relocation = readRelocation(reader, at, hasAddend, symbols, target);
      if (relocation !== undefined) relocations.push(relocation);
    }
  }
  return relocations.sort((a, b) => a.offset - b.offset);
}

function readRelocation(
  reader: ByteReader,
  at: number,
  hasAddend: boolean,
  symbols: readonly ElfSymbol[],
  target: ElfSection,
): ElfRelocation | undefined {
  const from = reader.place.what;
  const offset = reader.size64(at);
  const info = reader.u64(at + 8);
  const type = Number(info & 0xffff_ffffn);
  const symbolIndex = Number(info >> 32n);
  const name = RELOC_TYPES[type];
  if (name === undefined) {
    throw unsupported("ELF_RELOC_TYPE", `relocation type ${type}, 0..4 and 10 supported`, {
      section: from,
      offset: at + 8,
    });
  }
  if (name === "R_BPF_NONE") return undefined;
  const symbol = symbols[symbolIndex];
  if (symbol === undefined) {
    const text = `relocation against symbol ${symbolIndex}, the object has ${symbols.length}`;
    throw elfError("ELF_RELOC", text, { section: from, offset: at + 8 });
  }
  if (offset >= target.sizeBytes) {
    const text = `relocation at offset ${offset} of ${target.name}, which has ${target.sizeBytes} bytes`;
    throw elfError("ELF_RELOC", text, { section: from, offset: at });
  }
  const addend = hasAddend ? Number(BigInt.asIntN(64, reader.u64(at + 16))) : undefined;
  return { offset, type, symbol, addend, from };
}
