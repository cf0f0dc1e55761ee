import { decodeUtf8, InputError, UnsupportedError } from "@tsbpf/base";
import { type Btf, type BtfExt, parseBtf, parseBtfExt } from "@tsbpf/btf";
import { ELF, LOADER_LIMITS } from "../elf/constants.ts";
import { type ElfFile, readElf } from "../elf/elf.ts";
import { elfError } from "../elf/errors.ts";
import type { ElfSection } from "../elf/sections.ts";

/** What a section of global variables becomes. */
export type DataKind = "data" | "rodata" | "bss";

/** A section whose variables programs read and write through an array map. */
export interface DataSection {
  readonly kind: DataKind;
  readonly section: ElfSection;
}

/** An object taken apart, before anything is built from the parts. */
export interface ObjectParts {
  readonly elf: ElfFile;
  /** Empty when the object states none. */
  readonly license: string;
  /** Sections with code, in file order. */
  readonly code: readonly ElfSection[];
  /** The code section whose functions are subprograms. */
  readonly text: ElfSection | undefined;
  readonly data: readonly DataSection[];
  /** Map definitions described by BTF. */
  readonly btfMaps: ElfSection | undefined;
  /** Map definitions of fixed layout. */
  readonly legacyMaps: readonly ElfSection[];
  readonly btf: Btf | undefined;
  readonly ext: BtfExt | undefined;
  readonly warnings: string[];
}

const LICENSE_BYTES_LAST = 63;
const IGNORED =
  /^(\.debug_|\.rel|\.eh_frame|\.llvm|\.comment$|\.note|\.BTF|license$|version$|\.strtab$|\.symtab)/;

function readLicense(section: ElfSection | undefined): string {
  if (section === undefined) return "";
  const end = section.bytes.indexOf(0);
  const bytes = end < 0 ? section.bytes : section.bytes.subarray(0, end);
  return decodeUtf8(bytes.subarray(0, LICENSE_BYTES_LAST));
}

function checkVersion(section: ElfSection | undefined): void {
  if (section === undefined || section.sizeBytes === 4) return;
  throw elfError("ELF_VERSION_SECTION", `kernel version of ${section.sizeBytes} bytes, 4 needed`, {
    section: section.name,
  });
}

const isNamed = (name: string, base: string): boolean => name === base || name.startsWith(`${base}.`);

/** Says what kind of variables a section holds; undefined when it holds none. */
function dataKindOf({ name, type, flags, sizeBytes }: ElfSection): DataKind | undefined {
  if (sizeBytes === 0) return undefined;
  if (type === ELF.sectionNobits) return isNamed(name, ".bss") ? "bss" : undefined;
  if (type !== ELF.sectionProgbits || (flags & ELF.flagExec) !== 0) return undefined;
  if (isNamed(name, ".data")) return "data";
  return isNamed(name, ".rodata") ? "rodata" : undefined;
}

function dataSections(elf: ElfFile): DataSection[] {
  const found: DataSection[] = [];
  for (const section of elf.sections) {
    const kind = dataKindOf(section);
    if (kind === undefined) continue;
    if (section.sizeBytes > LOADER_LIMITS.sectionBytesLast) {
      const text = `${section.sizeBytes} bytes of variables, at most ${LOADER_LIMITS.sectionBytesLast} allowed`;
      throw elfError("ELF_SECTION_SIZE", text, { section: section.name });
    }
    found.push({ kind, section });
  }
  return found;
}

const isCode = ({ type, flags, sizeBytes }: ElfSection): boolean =>
  type === ELF.sectionProgbits && (flags & ELF.flagExec) !== 0 && sizeBytes > 0;

const isLegacyMaps = ({ name, type, sizeBytes }: ElfSection): boolean =>
  (name === "maps" || name.startsWith("maps/")) && type === ELF.sectionProgbits && sizeBytes > 0;

/** Records of types name sections, so those that are used must have names of their own. */
function checkNames(sections: readonly ElfSection[]): void {
  const names = new Set<string>();
  for (const { name, index } of sections) {
    if (names.has(name)) {
      throw elfError("ELF_SECTION_NAME", `section ${index} has the name of an earlier one`, {
        section: name,
      });
    }
    names.add(name);
  }
}

function warnOfIgnored(parts: Omit<ObjectParts, "btf" | "ext">): void {
  const used = new Set([...parts.code, ...parts.data.map(({ section }) => section), ...parts.legacyMaps]);
  for (const section of parts.elf.sections) {
    const hasContents = section.type === ELF.sectionProgbits || section.type === ELF.sectionNobits;
    if (!hasContents || section.sizeBytes === 0 || used.has(section) || section === parts.btfMaps) continue;
    if (IGNORED.test(section.name)) continue;
    parts.warnings.push(`section ${section.name} is not used`);
  }
}

/**
 * Takes an object apart: which sections hold code, variables, maps and type information.
 *
 * @throws ELF_… of {@link readElf}, ELF_SECTION_SIZE, ELF_VERSION_SECTION, BTF_…
 */
export function takeApart(bytes: Uint8Array): ObjectParts {
  const elf = readElf(bytes);
  checkVersion(elf.sectionNamed("version"));
  const code = elf.sections.filter(isCode);
  const parts = {
    elf,
    license: readLicense(elf.sectionNamed("license")),
    code,
    text: code.find(({ name }) => name === ".text"),
    data: dataSections(elf),
    btfMaps: elf.sections.find(({ name, sizeBytes }) => name === ".maps" && sizeBytes > 0),
    legacyMaps: elf.sections.filter(isLegacyMaps),
    warnings: [],
  };
  checkNames([...code, ...parts.data.map(({ section }) => section)]);
  warnOfIgnored(parts);
  return { ...parts, ...readTypes(parts) };
}

/** Whether the object says with types what its maps, kernel symbols or members of structs are. */
const needsTypes = ({ elf, btfMaps }: Omit<ObjectParts, "btf" | "ext">): boolean =>
  btfMaps !== undefined ||
  elf.sections.some(({ name }) => /^\??(struct_ops|\.struct_ops)/.test(name)) ||
  elf.symbols.some(
    ({ name, binding, section }) => section === undefined && binding !== "local" && name !== "",
  );

/** Reads types and records; broken ones that nothing rests on are left out, with a warning, as libbpf does. */
function readTypes(parts: Omit<ObjectParts, "btf" | "ext">): Pick<ObjectParts, "btf" | "ext"> {
  const bytesOf = (name: string): Uint8Array | undefined => parts.elf.sectionNamed(name)?.bytes;
  const attempt = <T>(read: () => T, isNeeded: boolean): T | undefined => {
    try {
      return read();
    } catch (thrown) {
      const isBroken = thrown instanceof InputError || thrown instanceof UnsupportedError;
      if (isNeeded || !isBroken) throw thrown;
      parts.warnings.push(`type information is left out: ${thrown.message}`);
      return undefined;
    }
  };
  const types = bytesOf(".BTF");
  const records = bytesOf(".BTF.ext");
  const btf = types === undefined ? undefined : attempt(() => parseBtf(types), needsTypes(parts));
  const ext =
    records === undefined || btf === undefined ? undefined : attempt(() => parseBtfExt(records, btf), false);
  return { btf, ext };
}
