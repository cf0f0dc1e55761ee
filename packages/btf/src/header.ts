import { ByteReader, type Endian, printHex } from "@tsbpf/base";
import { btfError } from "./errors.ts";
import { BTF_MAGIC } from "./kinds.ts";

/** A part of a BTF blob: offset of its first byte from the blob's start, and length. */
export interface BtfRange {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** The header of .BTF, checked. */
export interface BtfHeader {
  readonly endian: Endian;
  readonly types: BtfRange;
  readonly strings: BtfRange;
}

const FIXED_BYTES = 8;
const MIN_HEADER_BYTES = 24;
const LAYOUT_HEADER_BYTES = 32;

/**
 * Tells the byte order from the magic number that .BTF and .BTF.ext share.
 *
 * @throws BTF_MAGIC when the first two bytes are neither `9f eb` nor `eb 9f`.
 */
function detectEndian(bytes: Uint8Array, what: string): Endian {
  const reader = new ByteReader(bytes, "little", { what, area: "BTF" });
  const magic = reader.u16(0);
  if (magic === BTF_MAGIC) return "little";
  if (((magic & 0xff) << 8) + (magic >> 8) === BTF_MAGIC) return "big";
  throw btfError("BTF_MAGIC", `magic number ${printHex(magic)}, ${printHex(BTF_MAGIC)} needed`, {
    what,
    offset: 0,
  });
}

/** Reads and checks version, flags and header length, which .BTF and .BTF.ext share. */
export function parseHeaderStart(
  bytes: Uint8Array,
  what: string,
): { readonly reader: ByteReader; readonly headerBytes: number } {
  const reader = new ByteReader(bytes, detectEndian(bytes, what), { what, area: "BTF" });
  const version = reader.u8(2);
  if (version !== 1) throw btfError("BTF_VERSION", `version ${version}, 1 supported`, { what, offset: 2 });
  const flags = reader.u8(3);
  if (flags !== 0) throw btfError("BTF_FLAGS", `flags ${printHex(flags)}, 0 allowed`, { what, offset: 3 });
  const headerBytes = reader.u32(4);
  if (headerBytes < MIN_HEADER_BYTES || headerBytes % 4 !== 0) {
    throw btfError(
      "BTF_HEADER",
      `header of ${headerBytes} bytes, at least ${MIN_HEADER_BYTES} and a multiple of 4 needed`,
      { what, offset: 4 },
    );
  }
  reader.check(0, headerBytes);
  return { reader, headerBytes };
}

/** Refuses header fields that this version does not know, unless they are zero. */
export function checkUnknownTail(reader: ByteReader, from: number, headerBytes: number): void {
  for (let at = from; at < headerBytes; at++) {
    if (reader.u8(at) === 0) continue;
    throw btfError("BTF_HEADER", `unknown header field ${printHex(reader.u8(at))}, 0 allowed`, {
      what: reader.place.what,
      offset: at,
    });
  }
}

/** Reads an offset and a length that count from the header's end, and checks them against the blob. */
export function parseRange(reader: ByteReader, at: number, headerBytes: number): BtfRange {
  const offset = headerBytes + reader.u32(at);
  const sizeBytes = reader.u32(at + 4);
  if (offset + sizeBytes > reader.lengthBytes) {
    throw btfError(
      "BTF_LAYOUT",
      `part at offset ${offset} of ${sizeBytes} bytes, the blob ends at ${reader.lengthBytes}`,
      { what: reader.place.what, offset: at },
    );
  }
  return { offset, sizeBytes };
}

/**
 * Reads the header of a .BTF section.
 *
 * The layout part of Linux 7 headers, which describes kinds a reader does not know, is accepted and not used.
 *
 * @throws BTF_MAGIC BTF_VERSION BTF_FLAGS BTF_HEADER BTF_LAYOUT BTF_TRUNCATED
 * @source linux uapi/linux/btf.h struct btf_header
 */
export function parseHeader(bytes: Uint8Array, what: string): BtfHeader {
  const { reader, headerBytes } = parseHeaderStart(bytes, what);
  const types = parseRange(reader, FIXED_BYTES, headerBytes);
  const strings = parseRange(reader, FIXED_BYTES + 8, headerBytes);
  if (headerBytes >= LAYOUT_HEADER_BYTES) parseRange(reader, MIN_HEADER_BYTES, headerBytes);
  else checkUnknownTail(reader, MIN_HEADER_BYTES, headerBytes);
  checkUnknownTail(reader, LAYOUT_HEADER_BYTES, headerBytes);
  if (types.offset % 4 !== 0) {
    throw btfError("BTF_LAYOUT", `types start at offset ${types.offset}, a multiple of 4 needed`, {
      what,
      offset: FIXED_BYTES,
    });
  }
  if (types.offset < strings.offset + strings.sizeBytes && strings.offset < types.offset + types.sizeBytes) {
    throw btfError(
      "BTF_LAYOUT",
      `types and strings overlap at offset ${Math.max(types.offset, strings.offset)}`,
      {
        what,
        offset: FIXED_BYTES,
      },
    );
  }
  return { endian: reader.endian, types, strings };
}
