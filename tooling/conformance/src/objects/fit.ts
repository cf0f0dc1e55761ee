import type { MapSpec } from "@tsbpf/abi";

/** Bytes of one map that a question may need on all processors together. */
const MAX_BYTES = 1 << 22;
const STACK_DEPTH_BYTES = 127 * 8;

/** Maps whose storage does not follow from their number of entries, or whose number means something else. */
const UNSIZED: ReadonlySet<MapSpec["type"]> = new Set([
  "ringbuf",
  "user_ringbuf",
  "arena",
  "struct_ops",
  "sk_storage",
  "inode_storage",
  "task_storage",
  "cgrp_storage",
  "cgroup_storage",
  "percpu_cgroup_storage",
  "perf_event_array",
]);

/**
 * Gives a map the sizes that an application sets before it loads the object, and none larger than a test needs.
 *
 * Entries of a map decide no verdict, but for arrays: those are cut only where they would be too large to make.
 */
export function fitMap(map: MapSpec, cpuCount = 1): MapSpec {
  const inner = map.inner === undefined ? {} : { inner: fitMap(map.inner, cpuCount) };
  if (UNSIZED.has(map.type)) return { ...map, ...inner };
  const isStack = map.type === "stack_trace" && map.valueBytes === 0;
  const valueBytes = isStack ? STACK_DEPTH_BYTES : map.valueBytes;
  const most = Math.max(1, Math.floor(MAX_BYTES / (Math.max(8, map.keyBytes + valueBytes) * cpuCount)));
  return { ...map, ...inner, valueBytes, maxEntries: Math.min(Math.max(1, map.maxEntries), most) };
}
