/** What may be read of the stack slots of one function reached by one chain of calls, and of its callers' slots. */
export interface Marks {
  /** Call sites of the frames below, and the function's start: `(1,3)`. */
  readonly chain: string;
  /** Marks of the function below; null in the entry frame. */
  readonly outer: Marks | null;
  /** Marks of the functions above, by call site and start. */
  readonly inner: Map<number, Marks>;
  readonly start: number;
  readonly count: number;
  readonly depth: number;
  /** Masks of each frame's slots, by instruction; made when first needed. */
  readonly frames: (Int32Array | undefined)[];
  /** Whether an instruction's writes are known already, so that later visits intersect. */
  readonly isWriteSet: Uint8Array;
  readonly callsite: number;
  hasChanged: boolean;
  hasLostWrites: boolean;
}
