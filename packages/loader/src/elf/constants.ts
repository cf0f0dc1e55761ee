/** Numbers of the ELF format that BPF objects use. @source System V ABI, chapter 4; linux uapi/linux/elf.h */
export const ELF = {
  headerBytes: 64,
  sectionHeaderBytes: 64,
  symbolBytes: 24,
  relBytes: 16,
  relaBytes: 24,
  class64: 2,
  dataLittle: 1,
  dataBig: 2,
  typeRelocatable: 1,
  machineNone: 0,
  machineBpf: 247,
  sectionNull: 0,
  sectionProgbits: 1,
  sectionSymtab: 2,
  sectionStrtab: 3,
  sectionRela: 4,
  sectionNobits: 8,
  sectionRel: 9,
  flagWrite: 1,
  flagAlloc: 2,
  flagExec: 4,
  indexUndefined: 0,
  indexReservedFirst: 0xff00,
  indexExtended: 0xffff,
} as const;

/** How far a symbol's name reaches; position is the stored number. */
export const SYMBOL_BINDINGS = ["local", "global", "weak"] as const;
export type SymbolBinding = (typeof SYMBOL_BINDINGS)[number];

/** What a symbol names; position is the stored number. */
export const SYMBOL_TYPES = ["notype", "object", "func", "section", "file", "common", "tls"] as const;
export type SymbolType = (typeof SYMBOL_TYPES)[number];

export const SYMBOL_VISIBILITIES = ["default", "internal", "hidden", "protected"] as const;
export type SymbolVisibility = (typeof SYMBOL_VISIBILITIES)[number];

/** Relocations of the BPF target by number. @source llvm docs CodeGenerator "eBPF relocation types" */
export const RELOC_TYPES: Readonly<Record<number, string>> = {
  0: "R_BPF_NONE",
  1: "R_BPF_64_64",
  2: "R_BPF_64_ABS64",
  3: "R_BPF_64_ABS32",
  4: "R_BPF_64_NODYLD32",
  10: "R_BPF_64_32",
};

/** Our own limits, so that no file asks for more work or memory than its size explains. */
export const LOADER_LIMITS = {
  /** Bytes of a section or symbol name. */
  nameBytes: 1024,
  /** Slots of all programs of an object together, functions counted once for each program that uses them. */
  totalSlots: 4_000_000,
  /** Bytes of a data section, the largest value of an array map. */
  sectionBytesLast: 0x7fff_ffff,
} as const;
