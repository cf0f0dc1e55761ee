import { CRC32C } from "./crc32c.gen.ts";

/*
 * CRC-32C as a WebAssembly function, see gen/crc32c.wat: its machine code is good from the first call on, where
 * JavaScript runs slowly until it has been compiled again, which for a file of a few megabytes is most of the time.
 */

const TABLES_BYTES = 16 * 1024;
const MOVED_BYTES = 5280 + 16 * 1024;
/** Bytes of its own that the function needs in a memory. */
export const CHECKSUM_AREA_BYTES: number = TABLES_BYTES + MOVED_BYTES;
/** Bytes summed in one call; a multiple of 16. */
const WINDOW_BYTES = 256 * 1024;
const PAGE_BYTES = 65_536;
/** Fewer bytes are summed faster without copying them. */
export const WASM_BYTES_MIN = 512;

type Sum = (crc: number, from: number, end: number, area: number) => number;

/** A linear memory, of this thread alone, that blocks of traces may lie in: they are summed there, without a copy. */
export interface ChecksumMemory {
  readonly wasm: WebAssembly.Memory;
  /** Address of {@link CHECKSUM_AREA_BYTES} bytes, a multiple of 16, that nobody else uses. */
  readonly areaAddress: number;
}

/** A memory with the function that sums in it. */
export interface Summer {
  readonly memory: ChecksumMemory;
  readonly sum: Sum;
}

/** Makes the function for a memory; undefined where WebAssembly, or its vectors, may not be used. */
export function createSummer(memory: ChecksumMemory, tables: Int32Array): Summer | undefined {
  const module = compile();
  if (module === undefined) return undefined;
  const { exports } = new WebAssembly.Instance(module, { e: { m: memory.wasm } });
  new Int32Array(memory.wasm.buffer, memory.areaAddress, tables.length).set(tables);
  return { memory, sum: exports.sum as Sum };
}

/** Undefined until it is needed, null where WebAssembly may not be used. */
let compiled: WebAssembly.Module | null | undefined;

function compile(): WebAssembly.Module | undefined {
  if (compiled === undefined) {
    try {
      compiled = new WebAssembly.Module(Uint8Array.from(atob(CRC32C), (char) => char.charCodeAt(0)));
    } catch {
      compiled = null;
    }
  }
  return compiled ?? undefined;
}

/** The summer of bytes that lie in no memory that can be summed in: they are copied into its own. */
let own: Summer | null | undefined;

/**
 * Goes on with a checksum over whole steps of 16 bytes.
 *
 * @param crc - the state so far, inverted as the algorithm keeps it.
 * @param bytes - a multiple of 16.
 * @param summer - sums in place what lies in its memory.
 * @returns the new state; undefined where WebAssembly may not be used.
 */
export function crcSteps(
  crc: number,
  bytes: Uint8Array,
  tables: Int32Array,
  summer?: Summer,
): number | undefined {
  if (summer !== undefined && summer.memory.wasm.buffer === bytes.buffer) {
    const from = bytes.byteOffset;
    return summer.sum(crc, from, from + bytes.length, summer.memory.areaAddress);
  }
  if (own === undefined) own = createOwn(tables) ?? null;
  if (own === null) return undefined;
  const { memory, sum } = own;
  const window = new Uint8Array(memory.wasm.buffer, CHECKSUM_AREA_BYTES, WINDOW_BYTES);
  let state = crc;
  for (let at = 0; at < bytes.length; at += WINDOW_BYTES) {
    const part = bytes.subarray(at, at + WINDOW_BYTES);
    window.set(part);
    state = sum(state, CHECKSUM_AREA_BYTES, CHECKSUM_AREA_BYTES + part.length, memory.areaAddress);
  }
  return state;
}

function createOwn(tables: Int32Array): Summer | undefined {
  try {
    const initial = Math.ceil((CHECKSUM_AREA_BYTES + WINDOW_BYTES) / PAGE_BYTES);
    return createSummer({ wasm: new WebAssembly.Memory({ initial }), areaAddress: 0 }, tables);
  } catch {
    return undefined;
  }
}
