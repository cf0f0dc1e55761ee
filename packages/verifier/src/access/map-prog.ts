import { PROG_TYPES } from "@tsbpf/abi";
import type { Env } from "../env.ts";
import { fieldOf, type MapInfo } from "../maps.ts";
import { reject } from "../reject.ts";

const TRACING: ReadonlySet<number> = new Set([
  PROG_TYPES.kprobe,
  PROG_TYPES.tracepoint,
  PROG_TYPES.perf_event,
  PROG_TYPES.raw_tracepoint,
  PROG_TYPES.raw_tracepoint_writable,
]);

const SLEEPABLE_MAPS: ReadonlySet<string> = new Set([
  "hash",
  "lru_hash",
  "array",
  "percpu_hash",
  "percpu_array",
  "lru_percpu_hash",
  "array_of_maps",
  "hash_of_maps",
  "ringbuf",
  "user_ringbuf",
  "inode_storage",
  "sk_storage",
  "task_storage",
  "cgrp_storage",
  "queue",
  "stack",
  "arena",
]);

/** Checks that a program type may use a map at all (A-88, H-81, H-88, H-97). */
export function checkMapForProg(env: Env, map: MapInfo): void {
  const bad = (text: string): never => reject(env, "CALL_MAP_PROG", "EINVAL", text);
  const isTracing = TRACING.has(env.progType);
  if ((fieldOf(map, "bpf_list_head") ?? fieldOf(map, "bpf_rb_root")) !== undefined && isTracing) {
    bad("tracing progs cannot use bpf_{list_head,rb_root} yet");
  }
  if ((fieldOf(map, "bpf_spin_lock") ?? fieldOf(map, "bpf_res_spin_lock")) !== undefined) {
    if (env.progType === PROG_TYPES.socket_filter) bad("socket filter progs cannot use bpf_spin_lock yet");
    if (isTracing && fieldOf(map, "bpf_spin_lock") !== undefined) {
      bad("tracing progs cannot use bpf_spin_lock yet");
    }
  }
  if (isTracing && fieldOf(map, "bpf_timer") !== undefined) bad("tracing progs cannot use bpf_timer yet");
  if (isTracing && fieldOf(map, "bpf_wq") !== undefined) bad("tracing progs cannot use bpf_wq yet");
  if (map.spec.type === "struct_ops") bad("bpf_struct_ops map cannot be used in prog");
  if ((env.isSleepable || env.progType === PROG_TYPES.syscall) && !SLEEPABLE_MAPS.has(map.spec.type)) {
    bad("Sleepable programs can only use array, hash, ringbuf and local storage maps");
  }
  if (map.spec.type === "arena" && !env.isPerfmon) {
    reject(env, "CALL_MAP_PROG", "EPERM", "CAP_BPF and CAP_PERFMON are required to use arena");
  }
}
