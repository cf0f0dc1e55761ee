/** What a region is for; traps name it. */
export type MemoryRegionKind =
  | "reserved"
  | "stack"
  | "ctx"
  | "packet"
  | "map"
  | "data"
  | "ringbuf"
  | "scratch"
  | "arena";

/** Rights of a program on a region: read and write as bits, so that a check is one mask. */
export const PERM = { none: 0, read: 1, write: 2, readWrite: 3 } as const;

/** A part of every cell that programs may touch: `count` spans of `bytes`, `stride` apart. */
export interface CellWindow {
  /** For people, e.g. `key` or `value`. */
  readonly name: string;
  /** From the start of the cell. */
  readonly offset: number;
  readonly bytes: number;
  /** Spans in one cell, e.g. one a CPU; 1 when omitted. */
  readonly count?: number;
  /** Bytes from one span to the next; needed when `count` is more than 1. */
  readonly stride?: number;
  /** Bits of {@link PERM}. */
  readonly perm: number;
}

/** A region made of equal cells, of which only the windows may be touched, one window an access. */
export interface Cells {
  readonly stride: number;
  readonly windows: readonly CellWindow[];
}

/** A span of linear memory that one access may not leave. */
export interface Region {
  /** First address. */
  readonly start: number;
  /** One past the last address; a packet's region shrinks and grows, so it may change. */
  readonly end: number;
  /** Bits of {@link PERM}; windows of cells have their own. */
  readonly perm: number;
  readonly kind: MemoryRegionKind;
  /** For people, e.g. `stack frame 1` or `map flows`. */
  readonly name: string;
  readonly cells?: Cells | undefined;
}

/** Counts what makes remembered bounds of regions wrong: moves and removals. */
export interface ChangeCount {
  count: number;
}

/**
 * A region in a table. Its owner may move its ends within the span that it was added with: nothing else lies there,
 * so the table stays sorted and nothing has to be looked up again.
 */
export class LiveRegion implements Region {
  /** False once the table forgot the region. */
  isListed = true;
  start: number;
  end: number;
  perm: number;
  readonly kind: MemoryRegionKind;
  readonly name: string;
  readonly cells: Cells | undefined;
  readonly spanStart: number;
  readonly spanEnd: number;
  private readonly changes: ChangeCount;

  constructor(region: Region, changes: ChangeCount) {
    this.changes = changes;
    this.start = region.start;
    this.end = region.end;
    this.perm = region.perm;
    this.kind = region.kind;
    this.name = region.name;
    this.cells = region.cells;
    this.spanStart = region.start;
    this.spanEnd = region.end;
  }

  /** Moves both ends; what lies outside the span is cut off, so that no other region is ever covered. */
  move(start: number, end: number): void {
    if (start === this.start && end === this.end) return;
    const from = Math.min(Math.max(start, this.spanStart), this.spanEnd);
    const to = Math.min(Math.max(end, from), this.spanEnd);
    if (from === this.start && to === this.end) return;
    this.start = from;
    this.end = to;
    this.changes.count++;
  }
}

/** Where an offset of a region with cells points. */
export interface CellPlace {
  readonly index: number;
  readonly window: CellWindow | undefined;
  /** Offset within the span of the window, or within the cell when no window holds it. */
  readonly offset: number;
}

/** Finds the window that holds an offset from the start of the region. */
export function locateInCells(cells: Cells, offset: number): CellPlace {
  const index = Math.floor(offset / cells.stride);
  const within = offset - index * cells.stride;
  for (const window of cells.windows) {
    const from = within - window.offset;
    const stride = window.stride ?? window.bytes;
    const span = Math.floor(from / stride);
    if (from < 0 || span >= (window.count ?? 1)) continue;
    const inside = from - span * stride;
    if (inside < window.bytes) return { index, window, offset: inside };
  }
  return { index, window: undefined, offset: within };
}

/** Says whether one window of one cell holds the access and allows it; allocates nothing. */
export function cellsAllow(cells: Cells, offset: number, size: number, perm: number): boolean {
  const { windows } = cells;
  const within = offset % cells.stride;
  for (let i = 0; i < windows.length; i++) {
    const window = windows[i] as CellWindow;
    const from = within - window.offset;
    if (from < 0) continue;
    const count = window.count ?? 1;
    const stride = window.stride ?? window.bytes;
    const inside = count === 1 ? from : from % stride;
    if (from - inside >= count * stride || inside + size > window.bytes) continue;
    return (window.perm & perm) === perm;
  }
  return false;
}
