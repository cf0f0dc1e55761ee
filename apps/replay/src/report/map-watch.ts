import { equalBytes } from "@tsbpf/base";
import type { BpfMap } from "@tsbpf/plugin";
import type { Machine, MemAccess, RunHooks } from "@tsbpf/runtime";
import { mapUseOf } from "../calls/labels.ts";
import { peekBytes } from "../calls/values.ts";

/** What a run did to one element. */
export interface MapChange {
  readonly map: BpfMap;
  /** Empty for queues and stacks, whose elements have none. */
  readonly key: Uint8Array;
  /** Undefined when the element is new. */
  readonly before: Uint8Array | undefined;
  /** Undefined when the element is gone. */
  readonly after: Uint8Array | undefined;
}

/** Maps of more elements are not compared as a whole. */
const WHOLE_ENTRIES_MAX = 65_536;

/** Elements of one map that a run may have changed, as they were before. */
interface Touched {
  readonly byKey: Map<string, { readonly key: Uint8Array; readonly before: Uint8Array | undefined }>;
  /** All elements before, where a call may have changed any of them. */
  whole: readonly (readonly [Uint8Array, Uint8Array])[] | undefined;
}

const keyText = (key: Uint8Array): string => String.fromCharCode(...key);

/**
 * Finds what a run changes in maps: it keeps what the elements held that calls name and stores reach, and compares
 * when the run is over. Walks of a map, queues, and maps that drop elements on their own are compared as a whole.
 */
export class MapWatch {
  private readonly maps: ReadonlyMap<string, BpfMap>;
  private readonly touched = new Map<BpfMap, Touched>();
  /** Maps that the run may have changed anywhere, too large to compare. */
  readonly skipped = new Set<BpfMap>();

  constructor(maps: ReadonlyMap<string, BpfMap>) {
    this.maps = maps;
  }

  /** Listeners for a run; forgets the run before. */
  hooks(): RunHooks {
    this.touched.clear();
    this.skipped.clear();
    return {
      onCall: (machine, { target }, regs) => {
        if (!("helper" in target)) return;
        const use = mapUseOf(target.helper, machine, regs);
        if (use !== undefined) this.noteCall(use.map, use.keyAddress, machine);
      },
      onMem: (machine, access) => {
        if (access.kind !== "load") this.noteStore(machine, access);
      },
    };
  }

  /** Lists what is different now, by map in the order in which they were touched. */
  changes(): MapChange[] {
    const changes: MapChange[] = [];
    for (const [map, { byKey, whole }] of this.touched) {
      if (whole !== undefined) {
        changes.push(...compareWhole(map, whole));
        continue;
      }
      for (const { key, before } of byKey.values()) {
        const after = lookUp(map, key);
        if (!isSame(before, after)) changes.push({ map, key, before, after });
      }
    }
    return changes;
  }

  private entryOf(map: BpfMap): Touched {
    let touched = this.touched.get(map);
    if (touched === undefined) {
      touched = { byKey: new Map(), whole: undefined };
      this.touched.set(map, touched);
    }
    return touched;
  }

  private noteCall(map: BpfMap, keyAddress: bigint | undefined, machine: Machine): void {
    if (map.progSlots !== undefined || map.ring !== undefined || map.hostSlots !== undefined) return;
    const key = keyAddress === undefined ? undefined : peekBytes(machine, keyAddress, map.spec.keyBytes);
    if (key === undefined || /lru/.test(map.spec.type)) this.noteWhole(map);
    if (key !== undefined) this.noteKey(map, key);
  }

  private noteWhole(map: BpfMap): void {
    const touched = this.entryOf(map);
    if (touched.whole !== undefined) return;
    if (map.spec.maxEntries > WHOLE_ENTRIES_MAX) this.skipped.add(map);
    else touched.whole = [...map.entries()];
  }

  private noteKey(map: BpfMap, key: Uint8Array): void {
    const { byKey } = this.entryOf(map);
    const text = keyText(key);
    if (!byKey.has(text)) byKey.set(text, { key, before: lookUp(map, key) });
  }

  /** A store into an array, global data included: its cells are in the order of their keys. */
  private noteStore(machine: Machine, { lo, hi }: MemAccess): void {
    if (hi !== 0) return;
    const region = machine.env.memory.regions.at(lo >>> 0);
    if (region?.kind !== "map" || region.cells?.windows[0]?.offset !== 0) return;
    const name = /^map (.*?)(?: of cpu \d+)?$/.exec(region.name)?.[1];
    const map = name === undefined ? undefined : this.maps.get(name);
    if (map === undefined || map.spec.keyBytes !== 4) return;
    const key = new Uint8Array(4);
    new DataView(key.buffer).setUint32(
      0,
      Math.floor(((lo >>> 0) - region.start) / region.cells.stride),
      true,
    );
    this.noteKey(map, key);
  }
}

function lookUp(map: BpfMap, key: Uint8Array): Uint8Array | undefined {
  const value = map.get(key);
  return typeof value === "number" ? undefined : value;
}

const isSame = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : equalBytes(a, b);

function* compareWhole(
  map: BpfMap,
  before: readonly (readonly [Uint8Array, Uint8Array])[],
): Generator<MapChange> {
  if (map.spec.keyBytes === 0) {
    yield* compareQueues(map, before);
    return;
  }
  const old = new Map(before.map(([key, value]) => [keyText(key), { key, value }]));
  for (const [key, value] of map.entries()) {
    const was = old.get(keyText(key))?.value;
    old.delete(keyText(key));
    if (!isSame(was, value)) yield { map, key, before: was, after: value };
  }
  for (const { key, value } of old.values()) yield { map, key, before: value, after: undefined };
}

/** Elements of a queue come and go at its ends; what both lists share in the middle has not changed. */
function* compareQueues(
  map: BpfMap,
  before: readonly (readonly [Uint8Array, Uint8Array])[],
): Generator<MapChange> {
  const was = before.map(([, value]) => value);
  const is = [...map.entries()].map(([, value]) => value);
  const [gone, fresh] = map.spec.type === "stack" ? stackEnds(was, is) : queueEnds(was, is);
  const key = new Uint8Array(0);
  for (const value of gone) yield { map, key, before: value, after: undefined };
  for (const value of fresh) yield { map, key, before: undefined, after: value };
}

type Ends = readonly [gone: readonly Uint8Array[], fresh: readonly Uint8Array[]];

/** The oldest comes first and leaves first. */
function queueEnds(was: readonly Uint8Array[], is: readonly Uint8Array[]): Ends {
  for (let goneCount = 0; goneCount <= was.length; goneCount++) {
    const kept = was.slice(goneCount);
    if (kept.length <= is.length && kept.every((value, idx) => isSame(value, is[idx]))) {
      return [was.slice(0, goneCount), is.slice(kept.length)];
    }
  }
  return [was, is];
}

/** The newest comes first and leaves first. */
function stackEnds(was: readonly Uint8Array[], is: readonly Uint8Array[]): Ends {
  let kept = 0;
  while (
    kept < Math.min(was.length, is.length) &&
    isSame(was[was.length - 1 - kept], is[is.length - 1 - kept])
  ) {
    kept++;
  }
  return [was.slice(0, was.length - kept), is.slice(0, is.length - kept)];
}
