import { MAP_TYPES, type MapSpec, PROG_TYPES, type ProgSpec } from "@tsbpf/abi";
import { printHexBytes } from "@tsbpf/base";
import { parseBtf } from "@tsbpf/btf";
import { encodeInsns } from "@tsbpf/isa";
import type { KernelCase, KernelMap, KernelMapValue } from "./case.ts";

const PAGE_BYTES = 4096;

/** How a spec becomes a case. */
export interface FromSpecOptions {
  /** Programs that initial contents of program arrays name. */
  readonly progs?: readonly ProgSpec[];
  /** CPUs that a perf event array without a size gets entries for. */
  readonly cpuCount?: number;
}

/**
 * Makes the case that asks the kernel about a program as our loader gives it, with its maps filled.
 *
 * Type information goes along where the program has functions to describe; maps come without it.
 */
export function toKernelCase(spec: ProgSpec, options: FromSpecOptions = {}): KernelCase {
  const fixups = spec.mapRefs.map(({ slot, mapIdx }) => ({ insn: slot, map: mapIdx }));
  const hasRecords = (spec.funcInfo !== undefined || spec.funcs.length > 0) && spec.btf !== undefined;
  return {
    name: spec.name,
    prog_type: PROG_TYPES[spec.type],
    expected_attach_type: spec.attachType,
    flags: spec.flags,
    license: spec.license,
    prog_name: spec.name.slice(0, 15),
    insns: printHexBytes(encodeInsns(spec.insns)),
    maps: spec.maps.map((map) => toKernelMap(map, spec, options)),
    fixups,
    ...(hasRecords && spec.btf !== undefined
      ? {
          btf: printHexBytes(spec.btf),
          func_info: printHexBytes(spec.funcInfo?.bytes ?? encodeFuncs(spec)),
          func_info_rec_size: spec.funcInfo?.recordBytes ?? 8,
          ...(spec.lineInfo === undefined
            ? {}
            : {
                line_info: printHexBytes(spec.lineInfo.bytes),
                line_info_rec_size: spec.lineInfo.recordBytes,
              }),
        }
      : {}),
  };
}

function encodeFuncs(spec: ProgSpec): Uint8Array {
  const bytes = new Uint8Array(spec.funcs.length * 8);
  const view = new DataView(bytes.buffer);
  spec.funcs.forEach((func, idx) => {
    view.setUint32(idx * 8, func.slot, true);
    view.setUint32(idx * 8 + 4, func.btfTypeId, true);
  });
  return bytes;
}

function sizeOf(map: MapSpec, cpuCount: number): number {
  if (map.type === "perf_event_array" && map.maxEntries === 0) return cpuCount;
  if (map.type !== "ringbuf" && map.type !== "user_ringbuf") return map.maxEntries;
  let bytes = PAGE_BYTES;
  while (bytes < map.maxEntries) bytes *= 2;
  return bytes;
}

/** Whether values hold a lock, timer or pointer that the kernel must find through type information. */
function hasSpecialFields(map: MapSpec, spec: ProgSpec): boolean {
  if (map.btfValueTypeId === undefined || map.btfValueTypeId === 0 || spec.btf === undefined) return false;
  const text = JSON.stringify(parseBtf(spec.btf).type(map.btfValueTypeId), (_key, value: unknown) =>
    typeof value === "bigint" ? `${value}` : value,
  );
  return /bpf_(spin_lock|timer|wq|list_head|rb_root)/.test(text);
}

function toKernelMap(map: MapSpec, spec: ProgSpec, options: FromSpecOptions): KernelMap {
  const init = (map.contents ?? []).flatMap(({ key, value }) => {
    const given = toValue(value, spec, options);
    return given === undefined ? [] : [[printHexBytes(key), given] as const];
  });
  return {
    type: MAP_TYPES[map.type],
    key_size: map.keyBytes,
    value_size: map.valueBytes,
    max_entries: sizeOf(map, options.cpuCount ?? 1),
    flags: map.flags,
    name: map.name.replace(/[^A-Za-z0-9_.]/g, "_").slice(0, 15),
    ...(map.isFrozen === true ? { freeze: true } : {}),
    ...(map.inner === undefined ? {} : { inner: toKernelMap(map.inner, spec, options) }),
    ...(init.length === 0 ? {} : { init }),
    ...(hasSpecialFields(map, spec) && spec.btf !== undefined
      ? {
          btf: printHexBytes(spec.btf),
          btf_key_type_id: map.btfKeyTypeId ?? 0,
          btf_value_type_id: map.btfValueTypeId ?? 0,
        }
      : {}),
  };
}

function toValue(
  value: NonNullable<MapSpec["contents"]>[number]["value"],
  spec: ProgSpec,
  options: FromSpecOptions,
): KernelMapValue | undefined {
  if (value instanceof Uint8Array) return printHexBytes(value);
  if ("map" in value) {
    const idx = spec.maps.findIndex((map) => map.name === value.map);
    return idx < 0 ? { inner: true } : { map: idx };
  }
  const prog = options.progs?.find((one) => one.name === value.prog);
  if (prog === undefined) return undefined;
  // Programs of an array share the caller's maps; those they name must come in the same order.
  const maps = new Map(spec.maps.map((map, idx) => [map.name, idx]));
  const shared = {
    ...prog,
    mapRefs: prog.mapRefs.map((ref) => ({
      ...ref,
      mapIdx: maps.get(prog.maps[ref.mapIdx]?.name ?? "") ?? ref.mapIdx,
    })),
  };
  const { maps: _maps, ...one } = toKernelCase(shared, {});
  return { prog: one };
}
