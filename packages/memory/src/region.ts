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

/** A span of linear memory that one access may not leave. */
export interface Region {
  /** First address. */
  readonly start: number;
  /** One past the last address; a packet's region shrinks and grows, so it may change. */
  readonly end: number;
  /** Bits of {@link PERM}. */
  readonly perm: number;
  readonly kind: MemoryRegionKind;
  /** For people, e.g. `stack frame 1` or `map flows`. */
  readonly name: string;
}
