import { type ElfRelocation, readRelocations, relocationSections } from "./relocations.ts";
import { type ElfSection, type ElfSections, readSections } from "./sections.ts";
import { type ElfSymbol, findSymtab, readSymbols } from "./symbols.ts";

/** The raw contents of an object: what `readelf` shows. */
export interface ElfFile extends ElfSections {
  readonly symtab: ElfSection;
  readonly symbols: readonly ElfSymbol[];
  /**
   * Reads the relocations of a section, in ascending order of offset.
   *
   * @throws ELF_RELOC ELF_LINK ELF_RELOC_TYPE
   */
  relocationsOf(section: ElfSection): readonly ElfRelocation[];
  /** Finds the first section with a name. */
  sectionNamed(name: string): ElfSection | undefined;
}

/**
 * Reads an ELF64 relocatable BPF object of either byte order.
 *
 * Relocations are read section by section as they are asked for, so that damage in sections which nobody
 * needs, such as debug information, does no harm.
 *
 * @throws ELF_MAGIC ELF_TRUNCATED ELF_CLASS ELF_DATA ELF_VERSION ELF_TYPE ELF_MACHINE ELF_SECTION_TABLE ELF_LINK
 *   ELF_NAME ELF_OVERLAP ELF_SYMTAB ELF_SYMBOL
 */
export function readElf(bytes: Uint8Array): ElfFile {
  const elf = readSections(bytes);
  const symtab = findSymtab(elf);
  const symbols = readSymbols(elf, symtab);
  const relocations = relocationSections(elf);
  const byName = new Map([...elf.sections].reverse().map((section) => [section.name, section]));
  return {
    ...elf,
    symtab,
    symbols,
    relocationsOf: (section) =>
      readRelocations({ elf, symtab, symbols }, section, relocations.get(section.index) ?? []),
    sectionNamed: (name) => byName.get(name),
  };
}
