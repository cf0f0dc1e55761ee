import { type MapSpec, mapTypeName } from "@tsbpf/abi";
import { ByteReader } from "@tsbpf/base";
import type { ElfFile } from "../elf/elf.ts";
import { elfError, unsupported } from "../elf/errors.ts";
import type { ElfSection } from "../elf/sections.ts";
import type { ElfSymbol } from "../elf/symbols.ts";

/** A map of a `maps` section, and where it is defined. */
export interface LegacyMap {
  readonly spec: MapSpec;
  readonly section: number;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** type, key size, value size, entries, flags */
const MIN_BYTES = 20;
/** id and pinning follow in the layout of iproute2 and aya */
const PINNING_OFFSET = 24;

function readLegacyMap(
  elf: ElfFile,
  section: ElfSection,
  symbol: ElfSymbol,
  sizeBytes: number,
  warnings: string[],
): LegacyMap {
  const place = { section: section.name, offset: symbol.value };
  if (sizeBytes < MIN_BYTES) {
    throw elfError(
      "ELF_MAP_DEF",
      `map ${symbol.name}: definition of ${sizeBytes} bytes, ${MIN_BYTES} needed`,
      place,
    );
  }
  const reader = new ByteReader(section.bytes, elf.endian, { what: section.name, area: "ELF" });
  const word = (index: number) => reader.u32(symbol.value + 4 * index);
  const type = mapTypeName(word(0));
  if (type === undefined || type === "unspec") {
    throw unsupported("ELF_MAP_TYPE", `map ${symbol.name} of unknown type ${word(0)}`, place);
  }
  const isPinned = sizeBytes > PINNING_OFFSET && word(PINNING_OFFSET / 4) !== 0;
  const known = new Set([PINNING_OFFSET - 4, PINNING_OFFSET]);
  for (let at = MIN_BYTES; at < sizeBytes; at += 4) {
    if (known.has(at) || reader.u32(symbol.value + at) === 0) continue;
    warnings.push(`map ${symbol.name}: field at offset ${at} of its definition is not used`);
  }
  return {
    section: section.index,
    offset: symbol.value,
    sizeBytes,
    spec: {
      name: symbol.name,
      type,
      keyBytes: word(1),
      valueBytes: word(2),
      maxEntries: word(3),
      flags: word(4),
      ...(isPinned ? { pinning: "by_name" as const } : {}),
    },
  };
}

/**
 * Reads map definitions of fixed layout: `struct bpf_map_def` of 20 bytes, or longer ones that add an id and
 * pinning, as iproute2 and aya have them.
 *
 * libbpf 1.0 and later refuse these; they are read with a warning (L-140).
 *
 * @throws ELF_MAP_DEF; ELF_MAP_TYPE (UnsupportedError)
 */
export function readLegacyMaps(elf: ElfFile, section: ElfSection, warnings: string[]): LegacyMap[] {
  const symbols = elf.symbols
    .filter(({ section: index, type }) => index === section.index && (type === "object" || type === "notype"))
    .filter(({ name, value }) => name !== "" && value < section.sizeBytes)
    .sort((a, b) => a.value - b.value);
  if (symbols.length === 0) {
    throw elfError("ELF_MAP_DEF", "no symbol names a map", { section: section.name });
  }
  warnings.push(`section ${section.name}: map definitions without BTF, which libbpf 1.0 and later refuse`);
  return symbols.map((symbol, i) => {
    const end = symbols[i + 1]?.value ?? section.sizeBytes;
    return readLegacyMap(elf, section, symbol, Math.floor((end - symbol.value) / 4) * 4, warnings);
  });
}
