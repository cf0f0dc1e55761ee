import { type Details, InputError, printHex, UnsupportedError } from "@tsbpf/base";
import { crc32c, locateWrongByte, type WrongByte } from "./crc32c.ts";

/** First bytes of a trace: a byte outside ASCII, the name, a line end that text transfers would change. */
export const TRACE_MAGIC = Uint8Array.of(0x89, 0x54, 0x53, 0x42, 0x50, 0x46, 0x0d, 0x0a);
export const TRACE_VERSION_MAJOR = 1;
export const TRACE_VERSION_MINOR = 0;
/** Magic, version, checksum of both. */
export const FILE_HEADER_BYTES = 16;

/** Every block starts with it, so that readers find the next one behind damage: ASCII "\xf5TBK". */
const SYNC_BYTES = Uint8Array.of(0xf5, 0x54, 0x42, 0x4b);
const SYNC_WORD = 0x4b42_54f5;
/** Sync marker, type, zeros, sequence number, payload length, payload checksum, header checksum. */
export const BLOCK_HEADER_BYTES = 24;

export const BLOCK_TYPE = { definitions: 1, contents: 2, runs: 3, end: 4 } as const;
const BLOCK_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(BLOCK_TYPE).map(([name, type]) => [type, name]),
);

/** Returns a block type's name for error texts. */
export const blockTypeName = (type: number): string => BLOCK_NAMES.get(type) ?? `type ${type}`;

/** What a block's header says. */
export interface BlockHeader {
  readonly type: number;
  /** Position among the file's blocks, from 0. */
  readonly blockIdx: number;
  readonly payloadBytes: number;
  readonly payloadCrc: number;
}

export interface FileVersion {
  readonly major: number;
  readonly minor: number;
}

export function encodeFileHeader(): Uint8Array {
  const bytes = new Uint8Array(FILE_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(TRACE_MAGIC);
  view.setUint16(8, TRACE_VERSION_MAJOR, true);
  view.setUint16(10, TRACE_VERSION_MINOR, true);
  view.setUint32(12, crc32c(bytes, 0, 12), true);
  return bytes;
}

/**
 * Decodes the file header at `at`.
 *
 * @throws TRACE_FILE_MAGIC, TRACE_FILE_CHECKSUM (InputError), UNSUPPORTED_TRACE_VERSION (UnsupportedError).
 */
export function decodeFileHeader(bytes: Uint8Array, at: number): FileVersion {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const badIdx = TRACE_MAGIC.findIndex((byte, i) => bytes[at + i] !== byte);
  const crcAt = at + FILE_HEADER_BYTES - CRC_BYTES;
  if (badIdx >= 0) {
    const place = findHeaderByte(bytes, at, crcAt, (fixed) =>
      TRACE_MAGIC.every((byte, i) => fixed[i] === byte),
    );
    throw new InputError(
      "TRACE_FILE_MAGIC",
      `file header has byte ${bytes[at + badIdx]} where a tsbpf trace has ${TRACE_MAGIC[badIdx]}, at offset ${badIdx}`,
      { details: { offset: badIdx, ...wrongByteDetails(place, 0) } },
    );
  }
  checkCrc("TRACE_FILE_CHECKSUM", {
    what: "file header",
    found: view.getUint32(crcAt, true),
    computed: crc32c(bytes, at, crcAt),
    offset: FILE_HEADER_BYTES - CRC_BYTES,
    locate: () => wrongByteDetails(findHeaderByte(bytes, at, crcAt, isRightVersion), 0),
  });
  const version = { major: view.getUint16(at + 8, true), minor: view.getUint16(at + 10, true) };
  if (version.major === TRACE_VERSION_MAJOR) return version;
  throw new UnsupportedError(
    "UNSUPPORTED_TRACE_VERSION",
    `trace version ${version.major}.${version.minor} is not supported, versions ${TRACE_VERSION_MAJOR}.x are, at offset 8`,
    { details: { ...version } },
  );
}

/** Encodes a block's header; the payload follows it. */
export function encodeBlockHeader(type: number, blockIdx: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(BLOCK_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(SYNC_BYTES);
  view.setUint8(4, type);
  view.setUint32(8, blockIdx, true);
  view.setUint32(12, payload.byteLength, true);
  view.setUint32(16, crc32c(payload), true);
  view.setUint32(20, crc32c(bytes, 0, 20), true);
  return bytes;
}

/** Says whether a whole, undamaged block header lies at `at`. */
export function isBlockHeader(view: DataView, bytes: Uint8Array, at: number): boolean {
  return (
    view.getUint32(at, true) === SYNC_WORD && crc32c(bytes, at, at + 20) === view.getUint32(at + 20, true)
  );
}

/**
 * Decodes the block header at `at`, which the file has at `offset`.
 *
 * @param expectedIdx - the number the block should have, for error texts.
 * @throws TRACE_SYNC, TRACE_BLOCK_CHECKSUM, TRACE_BLOCK_RESERVED (InputError).
 */
export function decodeBlockHeader(
  bytes: Uint8Array,
  at: number,
  offset: number,
  expectedIdx: number,
): BlockHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sync = view.getUint32(at, true);
  const crcAt = at + BLOCK_HEADER_BYTES - CRC_BYTES;
  const isRight = (fixed: Uint8Array): boolean =>
    SYNC_BYTES.every((byte, i) => fixed[i] === byte) &&
    new DataView(fixed.buffer).getUint32(8, true) === expectedIdx;
  const locate = (): Details => wrongByteDetails(findHeaderByte(bytes, at, crcAt, isRight), offset);
  if (sync !== SYNC_WORD) {
    const found = bytes.subarray(at, at + 4).join(" ");
    const place = locate();
    throw new InputError(
      "TRACE_SYNC",
      `block ${expectedIdx} starts with bytes ${found}, the sync marker ${SYNC_BYTES.join(" ")} expected, at offset ${offset}${printWrongByte(place)}`,
      { details: { block: expectedIdx, offset, ...place } },
    );
  }
  const name = `header of block ${expectedIdx}`;
  checkCrc("TRACE_BLOCK_CHECKSUM", {
    what: name,
    found: view.getUint32(crcAt, true),
    computed: crc32c(bytes, at, crcAt),
    offset,
    block: expectedIdx,
    locate,
  });
  const reserved = view.getUint32(at + 4, true) >>> 8;
  if (reserved !== 0) {
    throw new InputError(
      "TRACE_BLOCK_RESERVED",
      `${name} has ${reserved} in its reserved bytes, version 1 has 0, at offset ${offset + 5}`,
      { details: { block: expectedIdx, reserved, offset } },
    );
  }
  return {
    type: view.getUint8(at + 4),
    blockIdx: view.getUint32(at + 8, true),
    payloadBytes: view.getUint32(at + 12, true),
    payloadCrc: view.getUint32(at + 16, true),
  };
}

/** Two checksums that should be equal, and what to say when they are not. */
export interface CrcCheck {
  readonly what: string;
  readonly found: number;
  readonly computed: number;
  readonly offset: number;
  readonly block?: number;
  /** Looks for the one byte that is wrong; asked only when the checksums differ. */
  locate(): Details;
}

/** Compares checksums and throws `code` (InputError) when they differ. */
export function checkCrc(code: string, check: CrcCheck): void {
  const { what, found, computed, offset, block } = check;
  if (found === computed) return;
  const hex = (crc: number): string => crc.toString(16).padStart(8, "0");
  const place = check.locate();
  throw new InputError(
    code,
    `${what} is damaged: its checksum says ${hex(found)}, its bytes say ${hex(computed)}, at offset ${offset}${printWrongByte(place)}`,
    { details: { offset, ...(block === undefined ? {} : { block }), ...place } },
  );
}

const CRC_BYTES = 4;

/** Finds the one byte of a header that, put right, makes it sound; undefined when there is none, or more than one. */
function findHeaderByte(
  bytes: Uint8Array,
  at: number,
  crcAt: number,
  isRight: (fixed: Uint8Array) => boolean,
): FoundByte | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const crc = view.getUint32(crcAt, true);
  const computed = crc32c(bytes, at, crcAt);
  const places = locateWrongByte(bytes, at, crcAt, crc);
  for (let i = 0; i < CRC_BYTES; i++) {
    const mask = 0xff << (8 * i);
    if (((crc ^ computed) & ~mask) === 0)
      places.push({ at: crcAt + i, expected: (computed >>> (8 * i)) & 0xff });
  }
  const right = places.filter((place) => {
    const fixed = bytes.slice(at, crcAt);
    if (place.at < crcAt) fixed[place.at - at] = place.expected;
    return isRight(fixed);
  });
  return oneOf(
    right.map((place) => ({ at: place.at - at, expected: place.expected, found: bytes[place.at] ?? 0 })),
  );
}

const isRightVersion = (fixed: Uint8Array): boolean =>
  new DataView(fixed.buffer).getUint16(8, true) === TRACE_VERSION_MAJOR;

/** A wrong byte with what it is now; `at` counts from the start of the header or payload. */
interface FoundByte extends WrongByte {
  readonly found: number;
}

const oneOf = <T>(list: readonly T[]): T | undefined => (list.length === 1 ? list[0] : undefined);

/** Finds the one byte of a payload that is wrong, for the details of an error. */
export function locateInPayload(bytes: Uint8Array, crc: number, offset: number): Details {
  const place = oneOf(locateWrongByte(bytes, 0, bytes.byteLength, crc));
  return wrongByteDetails(
    place === undefined ? undefined : { ...place, found: bytes[place.at] ?? 0 },
    offset,
  );
}

/** Says in an error's details which byte is wrong: its offset in the file, what it is, what it was. */
const wrongByteDetails = (place: FoundByte | undefined, offset: number): Details =>
  place === undefined
    ? {}
    : { byte: { offset: offset + place.at, found: place.found, expected: place.expected } };

function printWrongByte({ byte }: Details): string {
  if (byte === undefined) return "";
  const { offset, found, expected } = byte as { offset: number; found: number; expected: number };
  return `; the byte at offset ${offset} is ${printHex(found)}, ${printHex(expected)} would make it right`;
}
