import { MAP_FLAGS, type MapTypeName } from "@tsbpf/abi";
import { LIMITS } from "@tsbpf/base";
import { isFuncPointer, type LinkedProg, type Target } from "@tsbpf/runtime";
import type { Block, Code } from "./blocks.ts";
import { knownArgument } from "./operands.ts";

type Helper = Extract<Target, { kind: "helper" }>["helper"];
export type LiveMap = LinkedProg["maps"][number];

/** A helper call that becomes code of its own. */
export type Lowered =
  | { readonly kind: "lookup"; readonly map: LiveMap }
  | { readonly kind: "update"; readonly map: LiveMap }
  | { readonly kind: "delete"; readonly map: LiveMap }
  /** A tail call through a known program array. */
  | { readonly kind: "tail"; readonly map: LiveMap }
  | { readonly kind: "cpu" }
  | { readonly kind: "loop"; readonly funcIdx: number }
  | { readonly kind: "words"; readonly helper: Helper; readonly argCount: number };

/** Map types whose lookup generated code knows. */
const LOOKUP_TYPES: ReadonlySet<MapTypeName> = new Set<MapTypeName>([
  "array",
  "percpu_array",
  "hash",
  "percpu_hash",
  "lru_hash",
  "lru_percpu_hash",
  "lpm_trie",
]);

/** Bytes of the addresses whose tries generated code walks; keys hold the length of a prefix before them. */
const TRIE_KEY_BYTES: readonly number[] = [8, 12, 20];

/** Keys longer than this are compared by the map's own code. */
const KEY_BYTES_MAX = 64;

const R1 = 1;
const R2 = 2;
const R3 = 3;

/**
 * Decides which helper calls become code of their own.
 *
 * Assumes: the helper says that its work may be done so (`wasm` of the plugin). Guarantees: map and callback are the
 * same on all ways to the call, by the verifier's word or by the block alone; in a program without proofs, keys and
 * values lie in the frame of the caller, so that nothing is left to check at run time.
 */
export function lowerCall(code: Code, prog: LinkedProg, block: Block, target: Target): Lowered | undefined {
  if (target.kind === "tail_call") return lowerTail(code, prog, block);
  if (target.kind !== "helper" && target.kind !== "kfunc") return undefined;
  const { helper } = target;
  const { wasm } = helper;
  if (wasm === undefined) return undefined;
  const isProven = prog.facts !== undefined;
  if (wasm.kind === "words") {
    const argCount = helper.proto.args.length;
    return isProven || argCount === 0 ? { kind: "words", helper, argCount } : undefined;
  }
  switch (wasm.name) {
    case "smp_processor_id":
      return { kind: "cpu" };
    case "bpf_loop":
      return lowerLoop(code, prog, block);
    case "map_lookup_elem":
      return lowerMap(code, prog, block, "lookup");
    case "map_update_elem":
      return lowerMap(code, prog, block, "update");
    case "map_delete_elem":
      return lowerMap(code, prog, block, "delete");
  }
}

function lowerLoop(code: Code, prog: LinkedProg, block: Block): Lowered | undefined {
  // A program that throws must know whether a helper waits for one of its frames.
  for (const { kind } of prog.targets.values()) if (kind === "throw") return undefined;
  const known = knownArgument(code, block, R2);
  const slot =
    known?.kind === "constant" && isFuncPointer(known.hi)
      ? known.lo
      : prog.facts?.callbackSlot?.get(block.last);
  const func = slot === undefined ? undefined : prog.funcs.find(({ start }) => start === slot);
  return func === undefined || func.idx === 0 ? undefined : { kind: "loop", funcIdx: func.idx };
}

function lowerTail(code: Code, prog: LinkedProg, block: Block): Lowered | undefined {
  const map = mapAt(code, prog, block, R2);
  return map?.progSlots === undefined ? undefined : { kind: "tail", map };
}

function lowerMap(
  code: Code,
  prog: LinkedProg,
  block: Block,
  kind: "lookup" | "update" | "delete",
): Lowered | undefined {
  const map = mapAt(code, prog, block, R1);
  if (map === undefined) return undefined;
  const { type, keyBytes, valueBytes, valueFields } = map.spec;
  const isLookup = kind === "lookup";
  if (isLookup && (!LOOKUP_TYPES.has(type) || keyBytes > KEY_BYTES_MAX)) return undefined;
  if (isLookup && type === "lpm_trie" && !TRIE_KEY_BYTES.includes(keyBytes)) return undefined;
  if (!isProvenMemory(code, prog, block, R2, keyBytes)) return undefined;
  // Who waits in vain for the lock in a value ends the run there, which only calls through the engine can.
  if (kind === "update" && valueFields?.some((field) => field.kind === "bpf_spin_lock")) return undefined;
  if (kind === "update" && !isProvenMemory(code, prog, block, R3, valueBytes)) return undefined;
  return { kind, map };
}

function mapAt(code: Code, prog: LinkedProg, block: Block, reg: number): LiveMap | undefined {
  const idx = prog.facts?.callMapIdx?.get(block.last);
  if (idx !== undefined) return prog.maps[idx];
  const known = knownArgument(code, block, reg);
  if (known?.kind !== "constant" || known.hi !== 0) return undefined;
  return prog.maps.find((map) => map.address === known.lo >>> 0);
}

/** Whether an argument is known to point to so many bytes that the caller may read. */
function isProvenMemory(code: Code, prog: LinkedProg, block: Block, reg: number, bytes: number): boolean {
  if (prog.facts !== undefined) return true;
  const known = knownArgument(code, block, reg);
  return known?.kind === "frame" && known.offset >= -LIMITS.stackBytes && known.offset + bytes <= 0;
}

/** Whether an update of a present key only swaps elements, as preallocated hash maps without special fields do. */
export const swapsElements = ({ spec }: LiveMap): boolean =>
  spec.type === "hash" &&
  (spec.flags & MAP_FLAGS.noPrealloc) === 0 &&
  (spec.valueFields?.length ?? 0) === 0 &&
  spec.keyBytes <= KEY_BYTES_MAX;

/** Whether the elements of a map are found by following links, which an update beside may be changing. */
const isLinked = ({ spec }: LiveMap): boolean => spec.type.endsWith("hash") || spec.type === "lpm_trie";

/** Whether a map on memory that threads share counts its changes, so that lookups need no lock while there are none. */
export const isWatched = ({ spec }: LiveMap): boolean => spec.type === "hash" || spec.type === "percpu_hash";

/**
 * Whether a call may go to the map itself: all changes do, and on memory that threads share what changes may happen
 * beside, which the map's lock keeps apart; of watched maps only while they happen.
 */
export const callsMap = (lowered: Lowered, isShared: boolean): boolean =>
  lowered.kind === "update" ||
  lowered.kind === "delete" ||
  (lowered.kind === "lookup" && isShared && isLinked(lowered.map));
