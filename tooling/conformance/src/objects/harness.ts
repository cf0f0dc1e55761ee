import type { MapSpec, ProgSpec, ProgTypeName } from "@tsbpf/abi";

/*
 * What the programs around Linux's C selftests do between opening and loading an object: give programs whose section
 * says nothing their type, give maps their inner map, and say what an extension replaces. Computes: the
 * spec as it is loaded then. Without this the kernel refuses those objects before it looks at a program.
 */

interface TypeRule {
  readonly file: RegExp;
  readonly prog?: RegExp;
  readonly type: ProgTypeName;
}

/** @source linux tools/testing/selftests/bpf: prog_tests/*.c and the scripts that call tc and ip */
const TYPES: readonly TypeRule[] = [
  { file: /^test_tc_(tunnel|edt)/, type: "sched_cls" },
  { file: /^test_xdp_meta/, prog: /^ing_cls/, type: "sched_cls" },
  { file: /^test_xdp_vlan/, prog: /^_tc_progA/, type: "sched_cls" },
  { file: /^test_xdp_(meta|vlan|redirect)/, type: "xdp" },
  { file: /^test_lwt_seg6local/, type: "lwt_seg6local" },
  { file: /^test_lwt_/, type: "lwt_xmit" },
  { file: /^sockmap_tcp_msg/, type: "sk_msg" },
  { file: /^sockmap_/, type: "sk_skb" },
  { file: /^test_btf_(newkv|nokv|haskv)/, type: "tracepoint" },
  { file: /^test_custom_sec/, prog: /^abc/, type: "raw_tracepoint" },
  { file: /^test_custom_sec/, prog: /^custom/, type: "tracepoint" },
  { file: /^test_custom_sec/, prog: /^xyz/, type: "syscall" },
];

/** Maps of maps whose inner map the test makes. */
const INNER: readonly { readonly file: RegExp; readonly map: RegExp; readonly inner: MapSpec }[] = [
  {
    file: /^test_map_in_map\.o/,
    map: /./,
    inner: { name: "inner", type: "hash", keyBytes: 4, valueBytes: 4, maxEntries: 2, flags: 0 },
  },
  {
    file: /^test_select_reuseport/,
    map: /^outer_map/,
    inner: {
      name: "inner",
      type: "reuseport_sockarray",
      keyBytes: 4,
      valueBytes: 4,
      maxEntries: 1,
      flags: 0,
    },
  },
];

/** Functions that extensions replace where their section does not say so. */
const REPLACED: readonly { readonly file: RegExp; readonly prog: RegExp; readonly func: string }[] = [
  { file: /^changes_pkt_data_freplace/, prog: /^changes_pkt_data/, func: "changes_pkt_data" },
  { file: /^changes_pkt_data_freplace/, prog: /^does_not/, func: "does_not_change_pkt_data" },
  { file: /^exceptions_ext/, prog: /^(throwing_)?extension/, func: "exception_ext_global" },
  { file: /^exceptions_ext/, prog: /^throwing_exception_cb/, func: "exception_cb_mod_global" },
  { file: /^freplace_dead_global_func/, prog: /./, func: "global_good" },
  { file: /^tailcall_freplace/, prog: /./, func: "subprog_tc" },
  { file: /^freplace_progmap/, prog: /./, func: "xdp_dummy_prog" },
];

function prepareMap(file: string, map: MapSpec): MapSpec {
  if (map.inner !== undefined || (map.type !== "array_of_maps" && map.type !== "hash_of_maps")) return map;
  const rule = INNER.find((one) => one.file.test(file) && one.map.test(map.name));
  return rule === undefined ? map : { ...map, inner: rule.inner };
}

/**
 * Prepares a program as its test does before it is loaded.
 *
 * @param file - name of the object, e.g. `test_tc_edt.o`.
 */
export function prepareSpec(file: string, spec: ProgSpec): ProgSpec {
  const type = TYPES.find((one) => one.file.test(file) && (one.prog?.test(spec.name) ?? true))?.type;
  const func = REPLACED.find((one) => one.file.test(file) && one.prog.test(spec.name))?.func;
  return {
    ...spec,
    ...(spec.type === "unspec" && type !== undefined ? { type } : {}),
    ...(spec.type === "ext" && spec.attachTarget === undefined && func !== undefined
      ? { attachTarget: func }
      : {}),
    maps: spec.maps.map((map) => prepareMap(file, map)),
  };
}
