import { ERRNO, MAP_FLAGS, type MapSpec, type MapTypeName, type ValueFieldKind } from "@tsbpf/abi";
import type { MapRefusal } from "@tsbpf/plugin";

const STORAGES: readonly MapTypeName[] = ["sk_storage", "inode_storage", "task_storage", "cgrp_storage"];
const LOCKED: readonly MapTypeName[] = ["hash", "array", "cgroup_storage", ...STORAGES];
const TIMED: readonly MapTypeName[] = ["hash", "lru_hash", "array"];
const POINTED: readonly MapTypeName[] = [
  "hash",
  "percpu_hash",
  "lru_hash",
  "lru_percpu_hash",
  "array",
  "percpu_array",
  ...STORAGES,
];

/** Map types whose values may hold a field. @source linux map_check_btf, M-181, M-183 */
const ALLOWED = {
  bpf_spin_lock: LOCKED,
  bpf_res_spin_lock: LOCKED,
  bpf_timer: TIMED,
  bpf_wq: TIMED,
  bpf_task_work: TIMED,
  kptr_unref: POINTED,
  kptr_ref: POINTED,
  kptr_percpu: POINTED,
  bpf_refcount: POINTED,
  uptr: ["task_storage"],
  bpf_list_head: TIMED,
  bpf_rb_root: TIMED,
  bpf_list_node: [],
  bpf_rb_node: [],
} as const satisfies Record<ValueFieldKind, readonly MapTypeName[]>;

/** Says why Linux would refuse the special fields of a map's value. */
export function checkValueFields(spec: MapSpec): MapRefusal | undefined {
  const fields = spec.valueFields ?? [];
  if (fields.length === 0) return undefined;
  if ((spec.flags & (MAP_FLAGS.readOnlyProg | MAP_FLAGS.writeOnlyProg)) !== 0) {
    return {
      errno: ERRNO.EACCES,
      text: "a value with special fields must be readable and writable for programs",
    };
  }
  for (const { kind, offset, sizeBytes } of fields) {
    const allowed: readonly MapTypeName[] = ALLOWED[kind];
    if (!allowed.includes(spec.type)) {
      return { errno: ERRNO.EOPNOTSUPP, text: `values of ${spec.type} may not hold a ${kind}` };
    }
    if (offset < 0 || offset + sizeBytes > spec.valueBytes) {
      return {
        errno: ERRNO.EINVAL,
        text: `${kind} at ${offset} does not fit a value of ${spec.valueBytes} bytes`,
      };
    }
  }
  return undefined;
}
