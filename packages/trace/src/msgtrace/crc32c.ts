import { type ChecksumMemory, crcSteps, createSummer, type Summer, WASM_BYTES_MIN } from "./crc32c-wasm.ts";

/*
 * Computes CRC-32C (Castagnoli), 16 bytes a step: every table answers for one byte position of the step, so the
 * sixteen lookups do not wait for each other. That is ten times as fast as a byte-wise loop; the generated code that
 * takes long rows, see crc32c-wasm.ts, is several times faster again.
 */

/** The polynomial, bits reversed. @source RFC 3720 §12.1 */
const POLYNOMIAL = 0x82f6_3b78;
const STEP_BYTES = 16;
const TABLE_SIZE = 256;

const TABLES = createTables();

function createTables(): Int32Array {
  const tables = new Int32Array(STEP_BYTES * TABLE_SIZE);
  for (let byte = 0; byte < TABLE_SIZE; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
    tables[byte] = crc;
  }
  for (let i = TABLE_SIZE; i < tables.length; i++) {
    const shorter = tables[i - TABLE_SIZE] ?? 0;
    tables[i] = (shorter >>> 8) ^ (tables[shorter & 0xff] ?? 0);
  }
  return tables;
}

/** Looks up what the byte of `word` at `shift` contributes from `distance` bytes before the end of the step. */
const at = (distance: number, word: number, shift: number): number =>
  TABLES[distance * TABLE_SIZE + ((word >>> shift) & 0xff)] ?? 0;

/** Returns the CRC-32C of `bytes[start .. end)`, 0..2^32-1. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.byteLength): number {
  return sum(bytes, start, end, undefined);
}

/** Returns a CRC-32C that takes bytes of a linear memory where they lie, and others as {@link crc32c} does. */
export function crc32cIn(memory: ChecksumMemory): (bytes: Uint8Array) => number {
  const summer = createSummer(memory, TABLES);
  return (bytes) => sum(bytes, 0, bytes.byteLength, summer);
}

function sum(bytes: Uint8Array, start: number, end: number, summer: Summer | undefined): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let crc = -1;
  let pos = start;
  if (end - start >= WASM_BYTES_MIN) {
    const stepsEnd = end - ((end - start) % STEP_BYTES);
    const state = crcSteps(crc, bytes.subarray(start, stepsEnd), TABLES, summer);
    if (state !== undefined) {
      crc = state;
      pos = stepsEnd;
    }
  }
  for (; pos + STEP_BYTES <= end; pos += STEP_BYTES) {
    const a = view.getInt32(pos, true) ^ crc;
    const b = view.getInt32(pos + 4, true);
    const c = view.getInt32(pos + 8, true);
    const d = view.getInt32(pos + 12, true);
    crc = at(15, a, 0) ^ at(14, a, 8) ^ at(13, a, 16) ^ at(12, a, 24);
    crc ^= at(11, b, 0) ^ at(10, b, 8) ^ at(9, b, 16) ^ at(8, b, 24);
    crc ^= at(7, c, 0) ^ at(6, c, 8) ^ at(5, c, 16) ^ at(4, c, 24);
    crc ^= at(3, d, 0) ^ at(2, d, 8) ^ at(1, d, 16) ^ at(0, d, 24);
  }
  for (; pos < end; pos++) crc = (crc >>> 8) ^ (TABLES[(crc ^ view.getUint8(pos)) & 0xff] ?? 0);
  return ~crc >>> 0;
}

/** A byte that, had it the value `expected`, would make a checksum right. */
export interface WrongByte {
  readonly at: number;
  readonly expected: number;
}

/** Places that `locateWrongByte` returns at most; more say nothing. */
const PLACES_MAX = 4;

/**
 * Finds the single bytes whose change would give `bytes[start .. end)` the checksum `crc`: a checksum is linear, so what
 * the wrong byte did to it is followed back towards the start, one step a byte.
 *
 * @returns places from the end to the start; for a byte that really was changed there is nearly always just that one.
 */
export function locateWrongByte(bytes: Uint8Array, start: number, end: number, crc: number): WrongByte[] {
  const found: WrongByte[] = [];
  let difference = crc32c(bytes, start, end) ^ crc;
  if (difference === 0) return found;
  for (let at = end - 1; at >= start && found.length < PLACES_MAX; at--) {
    const change = INDEX_OF_TOP[difference >>> 24] ?? 0;
    const entry = TABLES[change] ?? 0;
    if (entry === difference) found.push({ at, expected: (bytes[at] ?? 0) ^ change });
    difference = ((difference ^ entry) << 8) | change;
  }
  return found;
}

/** Which entry of the first table has a top byte; each has another. */
const INDEX_OF_TOP = createTopIndex();

function createTopIndex(): Uint8Array {
  const index = new Uint8Array(TABLE_SIZE);
  for (let byte = 0; byte < TABLE_SIZE; byte++) index[(TABLES[byte] ?? 0) >>> 24] = byte;
  return index;
}
