import type { RegMask } from "@tsbpf/isa";

/** What a memory access touches, as far as the verifier proved it. */
export type RegionKind =
  | "ctx"
  | "stack"
  | "packet"
  | "packet_meta"
  | "map_value"
  | "map_key"
  | "mem"
  | "arena"
  | "sock"
  | "btf"
  | "unknown";

/** Facts that a verified program hands to the engines; every field is optional knowledge, absence means "check". */
export interface VerifiedFacts {
  /** Per slot: whether any path reaches it. */
  readonly reached: Uint8Array;
  /** Per slot: registers live before it. */
  readonly liveBefore: Uint16Array;
  /** Stack bytes of each function, by function index. */
  readonly stackBytes: readonly number[];
  /** Start slots of the functions, ascending. */
  readonly funcStarts: readonly number[];
  /** Region of a load, store or atomic by slot. */
  readonly accessRegion: ReadonlyMap<number, RegionKind>;
  /** Map index of a helper call whose map argument is the same on all paths, by slot of the call. */
  readonly callMapIdx: ReadonlyMap<number, number>;
  /** Constant scalar arguments of a call that are the same on all paths: slot → register → value. */
  readonly callConstants: ReadonlyMap<number, ReadonlyMap<number, bigint>>;
  /** Function start slot of a callback argument that is the same on all paths, by slot of the call. */
  readonly callbackSlot: ReadonlyMap<number, number>;
  /** Registers that a function reads before it writes them, by start slot: what a call must pass. */
  readonly liveIn: ReadonlyMap<number, RegMask>;
}
