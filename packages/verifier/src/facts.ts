import type { RegionKind, VerifiedFacts } from "@tsbpf/abi";
import { isConst } from "./domain/scalar.ts";
import type { Env } from "./env.ts";
import { REG, type Reg, type RegBase } from "./state/reg.ts";

const REGIONS: Readonly<Partial<Record<RegBase, RegionKind>>> = {
  [REG.ctx]: "ctx",
  [REG.stack]: "stack",
  [REG.pkt]: "packet",
  [REG.pktMeta]: "packet_meta",
  [REG.mapValue]: "map_value",
  [REG.mapKey]: "map_key",
  [REG.mem]: "mem",
  [REG.buf]: "mem",
  [REG.arena]: "arena",
  [REG.sock]: "sock",
  [REG.sockCommon]: "sock",
  [REG.tcpSock]: "sock",
  [REG.xdpSock]: "sock",
  [REG.btfId]: "btf",
  [REG.mapPtr]: "btf",
};

/** What the walk notes for the engines; a second, different visit takes a fact back. */
export interface FactNotes {
  /** Type of the pointer of a load, store or atomic by slot; 0 where none was walked, {@link MIXED} where they differ. */
  readonly accessBase: Uint8Array;
  /** Undefined where visits differ. */
  readonly callMapIdx: Map<number, number | undefined>;
  readonly callbackSlot: Map<number, number | undefined>;
  readonly callConstants: Map<number, Map<number, bigint | undefined>>;
}

export const createNotes = (len: number): FactNotes => ({
  accessBase: new Uint8Array(len),
  callMapIdx: new Map(),
  callbackSlot: new Map(),
  callConstants: new Map(),
});

const MIXED = 0xff;

/** Notes what a load, store or atomic touches. */
export function noteAccess(env: Env, slot: number, { type }: Reg): void {
  const { accessBase } = env.notes;
  const known = accessBase[slot] as number;
  if (known === type) return;
  const isSame = known === REG.notInit || REGIONS[known as RegBase] === REGIONS[type];
  accessBase[slot] = isSame ? type : MIXED;
}

function note<V>(map: Map<number, V | undefined>, slot: number, value: V): void {
  if (!map.has(slot)) map.set(slot, value);
  else if (map.get(slot) !== value) map.set(slot, undefined);
}

/** Notes the map that a call gets; states that prune each other agree on it. */
export const noteCallMap = (env: Env, slot: number, mapIdx: number): void =>
  note(env.notes.callMapIdx, slot, mapIdx);

/** Notes the function that a call gets. */
export const noteCallback = (env: Env, slot: number, start: number): void =>
  note(env.notes.callbackSlot, slot, start);

/**
 * Notes a number that a call gets. Only for registers marked precise: others may differ on paths that were pruned.
 */
export function notePreciseArg(env: Env, slot: number, regno: number, reg: Reg): void {
  const { callConstants } = env.notes;
  let args = callConstants.get(slot);
  if (args === undefined) {
    args = new Map();
    callConstants.set(slot, args);
  }
  if (isConst(reg.val)) note(args, regno, reg.val.umin);
  else args.set(regno, undefined);
}

function settled<V>(map: ReadonlyMap<number, V | undefined>): Map<number, V> {
  const facts = new Map<number, V>();
  for (const [slot, value] of map) if (value !== undefined) facts.set(slot, value);
  return facts;
}

function regionsOf({ accessBase }: FactNotes): Map<number, RegionKind> {
  const regions = new Map<number, RegionKind>();
  for (let slot = 0; slot < accessBase.length; slot++) {
    const type = accessBase[slot] as number;
    if (type !== REG.notInit) regions.set(slot, REGIONS[type as RegBase] ?? "unknown");
  }
  return regions;
}

/** Collects what engines may rely on. */
export function factsOf(env: Env): VerifiedFacts {
  const { notes } = env;
  const callConstants = new Map<number, ReadonlyMap<number, bigint>>();
  for (const [slot, args] of notes.callConstants) {
    const constants = settled(args);
    if (constants.size > 0) callConstants.set(slot, constants);
  }
  return {
    reached: env.seen,
    liveBefore: env.liveRegs,
    stackBytes: env.subprogs.map((subprog) => subprog.stackBytes),
    funcStarts: env.subprogs.map((subprog) => subprog.start),
    accessRegion: regionsOf(notes),
    callMapIdx: new Map([...settled(notes.callMapIdx)].filter(([, idx]) => idx >= 0)),
    callConstants,
    callbackSlot: settled(notes.callbackSlot),
    liveIn: new Map(env.subprogs.map((subprog) => [subprog.start, env.liveRegs[subprog.start] ?? 0])),
  };
}
