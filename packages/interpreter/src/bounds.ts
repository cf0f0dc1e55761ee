import {
  type CellWindow,
  canAccess,
  type LinearMemory,
  type LiveRegion,
  PERM,
  WASM_PAGE_BYTES,
} from "@tsbpf/memory";

/** Words of one entry: four for each right. */
const ENTRY_WORDS = 12;
const RIGHT_WORDS = 4;
const ENTRY_COUNT = 64;

/** First words of the two entries that mean no region. */
export const ENTRY = {
  /** All of the memory: programs with proofs. */
  open: 0,
  /** Nothing: the first access of every instruction of a program without proofs. */
  never: ENTRY_WORDS,
} as const;

const FIRST_REMEMBERED = 2;
/** Longest span that one entry covers; what lies above is checked the long way. */
const SPAN_BYTES_MAX = 0x7fff_ffff;
const ACCESS_BYTES_MAX = 8;

/** The rights in the order of an entry's words. */
const RIGHTS = [PERM.read, PERM.write, PERM.readWrite] as const;

/** A region, or the windows of its cells, that an entry stands for. */
interface Remembered {
  readonly region: LiveRegion;
  readonly window: CellWindow | undefined;
}

/**
 * Bounds of the regions that a program's accesses met, as numbers for the loop.
 *
 * Computes: for each entry and right, where the region starts, how long it is, how long one element is, and the
 * distance of elements (0: one piece).
 * Assumes: `refresh` runs before the loop whenever a region may have moved or gone.
 * Guarantees: the loop lets an access through only where `canAccess` would. An entry that is given to another region
 * keeps the rights apart, so an instruction that remembers the old one is still checked for its own right.
 * Cost: nothing while the same instruction meets the same region.
 */
export class BoundsCache {
  readonly words = new Int32Array(ENTRY_COUNT * ENTRY_WORDS);
  /** The memory from its second page on; addresses in the loop count from there. */
  u8: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Where in it the last access of 8 bytes may start. */
  top = 0;
  private readonly entries: (Remembered | undefined)[] = new Array(ENTRY_COUNT).fill(undefined);
  private memory: LinearMemory | undefined;
  private openView: Uint8Array | undefined;
  private changes: { readonly count: number } = { count: 0 };
  private seenChanges = 0;
  private nextEntry = FIRST_REMEMBERED;

  constructor() {
    for (let i = 0; i < ENTRY_COUNT; i++) this.clear(i);
  }

  /** Makes the numbers those of the regions as they are now. */
  refresh(memory: LinearMemory): void {
    // Every memory has a view of its own.
    if (memory.u8 !== this.openView || this.changes.count !== this.seenChanges) this.renew(memory);
  }

  private renew(memory: LinearMemory): void {
    if (memory !== this.memory) this.bind(memory);
    if (memory.u8 !== this.openView) this.open(memory);
    const { count } = this.changes;
    if (count === this.seenChanges) return;
    this.seenChanges = count;
    for (let i = FIRST_REMEMBERED; i < ENTRY_COUNT; i++) {
      const entry = this.entries[i];
      if (entry === undefined) continue;
      if (entry.region.isListed) this.put(i, entry);
      else this.forget(i);
    }
  }

  /**
   * Remembers the region of an access that was allowed.
   *
   * @returns the first word of its entry, or {@link ENTRY.never} when the loop could not check such a region.
   */
  remember(memory: LinearMemory, lo: number): number {
    const region = memory.regions.at(lo >>> 0);
    if (region === undefined) return ENTRY.never;
    const window = windowAt(region, lo >>> 0);
    if (region.cells !== undefined && (window === undefined || (window.count ?? 1) !== 1)) return ENTRY.never;
    const known = this.entries.findIndex((entry) => entry?.region === region && entry.window === window);
    const idx = known < 0 ? this.take() : known;
    this.entries[idx] = { region, window };
    this.put(idx, { region, window });
    return idx * ENTRY_WORDS;
  }

  private bind(memory: LinearMemory): void {
    this.memory = memory;
    this.changes = memory.regions.changes;
    this.seenChanges = this.changes.count;
    this.openView = undefined;
    for (let i = FIRST_REMEMBERED; i < ENTRY_COUNT; i++) this.forget(i);
  }

  private open(memory: LinearMemory): void {
    const { u8 } = memory;
    this.openView = u8;
    const bytes = u8.byteLength - WASM_PAGE_BYTES;
    this.u8 = new Uint8Array(u8.buffer, WASM_PAGE_BYTES, bytes);
    this.view = new DataView(u8.buffer, WASM_PAGE_BYTES, bytes);
    this.top = bytes - ACCESS_BYTES_MAX;
    const span = Math.min(bytes, SPAN_BYTES_MAX);
    for (const [right, perm] of RIGHTS.entries()) {
      // Atomics on shared memory leave the loop, to become real ones.
      if (perm === PERM.readWrite && memory.isShared) continue;
      this.words.set([0, span, span, 0], ENTRY.open + right * RIGHT_WORDS);
    }
  }

  private take(): number {
    const idx = this.nextEntry;
    this.nextEntry = idx + 1 < ENTRY_COUNT ? idx + 1 : FIRST_REMEMBERED;
    return idx;
  }

  private put(idx: number, { region, window }: Remembered): void {
    this.clear(idx);
    const start = region.start + (window?.offset ?? 0);
    const bytes = Math.min(region.end - start, SPAN_BYTES_MAX);
    if (bytes <= 0) return;
    const element = window === undefined ? bytes : window.bytes;
    const stride = window === undefined ? 0 : (region.cells?.stride ?? 0);
    const allowed = window === undefined ? region.perm : window.perm;
    for (const [right, perm] of RIGHTS.entries()) {
      if ((allowed & perm) !== perm || (perm === PERM.readWrite && this.memory?.isShared === true)) continue;
      this.words.set(
        [start - WASM_PAGE_BYTES, bytes, element, stride],
        idx * ENTRY_WORDS + right * RIGHT_WORDS,
      );
    }
  }

  private forget(idx: number): void {
    this.entries[idx] = undefined;
    this.clear(idx);
  }

  /** Bounds that no access meets. */
  private clear(idx: number): void {
    for (const right of RIGHTS.keys())
      this.words.set([0, -1, -1, 0], idx * ENTRY_WORDS + right * RIGHT_WORDS);
  }
}

/** Returns the window of a cell region that holds an address. */
function windowAt(region: LiveRegion, address: number): CellWindow | undefined {
  const { cells } = region;
  if (cells === undefined) return undefined;
  const within = (address - region.start) % cells.stride;
  return cells.windows.find(({ offset, bytes }) => within >= offset && within < offset + bytes);
}

/** Says whether the one check of `memory` allows an access, given both halves of its address. */
export const isAllowed = (
  memory: LinearMemory,
  lo: number,
  hi: number,
  size: number,
  perm: number,
): boolean => hi === 0 && canAccess(memory, lo, size, perm);
