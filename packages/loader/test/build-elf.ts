/** A section of a hand-made object. */
export interface SectionInput {
  readonly name: string;
  readonly type?: number;
  readonly flags?: number;
  readonly bytes?: Uint8Array;
  /** Size of a section without bits. */
  readonly sizeBytes?: number;
  readonly link?: number;
  readonly info?: number;
  readonly entryBytes?: number;
}

export interface SymbolInput {
  readonly name: string;
  /** 0 local, 1 global, 2 weak. */
  readonly binding?: number;
  /** 0 none, 1 object, 2 function, 3 section. */
  readonly type?: number;
  readonly visibility?: number;
  /** Name of the defining section; undefined for an extern; a number for a raw index. */
  readonly section?: string | number;
  readonly value?: number;
  readonly sizeBytes?: number;
}

export interface RelocationInput {
  readonly section: string;
  readonly offset: number;
  readonly symbol: string;
  readonly type: number;
  /** Makes the section RELA. */
  readonly addend?: number;
}

export interface ElfInput {
  readonly endian?: "little" | "big";
  readonly machine?: number;
  readonly sections: readonly SectionInput[];
  readonly symbols?: readonly SymbolInput[];
  readonly relocations?: readonly RelocationInput[];
}

const text = (value: string) => new TextEncoder().encode(value);

class Strings {
  bytes = "\0";
  add(value: string): number {
    const at = this.bytes.length;
    this.bytes += `${value}\0`;
    return at;
  }
}

/** Writes an object: the given sections from index 1 on, then relocations, symbols and their strings. */
export function buildElf(input: ElfInput): Uint8Array {
  const little = input.endian !== "big";
  const sections: SectionInput[] = [{ name: "", type: 0 }, ...input.sections];
  const symbols: SymbolInput[] = [{ name: "" }, ...(input.symbols ?? [])];
  const indexOf = (name: string | number | undefined): number =>
    typeof name === "number" ? name : name === undefined ? 0 : sections.findIndex((s) => s.name === name);
  const targets = [...new Set((input.relocations ?? []).map(({ section }) => section))];
  const symtabIndex = sections.length + targets.length;

  for (const target of targets) {
    const list = (input.relocations ?? []).filter(({ section }) => section === target);
    const isRela = list.some(({ addend }) => addend !== undefined);
    const entry = isRela ? 24 : 16;
    const bytes = new Uint8Array(entry * list.length);
    const view = new DataView(bytes.buffer);
    list.forEach((relocation, i) => {
      const symbol = symbols.findIndex(({ name }) => name === relocation.symbol);
      view.setBigUint64(i * entry, BigInt(relocation.offset), little);
      view.setBigUint64(i * entry + 8, (BigInt(symbol) << 32n) | BigInt(relocation.type), little);
      if (isRela) view.setBigInt64(i * entry + 16, BigInt(relocation.addend ?? 0), little);
    });
    sections.push({
      name: `.rel${target}`,
      type: isRela ? 4 : 9,
      bytes,
      link: symtabIndex,
      info: indexOf(target),
      entryBytes: entry,
    });
  }

  const names = new Strings();
  const table = new Uint8Array(24 * symbols.length);
  const tableView = new DataView(table.buffer);
  symbols.forEach((symbol, i) => {
    tableView.setUint32(24 * i, i === 0 ? 0 : names.add(symbol.name), little);
    table[24 * i + 4] = ((symbol.binding ?? 0) << 4) | (symbol.type ?? 0);
    table[24 * i + 5] = symbol.visibility ?? 0;
    tableView.setUint16(24 * i + 6, indexOf(symbol.section), little);
    tableView.setBigUint64(24 * i + 8, BigInt(symbol.value ?? 0), little);
    tableView.setBigUint64(24 * i + 16, BigInt(symbol.sizeBytes ?? 0), little);
  });
  sections.push({ name: ".symtab", type: 2, bytes: table, link: symtabIndex + 1, entryBytes: 24 });
  sections.push({ name: ".strtab", type: 3, bytes: text(names.bytes) });
  const sectionNames = new Strings();
  const nameOffsets = [...sections, { name: ".shstrtab" }].map(({ name }) =>
    name === "" ? 0 : sectionNames.add(name),
  );
  sections.push({ name: ".shstrtab", type: 3, bytes: text(sectionNames.bytes) });
  return assemble(sections, nameOffsets, input.machine ?? 247, little);
}

function assemble(
  sections: readonly SectionInput[],
  nameOffsets: readonly number[],
  machine: number,
  little: boolean,
): Uint8Array {
  let end = 64;
  const offsets = sections.map(({ bytes }) => {
    const at = Math.ceil(end / 8) * 8;
    end = at + (bytes?.length ?? 0);
    return at;
  });
  const tableOffset = Math.ceil(end / 8) * 8;
  const file = new Uint8Array(tableOffset + 64 * sections.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, little ? 1 : 2, 1]);
  view.setUint16(16, 1, little);
  view.setUint16(18, machine, little);
  view.setUint32(20, 1, little);
  view.setBigUint64(40, BigInt(tableOffset), little);
  view.setUint16(52, 64, little);
  view.setUint16(58, 64, little);
  view.setUint16(60, sections.length, little);
  view.setUint16(62, sections.length - 1, little);
  sections.forEach((section, i) => {
    const at = tableOffset + 64 * i;
    if (section.bytes !== undefined) file.set(section.bytes, offsets[i]);
    view.setUint32(at, nameOffsets[i] ?? 0, little);
    view.setUint32(at + 4, section.type ?? 1, little);
    view.setBigUint64(at + 8, BigInt(section.flags ?? 0), little);
    view.setBigUint64(at + 24, BigInt(section.type === 0 ? 0 : (offsets[i] ?? 0)), little);
    view.setBigUint64(at + 32, BigInt(section.sizeBytes ?? section.bytes?.length ?? 0), little);
    view.setUint32(at + 40, section.link ?? 0, little);
    view.setUint32(at + 44, section.info ?? 0, little);
    view.setBigUint64(at + 48, 1n, little);
    view.setBigUint64(at + 56, BigInt(section.entryBytes ?? 0), little);
  });
  return file;
}
