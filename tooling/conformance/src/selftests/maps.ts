import { MAP_FLAGS, MAP_TYPES } from "@tsbpf/abi";
import type { KernelMap } from "@tsbpf/kernel";

/** Type ids of the harness's map values, in the BTF that it loads for all of them. */
const SPIN_LOCK_VALUE = 3;
const TIMER_VALUE = 5;
const KPTR_VALUE = 14;
const PAGE_BYTES = 4096;
const TEST_VALUE_BYTES = 48;
const TEST_VALUE = `1c000000${"00".repeat(24)}12efcdab${"00".repeat(16)}`;
const FIRST = "00000000";

const array = (value_size: number, more: Partial<KernelMap> = {}): KernelMap => ({
  type: MAP_TYPES.array,
  key_size: 4,
  value_size,
  max_entries: 1,
  ...more,
});
const hash = (value_size: number): KernelMap => ({
  type: MAP_TYPES.hash,
  key_size: 8,
  value_size,
  max_entries: 1,
  flags: MAP_FLAGS.noPrealloc,
});
const plain = (type: number, key_size: number, value_size: number, max_entries: number): KernelMap => ({
  type,
  key_size,
  value_size,
  max_entries,
  dump: false,
});

/** Makes the map of one fixup kind, as the harness does; undefined for kinds that are no map. */
export function mapOfFixup(kind: string, btf: string): KernelMap | undefined {
  const typed = (value: number) => ({ btf, btf_key_type_id: 1, btf_value_type_id: value, dump: false });
  const first = { init: [[FIRST, TEST_VALUE]] as const };
  switch (kind) {
    case "fixup_map_hash_8b":
      return hash(8);
    case "fixup_map_hash_16b":
      return hash(16);
    case "fixup_map_hash_48b":
      return hash(TEST_VALUE_BYTES);
    case "fixup_map_array_48b":
      return array(TEST_VALUE_BYTES, first);
    case "fixup_map_array_ro":
      return array(TEST_VALUE_BYTES, { ...first, flags: MAP_FLAGS.readOnlyProg });
    case "fixup_map_array_wo":
      return array(TEST_VALUE_BYTES, { ...first, flags: MAP_FLAGS.writeOnlyProg });
    case "fixup_map_array_small":
      return array(1);
    case "fixup_prog1":
      return plain(MAP_TYPES.prog_array, 4, 4, 4);
    case "fixup_prog2":
      return plain(MAP_TYPES.prog_array, 4, 4, 8);
    case "fixup_map_in_map":
      return { ...plain(MAP_TYPES.array_of_maps, 4, 4, 1), inner: array(4) };
    case "fixup_cgroup_storage":
      return plain(MAP_TYPES.cgroup_storage, 16, 64, 0);
    case "fixup_percpu_cgroup_storage":
      return plain(MAP_TYPES.percpu_cgroup_storage, 16, 64, 0);
    case "fixup_map_sockmap":
      return plain(MAP_TYPES.sockmap, 4, 4, 1);
    case "fixup_map_sockhash":
      return plain(MAP_TYPES.sockhash, 4, 4, 1);
    case "fixup_map_xskmap":
      return plain(MAP_TYPES.xskmap, 4, 4, 1);
    case "fixup_map_stacktrace":
      return plain(MAP_TYPES.stack_trace, 4, 8, 1);
    case "fixup_map_event_output":
      return plain(MAP_TYPES.perf_event_array, 4, 4, 1);
    case "fixup_map_reuseport_array":
      return plain(MAP_TYPES.reuseport_sockarray, 4, 8, 1);
    case "fixup_map_ringbuf":
      return plain(MAP_TYPES.ringbuf, 0, 0, PAGE_BYTES);
    case "fixup_map_spin_lock":
      return array(8, typed(SPIN_LOCK_VALUE));
    case "fixup_map_timer":
      return array(16, typed(TIMER_VALUE));
    case "fixup_map_kptr":
      return array(24, typed(KPTR_VALUE));
    case "fixup_sk_storage_map":
      return {
        ...plain(MAP_TYPES.sk_storage, 4, 8, 0),
        ...typed(SPIN_LOCK_VALUE),
        flags: MAP_FLAGS.noPrealloc,
      };
    default:
      return undefined;
  }
}
