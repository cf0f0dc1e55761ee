import type { ByteReader, Endian } from "@tsbpf/base";
import type { Btf } from "./btf.ts";
import { btfError } from "./errors.ts";
import { type BtfRange, parseHeaderStart, parseRange } from "./header.ts";

/** Says which function starts at an instruction. */
export interface FuncInfo {
  /** Bytes from the start of the ELF section. */
  readonly insnOffset: number;
  /** Id of a FUNC type in an object that compilers make; any number else. */
  readonly typeId: number;
}
/** Says which source line an instruction comes from. */
export interface LineInfo {
  readonly insnOffset: number;
  /** Offset of the file's name among the strings of .BTF. */
  readonly fileOffset: number;
  /** Offset of the line's text among the strings of .BTF. */
  readonly textOffset: number;
  /** From 1. */
  readonly line: number;
  /** From 1; 0 when unknown. */
  readonly column: number;
}

/** What a CO-RE relocation asks for; position is the stored number. @source linux uapi/linux/bpf.h enum bpf_core_relo_kind */
export const CORE_KINDS = [
  "field_byte_offset",
  "field_byte_size",
  "field_exists",
  "field_signed",
  "field_lshift_u64",
  "field_rshift_u64",
  "type_id_local",
  "type_id_target",
  "type_exists",
  "type_size",
  "enumval_exists",
  "enumval_value",
  "type_matches",
] as const;
export type CoreKind = (typeof CORE_KINDS)[number];

/** Asks for a value that depends on the target's types. */
export interface CoreRelo {
  readonly insnOffset: number;
  /** Id of the local root type. */
  readonly typeId: number;
  /** Offset of the access string among the strings of .BTF. */
  readonly accessOffset: number;
  readonly kind: CoreKind;
}

/** The records that concern one ELF section. */
export interface BtfExtSection<T> {
  readonly section: string;
  readonly records: readonly T[];
}

/** What .BTF.ext says about code. */
export interface BtfExt {
  readonly endian: Endian;
  readonly funcInfo: readonly BtfExtSection<FuncInfo>[];
  readonly lineInfo: readonly BtfExtSection<LineInfo>[];
  readonly coreRelos: readonly BtfExtSection<CoreRelo>[];
}

interface Area<T> {
  readonly name: string;
  readonly recordBytes: number;
  readonly read: (reader: ByteReader, offset: number, btf: Btf) => T;
}

const LINE_SHIFT = 10;
const COLUMN_MASK = 0x3ff;

function checkTypeId(reader: ByteReader, offset: number, btf: Btf): number {
  const id = reader.u32(offset);
  if (id < btf.endId) return id;
  throw btfError("BTF_TYPE_ID", `type id ${id}, the last is ${btf.endId - 1}`, {
    what: reader.place.what,
    offset,
  });
}

const FUNC_AREA: Area<FuncInfo> = {
  name: "func_info",
  recordBytes: 8,
  // Whether the type is a function is for the kernel to say, which has words for it.
  read: (reader, at) => ({ insnOffset: reader.u32(at), typeId: reader.u32(at + 4) }),
};
const LINE_AREA: Area<LineInfo> = {
  name: "line_info",
  recordBytes: 16,
  read: (reader, at) => ({
    insnOffset: reader.u32(at),
    fileOffset: reader.u32(at + 4),
    textOffset: reader.u32(at + 8),
    line: reader.u32(at + 12) >>> LINE_SHIFT,
    column: reader.u32(at + 12) & COLUMN_MASK,
  }),
};
const CORE_AREA: Area<CoreRelo> = {
  name: "core_relo",
  recordBytes: 16,
  read: (reader, at, btf) => {
    const number = reader.u32(at + 12);
    const kind = CORE_KINDS[number];
    if (kind === undefined) {
      throw btfError(
        "BTF_CORE_KIND",
        `CO-RE relocation kind ${number}, 0..${CORE_KINDS.length - 1} supported`,
        {
          what: reader.place.what,
          offset: at + 12,
        },
      );
    }
    return {
      insnOffset: reader.u32(at),
      typeId: checkTypeId(reader, at + 4, btf),
      accessOffset: reader.u32(at + 8),
      kind,
    };
  },
};

function parseArea<T>(reader: ByteReader, range: BtfRange, area: Area<T>, btf: Btf): BtfExtSection<T>[] {
  const { what } = reader.place;
  const end = range.offset + range.sizeBytes;
  if (range.sizeBytes === 0) return [];
  const need = (offset: number, size: number) => {
    if (offset + size <= end) return;
    const text = `${area.name} ends at offset ${end}, ${size} bytes needed`;
    throw btfError("BTF_EXT_TRUNCATED", text, { what, offset });
  };
  need(range.offset, 4);
  const recordBytes = reader.u32(range.offset);
  if (recordBytes < area.recordBytes || recordBytes % 4 !== 0) {
    throw btfError(
      "BTF_EXT_RECORD",
      `${area.name} records of ${recordBytes} bytes, at least ${area.recordBytes} and a multiple of 4 needed`,
      { what, offset: range.offset },
    );
  }
  const sections: BtfExtSection<T>[] = [];
  for (let at = range.offset + 4; at < end; ) {
    need(at, 8);
    const section = btf.stringAt(reader.u32(at));
    const count = reader.u32(at + 4);
    at += 8;
    need(at, count * recordBytes);
    const records: T[] = [];
    for (let i = 0; i < count; i++, at += recordBytes) {
      records.push(area.read(reader, at, btf));
      checkRecordTail(reader, at + area.recordBytes, at + recordBytes, area.name);
    }
    sections.push({ section, records });
  }
  return sections;
}

function checkRecordTail(reader: ByteReader, from: number, end: number, name: string): void {
  for (let at = from; at < end; at++) {
    if (reader.u8(at) === 0) continue;
    throw btfError("BTF_EXT_RECORD", `unknown field ${reader.u8(at)} in a ${name} record, 0 allowed`, {
      what: reader.place.what,
      offset: at,
    });
  }
}

const CORE_EXT_HEADER_BYTES = 32;

/**
 * Reads a .BTF.ext section. Tables that other compilers' headers name behind the known ones are passed over.
 *
 * @param btf - the types and strings of the same object.
 * @throws BTF_MAGIC BTF_VERSION BTF_FLAGS BTF_HEADER BTF_LAYOUT BTF_TRUNCATED BTF_ENDIAN BTF_EXT_TRUNCATED
 *   BTF_EXT_RECORD BTF_CORE_KIND BTF_TYPE_ID BTF_STRING_OFFSET BTF_STRING_LENGTH
 * @source linux Documentation/bpf/btf.rst ".BTF.ext section"
 */
export function parseBtfExt(bytes: Uint8Array, btf: Btf, what = ".BTF.ext"): BtfExt {
  const { reader, headerBytes } = parseHeaderStart(bytes, what);
  if (reader.endian !== btf.endian) {
    throw btfError("BTF_ENDIAN", `${reader.endian}-endian records for ${btf.endian}-endian types`, {
      what,
      offset: 0,
    });
  }
  const hasCore = headerBytes >= CORE_EXT_HEADER_BYTES;
  const area = <T>(at: number, of: Area<T>) =>
    parseArea(reader, parseRange(reader, at, headerBytes), of, btf);
  return {
    endian: reader.endian,
    funcInfo: area(8, FUNC_AREA),
    lineInfo: area(16, LINE_AREA),
    coreRelos: hasCore ? area(24, CORE_AREA) : [],
  };
}
