/**
 * The block of linear memory through which generated code and the engine exchange what does not cross a call cheaply.
 * One a machine; no region covers it, so programs cannot reach it. Offsets from its start.
 */
export const CELL = {
  /** Halves of r0..r10 as helpers see them. */
  regs: 0,
  /** i64: instructions of the run so far, or with a budget what is left of it. */
  count: 88,
  /** u32: lowest address of the running frame's stack, where a call needs it. */
  frame: 96,
  /** u32: lowest address of the first frame of the program that runs; a tail call from a function moves it. */
  base: 124,
  /** u32: number of the CPU. */
  cpu: 100,
  /** i64: value of `count` at an access that is being checked. */
  countAtAccess: 104,
  /** u32: slot of the call that is being made, for calls that do not say it themselves. */
  slot: 116,
  /** u32: descriptor of the packet that a batch runs. */
  batchAt: 120,
  /** u32: fall-throughs of `may_goto`, when a run changes to exact code. */
  loops: 112,
  /** i64: the budget that each of several runs gets. */
  budget: 336,
  /** i64 each: r0..r5, then r6..r9 of every inlining level, when a run changes to exact code. */
  spill: 128,
  /** u32: successful tail calls of the run. */
  tailCalls: 344,
  /** Slots that tail calls went through, for effects: u32 address, each. */
  tailLog: 352,
  /** Where slots of program arrays lead, {@link TAIL} each. */
  tailCache: 512,
  /** Bounds of the regions that checked accesses look at, {@link BOUNDS} each. */
  bounds: 2560,
  /** The same for calls from frames above the first, whose targets run in a form of their own. */
  movedTailCache: 5184,
  /** Rounds of the loops around the node at which a run changes to exact code, {@link ROUNDS} for every level. */
  rounds: 7232,
  bytes: 7312,
} as const;

/**
 * An entry of the cache of tail calls, u32 each: address of the slot with the caller's mode in its low bits, number in
 * the slot, index in the table. The slot at address a is looked for at `(a << shift) & mask`.
 */
export const TAIL = { slot: 0, id: 4, target: 8, shift: 1, mask: 0x7f0 } as const;

/** Bounds of one region, i64 each: where it starts, and how many places an access of 1, 2, 4 or 8 bytes has in it. */
export const BOUNDS = { start: 0, places: 8, bytes: 40 } as const;

/** The first bounds are those of fixed regions, the others are remembered by the accesses that met them. */
export const BOUNDS_OF = { packet: 0, first: 1, count: 65 } as const;

/** What is kept of a loop's rounds: u32 rounds begun before, u32 how many there are, i64 what the caller gave. */
export const ROUNDS = { round: 0, times: 4, given: 8, bytes: 16 } as const;

/** Registers that a level of inlining spills, after the shared r0..r5. */
export const SPILL = { shared: 6, perLevel: 4 } as const;
