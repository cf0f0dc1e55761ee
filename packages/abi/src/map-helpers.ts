import { HELPER_PROTOS } from "./helper-protos.gen.ts";
import type { MapTypeName } from "./map-types.ts";
import { ATTACH_TYPES, type ProgTypeName } from "./prog-types.ts";

const PERF = [
  "perf_event_read",
  "perf_event_output",
  "skb_output",
  "xdp_output",
  "perf_event_read_value",
] as const;
const SOCK_UPDATES = ["map_update_elem", "map_delete_elem"] as const;

/** Map types that only some helpers take. @source linux kernel/bpf map and function compatibility, Documentation/bpf/maps.rst */
const HELPERS_OF_MAP = {
  prog_array: ["tail_call"],
  perf_event_array: PERF,
  stack_trace: ["get_stackid"],
  cgroup_array: ["skb_under_cgroup", "current_task_under_cgroup"],
  array_of_maps: ["map_lookup_elem"],
  hash_of_maps: ["map_lookup_elem"],
  devmap: ["redirect_map", "map_lookup_elem"],
  devmap_hash: ["redirect_map", "map_lookup_elem"],
  cpumap: ["redirect_map"],
  xskmap: ["redirect_map", "map_lookup_elem"],
  sockmap: [
    "sk_redirect_map",
    "sock_map_update",
    "msg_redirect_map",
    "sk_select_reuseport",
    "map_lookup_elem",
  ],
  sockhash: [
    "sk_redirect_hash",
    "sock_hash_update",
    "msg_redirect_hash",
    "sk_select_reuseport",
    "map_lookup_elem",
  ],
  cgroup_storage: ["get_local_storage"],
  percpu_cgroup_storage: ["get_local_storage"],
  reuseport_sockarray: ["sk_select_reuseport"],
  queue: ["map_push_elem", "map_pop_elem", "map_peek_elem"],
  stack: ["map_push_elem", "map_pop_elem", "map_peek_elem"],
  sk_storage: ["sk_storage_get", "sk_storage_delete", "kptr_xchg"],
  inode_storage: ["inode_storage_get", "inode_storage_delete", "kptr_xchg"],
  task_storage: ["task_storage_get", "task_storage_delete", "kptr_xchg"],
  cgrp_storage: ["cgrp_storage_get", "cgrp_storage_delete", "kptr_xchg"],
  ringbuf: [
    "ringbuf_output",
    "ringbuf_reserve",
    "ringbuf_query",
    "ringbuf_reserve_dynptr",
    "ringbuf_submit_dynptr",
    "ringbuf_discard_dynptr",
  ],
  user_ringbuf: ["user_ringbuf_drain"],
  bloom_filter: ["map_peek_elem", "map_push_elem"],
  insn_array: [],
} as const satisfies Partial<Record<MapTypeName, readonly string[]>>;

/** Helpers that only take some map types. */
const MAPS_OF_HELPER = {
  tail_call: ["prog_array"],
  perf_event_read: ["perf_event_array"],
  perf_event_output: ["perf_event_array"],
  perf_event_read_value: ["perf_event_array"],
  skb_output: ["perf_event_array"],
  xdp_output: ["perf_event_array"],
  ringbuf_output: ["ringbuf"],
  ringbuf_reserve: ["ringbuf"],
  ringbuf_query: ["ringbuf"],
  ringbuf_reserve_dynptr: ["ringbuf"],
  user_ringbuf_drain: ["user_ringbuf"],
  get_stackid: ["stack_trace"],
  current_task_under_cgroup: ["cgroup_array"],
  skb_under_cgroup: ["cgroup_array"],
  redirect_map: ["devmap", "devmap_hash", "cpumap", "xskmap"],
  sk_redirect_map: ["sockmap"],
  msg_redirect_map: ["sockmap"],
  sock_map_update: ["sockmap"],
  sk_redirect_hash: ["sockhash"],
  msg_redirect_hash: ["sockhash"],
  sock_hash_update: ["sockhash"],
  get_local_storage: ["cgroup_storage", "percpu_cgroup_storage"],
  sk_select_reuseport: ["reuseport_sockarray", "sockmap", "sockhash"],
  map_pop_elem: ["queue", "stack"],
  map_peek_elem: ["queue", "stack", "bloom_filter"],
  map_push_elem: ["queue", "stack", "bloom_filter"],
  map_lookup_percpu_elem: ["percpu_array", "percpu_hash", "lru_percpu_hash"],
  sk_storage_get: ["sk_storage"],
  sk_storage_delete: ["sk_storage"],
  inode_storage_get: ["inode_storage"],
  inode_storage_delete: ["inode_storage"],
  task_storage_get: ["task_storage"],
  task_storage_delete: ["task_storage"],
  cgrp_storage_get: ["cgrp_storage"],
  cgrp_storage_delete: ["cgrp_storage"],
} as const satisfies Record<string, readonly MapTypeName[]>;

const SHORT_NAMES: ReadonlyMap<number, string> = new Map(
  HELPER_PROTOS.map((proto) => [proto.id, proto.name.slice("bpf_".length)]),
);
const helpersOfMap: Readonly<Record<string, readonly string[]>> = HELPERS_OF_MAP;
const mapsOfHelper: Readonly<Record<string, readonly MapTypeName[]>> = MAPS_OF_HELPER;

/**
 * Says whether Linux lets a map of this type be passed to a helper. Updating and deleting in socket maps depends on
 * the program too: {@link maySetSockMap}.
 *
 * @returns false exactly where the verifier says "cannot pass map_type N into func".
 */
export function isMapAllowedForHelper(mapType: MapTypeName, helperId: number): boolean {
  const name = SHORT_NAMES.get(helperId);
  if (name === undefined) return true;
  const onlyHelpers = helpersOfMap[mapType];
  const isSockUpdate =
    (mapType === "sockmap" || mapType === "sockhash") && SOCK_UPDATES.some((one) => one === name);
  if (onlyHelpers !== undefined && !onlyHelpers.includes(name) && !isSockUpdate) return false;
  return mapsOfHelper[name]?.includes(mapType) ?? true;
}

/** Returns the map types that a kernel helper takes; undefined when it takes any that has no rule of its own. */
export const mapTypesOfHelper = (helperId: number): readonly MapTypeName[] | undefined =>
  mapsOfHelper[SHORT_NAMES.get(helperId) ?? ""];

/** Says whether a program may call map_update_elem or map_delete_elem on a sockmap or sockhash. */
export function maySetSockMap(progType: ProgTypeName, attachType: number, isDelete: boolean): boolean {
  switch (progType) {
    case "tracing":
      return attachType === ATTACH_TYPES.trace_iter;
    case "sock_ops":
      return isDelete;
    case "socket_filter":
    case "sched_cls":
    case "sched_act":
    case "xdp":
    case "sk_reuseport":
    case "flow_dissector":
    case "sk_lookup":
      return true;
    default:
      return false;
  }
}

/** Map types whose elements `bpf_for_each_map_elem` can walk. */
export const FOR_EACH_MAP_TYPES: ReadonlySet<MapTypeName> = new Set<MapTypeName>([
  "hash",
  "percpu_hash",
  "lru_hash",
  "lru_percpu_hash",
  "array",
  "percpu_array",
]);
