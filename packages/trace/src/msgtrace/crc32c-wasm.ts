/*
 * The inner loop of CRC-32C as a WebAssembly function: its machine code is good from the first call on, where JavaScript
 * runs slowly until it has been compiled again, which for a file of a few megabytes is most of the time.
 *
 * Memory: the sixteen tables of 256 words from 0 on, then the bytes to be summed.
 */

const TABLES_BYTES = 16 * 1024;
/** Bytes summed in one call; a multiple of 16. */
const WINDOW_BYTES = 256 * 1024;
const PAGE_BYTES = 65_536;
const STEP_BYTES = 16;
/** Fewer bytes are summed faster without copying them. */
export const WASM_BYTES_MIN = 512;

type Step = (crc: number, from: number, end: number) => number;

interface Machine {
  readonly step: Step;
  readonly window: Uint8Array;
}

/** Undefined until it is needed, null where WebAssembly may not be used. */
let machine: Machine | null | undefined;

/**
 * Goes on with a checksum over whole steps of 16 bytes.
 *
 * @param crc - the state so far, inverted as the algorithm keeps it.
 * @param bytes - a multiple of 16.
 * @returns the new state; undefined where WebAssembly may not be used.
 */
export function crcSteps(crc: number, bytes: Uint8Array, tables: Int32Array): number | undefined {
  if (machine === undefined) machine = createMachine(tables);
  if (machine === null) return undefined;
  const { step, window } = machine;
  let state = crc;
  for (let at = 0; at < bytes.length; at += WINDOW_BYTES) {
    const part = bytes.subarray(at, at + WINDOW_BYTES);
    window.set(part);
    state = step(state, TABLES_BYTES, TABLES_BYTES + part.length);
  }
  return state;
}

function createMachine(tables: Int32Array): Machine | null {
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(encodeModule()));
    const { buffer } = exports.memory as WebAssembly.Memory;
    new Int32Array(buffer, 0, tables.length).set(tables);
    return { step: exports.step as Step, window: new Uint8Array(buffer, TABLES_BYTES, WINDOW_BYTES) };
  } catch {
    return null;
  }
}

/** @source WebAssembly core specification 2.0 §5.4 "Instructions" */
const OP = {
  block: 0x02,
  loop: 0x03,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  localGet: 0x20,
  localSet: 0x21,
  i32Load: 0x28,
  i32Const: 0x41,
  i32GeU: 0x4f,
  i32Add: 0x6a,
  i32And: 0x71,
  i32Xor: 0x73,
  i32Shl: 0x74,
  i32ShrU: 0x76,
} as const;
const I32 = 0x7f;
const VOID = 0x40;
const LOCAL = { crc: 0, pos: 1, end: 2, word: 3, sum: 4 } as const;
const TABLE_BYTES = 1024;
const ENTRY_MASK = 0x3fc;

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return bytes;
}

/** A constant below 2^30, signed as the format wants it. */
function constant(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x3f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return [OP.i32Const, ...bytes, rest];
}

const get = (local: number): number[] => [OP.localGet, local];
const set = (local: number): number[] => [OP.localSet, local];
const load = (offset: number): number[] => [OP.i32Load, 2, ...unsigned(offset)];

/** Puts on the stack what one byte of the word contributes: its place in the word times 8, its distance to the end. */
function lookUp(shift: number, distance: number): number[] {
  const place = shift === 0 ? [...constant(2), OP.i32Shl] : [...constant(shift - 2), OP.i32ShrU];
  return [...get(LOCAL.word), ...place, ...constant(ENTRY_MASK), OP.i32And, ...load(distance * TABLE_BYTES)];
}

/** Words of a step; the one that the checksum so far goes into comes last, so that the others need not wait for it. */
const WORDS = [1, 2, 3, 0];

function body(): number[] {
  const words = WORDS.flatMap((idx) => {
    const word = [
      ...[...get(LOCAL.pos), ...load(4 * idx)],
      ...(idx === 0 ? [...get(LOCAL.crc), OP.i32Xor] : []),
    ];
    const terms = [0, 8, 16, 24].flatMap((shift, byte) => {
      const term = lookUp(shift, STEP_BYTES - 1 - 4 * idx - byte);
      return idx === WORDS[0] && byte === 0
        ? [...term, ...set(LOCAL.sum)]
        : [...get(LOCAL.sum), ...term, OP.i32Xor, ...set(LOCAL.sum)];
    });
    return [...word, ...set(LOCAL.word), ...terms];
  });
  return [
    ...[OP.block, VOID, OP.loop, VOID],
    ...[...get(LOCAL.pos), ...get(LOCAL.end), OP.i32GeU, OP.brIf, 1],
    ...words,
    ...[...get(LOCAL.sum), ...set(LOCAL.crc)],
    ...[...get(LOCAL.pos), ...constant(STEP_BYTES), OP.i32Add, ...set(LOCAL.pos)],
    ...[OP.br, 0, OP.end, OP.end],
    ...get(LOCAL.crc),
    OP.end,
  ];
}

const section = (id: number, content: readonly number[]): number[] => [
  id,
  ...unsigned(content.length),
  ...content,
];
const name = (text: string): number[] => [text.length, ...Array.from(text, (letter) => letter.charCodeAt(0))];

function encodeModule(): Uint8Array<ArrayBuffer> {
  const pages = Math.ceil((TABLES_BYTES + WINDOW_BYTES) / PAGE_BYTES);
  // One group of two locals beside the parameters.
  const code = [1, 2, I32, ...body()];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 3, I32, I32, I32, 1, I32]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, pages]),
    ...section(7, [2, ...name("memory"), 2, 0, ...name("step"), 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}
