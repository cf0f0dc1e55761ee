import { type KernelRef, MAP_FLAGS, type ProgSpec } from "@tsbpf/abi";
import { hiOf, joinU64, loOf } from "@tsbpf/base";
import { type Insn, isWide, LD_IMM64_OP, rowOf, type WideKind } from "@tsbpf/isa";
import type { BpfMap } from "@tsbpf/plugin";
import { FUNC_POINTER_HI, funcPointerLo } from "../target.ts";
import { mayBe } from "./op-kinds.ts";
import { refuse } from "./refuse.ts";

/** What wide loads of a program may name. */
export interface WideSources {
  readonly spec: ProgSpec;
  readonly maps: readonly BpfMap[];
  /** Map index by slot. */
  readonly mapRefs: ReadonlyMap<number, number>;
  readonly kernelRefs: ReadonlyMap<number, KernelRef>;
  /** Addresses of kernel variables by name. */
  readonly ksyms: ReadonlyMap<string, bigint>;
}

/** Lies in page 0, which nothing ever writes: a key of zeros for any map. */
const ZERO_KEY_ADDRESS = 0;

/**
 * Turns every wide load into the load of a plain constant (reference isa.md §9).
 *
 * @throws LINK_MAP, LINK_MAP_VALUE, LINK_KSYM (InputError).
 */
export function resolveWideLoads(sources: WideSources): Insn[] {
  const insns = [...sources.spec.insns];
  for (let slot = 0; slot < insns.length; slot++) {
    const insn = insns[slot] as Insn;
    if (!isWide(insn)) continue;
    const value = wideValue(sources, slot, insn, insns[slot + 1] as Insn);
    insns[slot] = { op: LD_IMM64_OP, dst: insn.dst, src: 0, off: 0, imm: loOf(value) };
    insns[slot + 1] = { op: 0, dst: 0, src: 0, off: 0, imm: hiOf(value) };
    slot++;
  }
  return insns;
}

function wideValue(sources: WideSources, slot: number, insn: Insn, half: Insn): bigint {
  const action = rowOf(insn)?.action;
  const kind: WideKind = action?.kind === "wide" ? action.wideKind : "imm";
  switch (kind) {
    case "imm": {
      const ref = sources.kernelRefs.get(slot);
      return ref === undefined ? joinU64(insn.imm, half.imm) : ksymValue(sources, slot, ref);
    }
    case "map_fd":
    case "map_idx":
      return BigInt(mapOf(sources, slot, insn, kind).address);
    case "map_value":
    case "map_idx_value":
      return BigInt(mapValueAddress(sources, slot, mapOf(sources, slot, insn, kind), half.imm >>> 0));
    case "btf_id": {
      const ref = sources.kernelRefs.get(slot);
      if (ref !== undefined) return ksymValue(sources, slot, ref);
      throw refuse("LINK_KSYM", sources.spec, slot, `type id ${insn.imm} of a kernel symbol without a name`);
    }
    case "func":
      return joinU64(funcPointerLo(slot + 1 + insn.imm), FUNC_POINTER_HI);
  }
}

function mapOf({ spec, maps, mapRefs }: WideSources, slot: number, insn: Insn, kind: WideKind): BpfMap {
  const isIndexed = kind === "map_idx" || kind === "map_idx_value";
  const idx = mapRefs.get(slot) ?? (isIndexed ? insn.imm : undefined);
  if (idx === undefined)
    throw refuse("LINK_MAP", spec, slot, `no map is named for file descriptor ${insn.imm}`);
  const map = maps[idx];
  if (map === undefined) {
    throw refuse("LINK_MAP", spec, slot, `map ${idx} is named, the program has ${maps.length}`, {
      mapIdx: idx,
    });
  }
  return map;
}

/** Finds the address of a byte of a map's first value, as Linux allows it: for maps with one directly addressable value. */
function mapValueAddress({ spec }: WideSources, slot: number, map: BpfMap, offset: number): number {
  const { name, type, maxEntries, valueBytes } = map.spec;
  const isOneValue = type === "array" && maxEntries === 1;
  if (!isOneValue && type !== "arena" && type !== "insn_array") {
    throw refuse(
      "LINK_MAP_VALUE",
      spec,
      slot,
      `value of map ${name}, a ${type} of ${maxEntries} entries, only an array of 1 entry has a constant address`,
      { map: name },
    );
  }
  if (isOneValue && offset >= valueBytes) {
    throw refuse(
      "LINK_MAP_VALUE",
      spec,
      slot,
      `offset ${offset} in a value of ${valueBytes} bytes of map ${name}`,
      {
        map: name,
        offset,
      },
    );
  }
  const address = map.lookup(ZERO_KEY_ADDRESS, 0);
  if (address === 0)
    throw refuse("LINK_MAP_VALUE", spec, slot, `map ${name} gives no address of its value`, { map: name });
  return address + offset;
}

function ksymValue({ spec, ksyms }: WideSources, slot: number, ref: KernelRef): bigint {
  const value = ksyms.get(ref.name);
  if (value !== undefined) return value;
  if (ref.isWeak) return 0n;
  throw refuse("LINK_KSYM", spec, slot, `kernel symbol ${ref.name} has no value here`, { name: ref.name });
}

/**
 * Returns what a cast to the user's view of the arena adds to a pointer (ISA-43).
 *
 * @throws LINK_ARENA (InputError) when the program casts and has no arena.
 */
export function arenaUserHi(spec: ProgSpec, maps: readonly BpfMap[]): number {
  const slot = spec.insns.findIndex(
    (insn) => mayBe(insn, "addr_cast") && rowOf(insn)?.action.kind === "addr_cast",
  );
  if (slot < 0) return 0;
  const arena = maps.find((map) => map.spec.type === "arena");
  if (arena === undefined)
    throw refuse("LINK_ARENA", spec, slot, "addr_space_cast in a program without an arena map");
  return (arena.spec.flags & MAP_FLAGS.noUserConv) !== 0 ? 0 : hiOf(arena.spec.mapExtra ?? 0n);
}
