import { ByteReader, type Endian, StringTable } from "@tsbpf/base";
import { ELF, LOADER_LIMITS } from "./constants.ts";
import { elfError } from "./errors.ts";

/** One section of an object. */
export interface ElfSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  /** Offset in the file. */
  readonly offset: number;
  /** Bytes in memory; for sections without bits more than the file may hold. */
  readonly sizeBytes: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entryBytes: number;
  /** The bytes in the file; empty for sections without bits. */
  readonly bytes: Uint8Array;
}

/** Sections and byte order of an object. */
export interface ElfSections {
  readonly endian: Endian;
  readonly machine: number;
  readonly sections: readonly ElfSection[];
}

const HEADER = { section: "ELF header" };
const MAGIC = [0x7f, 0x45, 0x4c, 0x46];

interface Header {
  readonly endian: Endian;
  readonly machine: number;
  readonly reader: ByteReader;
  readonly tableOffset: number;
  readonly sectionCount: number;
  readonly namesIndex: number;
}

function checkIdent(bytes: Uint8Array): Endian {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw elfError("ELF_MAGIC", "no ELF file: it does not start with 7f 45 4c 46", { ...HEADER, offset: 0 });
  }
  if (bytes.length < ELF.headerBytes) {
    throw elfError(
      "ELF_TRUNCATED",
      `file of ${bytes.length} bytes, the ELF header takes ${ELF.headerBytes}`,
      HEADER,
    );
  }
  if (bytes[4] !== ELF.class64) {
    throw elfError("ELF_CLASS", `ELF class ${bytes[4]}, 2 (64-bit) needed`, { ...HEADER, offset: 4 });
  }
  const data = bytes[5];
  if (data !== ELF.dataLittle && data !== ELF.dataBig) {
    throw elfError("ELF_DATA", `byte order ${data}, 1 (little) or 2 (big) allowed`, { ...HEADER, offset: 5 });
  }
  if (bytes[6] !== 1)
    throw elfError("ELF_VERSION", `ELF version ${bytes[6]}, 1 allowed`, { ...HEADER, offset: 6 });
  return data === ELF.dataLittle ? "little" : "big";
}

/** Reads the file header. @source System V ABI, chapter 4 "ELF Header" */
function parseHeader(bytes: Uint8Array): Header {
  const endian = checkIdent(bytes);
  const reader = new ByteReader(bytes, endian, { what: "the file", area: "ELF" });
  const type = reader.u16(16);
  if (type !== ELF.typeRelocatable) {
    throw elfError("ELF_TYPE", `ELF type ${type}, 1 (relocatable) needed`, { ...HEADER, offset: 16 });
  }
  const machine = reader.u16(18);
  if (machine !== ELF.machineBpf && machine !== ELF.machineNone) {
    throw elfError("ELF_MACHINE", `machine ${machine}, ${ELF.machineBpf} (BPF) needed`, {
      ...HEADER,
      offset: 18,
    });
  }
  const entryBytes = reader.u16(58);
  if (entryBytes !== ELF.sectionHeaderBytes) {
    throw elfError(
      "ELF_SECTION_TABLE",
      `section headers of ${entryBytes} bytes, ${ELF.sectionHeaderBytes} needed`,
      {
        ...HEADER,
        offset: 58,
      },
    );
  }
  const tableOffset = reader.size64(40);
  checkTable(bytes, tableOffset, 1);
  // Counts that do not fit 16 bits are kept in the first, otherwise empty section header.
  const count16 = reader.u16(60);
  const names16 = reader.u16(62);
  const sectionCount = count16 === 0 ? reader.size64(tableOffset + 32) : count16;
  const namesIndex = names16 === ELF.indexExtended ? reader.u32(tableOffset + 40) : names16;
  if (sectionCount === 0) {
    throw elfError("ELF_SECTION_TABLE", "no section headers", { ...HEADER, offset: 60 });
  }
  checkTable(bytes, tableOffset, sectionCount);
  return { endian, machine, reader, tableOffset, sectionCount, namesIndex };
}

function checkTable(bytes: Uint8Array, tableOffset: number, count: number): void {
  const sizeBytes = count * ELF.sectionHeaderBytes;
  if (tableOffset >= ELF.headerBytes && tableOffset + sizeBytes <= bytes.length) return;
  const text = `${count} section headers at offset ${tableOffset}, the file has ${bytes.length} bytes`;
  throw elfError("ELF_SECTION_TABLE", text, { ...HEADER, offset: 40 });
}

function parseSection(header: Header, index: number): Omit<ElfSection, "name"> & { nameOffset: number } {
  const { reader } = header;
  const at = header.tableOffset + index * ELF.sectionHeaderBytes;
  const type = reader.u32(at + 4);
  const offset = reader.size64(at + 24);
  const sizeBytes = reader.size64(at + 32);
  const hasBits = type !== ELF.sectionNobits && type !== ELF.sectionNull;
  if (hasBits && offset + sizeBytes > reader.lengthBytes) {
    const text = `section ${index} takes ${sizeBytes} bytes from offset ${offset} on, the file has ${reader.lengthBytes}`;
    throw elfError("ELF_TRUNCATED", text, { section: "section headers", offset: at }, { index });
  }
  return {
    index,
    nameOffset: reader.u32(at),
    type,
    flags: reader.size64(at + 8),
    offset,
    sizeBytes: type === ELF.sectionNull ? 0 : sizeBytes,
    link: reader.u32(at + 40),
    info: reader.u32(at + 44),
    align: reader.size64(at + 48),
    entryBytes: reader.size64(at + 56),
    bytes: hasBits ? reader.bytes.subarray(offset, offset + sizeBytes) : new Uint8Array(0),
  };
}

/** Refuses sections that share bytes with each other or with the headers. */
function checkOverlap(header: Header, sections: readonly ElfSection[]): void {
  const parts = [
    { name: "the ELF header", start: 0, end: ELF.headerBytes },
    {
      name: "the section headers",
      start: header.tableOffset,
      end: header.tableOffset + header.sectionCount * ELF.sectionHeaderBytes,
    },
  ];
  for (const { name, offset, bytes } of sections) {
    if (bytes.length > 0) parts.push({ name, start: offset, end: offset + bytes.length });
  }
  parts.sort((a, b) => a.start - b.start);
  let last = parts[0];
  for (const part of parts.slice(1)) {
    if (last !== undefined && part.start < last.end) {
      throw elfError("ELF_OVERLAP", `${part.name} overlaps ${last.name}`, {
        section: part.name,
        offset: part.start,
      });
    }
    last = part;
  }
}

/**
 * Reads the section headers of an object and checks that every section lies in the file, alone.
 *
 * @throws ELF_MAGIC ELF_TRUNCATED ELF_CLASS ELF_DATA ELF_VERSION ELF_TYPE ELF_MACHINE ELF_SECTION_TABLE ELF_LINK
 *   ELF_NAME ELF_OVERLAP
 */
export function readSections(bytes: Uint8Array): ElfSections {
  const header = parseHeader(bytes);
  const raw = Array.from({ length: header.sectionCount }, (_, index) => parseSection(header, index));
  const names = raw[header.namesIndex];
  if (names === undefined || names.type !== ELF.sectionStrtab) {
    const text = `section ${header.namesIndex} of ${header.sectionCount} should hold the section names`;
    throw elfError("ELF_LINK", text, { ...HEADER, offset: 62 });
  }
  const table = new StringTable(names.bytes);
  const sections = raw.map(({ nameOffset, ...section }): ElfSection => {
    const name = section.type === ELF.sectionNull ? "" : table.at(nameOffset, LOADER_LIMITS.nameBytes);
    if (name === undefined) {
      const text = `name of section ${section.index} at offset ${nameOffset} of ${names.bytes.length} name bytes`;
      throw elfError("ELF_NAME", text, { section: "section headers", offset: nameOffset });
    }
    return { ...section, name };
  });
  checkOverlap(header, sections);
  return { endian: header.endian, machine: header.machine, sections };
}
