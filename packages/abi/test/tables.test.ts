import { describe, expect, it } from "vitest";
import {
  ATTACH_TYPES,
  exitRange,
  isKfuncAvailable,
  isMapAllowedForHelper,
  KFUNCS,
  kfuncByName,
  MAP_FLAGS,
  MAP_RULES,
  MAP_TYPES,
  type MapTypeName,
  mapTypesOfHelper,
  maySetSockMap,
  protoByName,
  SECTIONS,
  STRUCT_LAYOUTS,
  sectionNamesOf,
  sectionRule,
} from "../src/index.ts";

const idOf = (name: string): number => protoByName(name)!.id;

describe("section names", () => {
  it.each([
    ["xdp", "xdp", 37, undefined],
    ["xdp.frags/devmap", "xdp", 33, undefined],
    ["xdp/devmap", "xdp", 33, undefined],
    ["tc", "sched_cls", 0, undefined],
    ["tcx/ingress", "sched_cls", 46, undefined],
    ["socket", "socket_filter", 0, undefined],
    ["kprobe/do_sys_open", "kprobe", 0, "do_sys_open"],
    ["kprobe", "kprobe", 0, undefined],
    ["tp/sched/sched_switch", "tracepoint", 0, "sched/sched_switch"],
    ["fentry/mod:func", "tracing", 24, "mod:func"],
    ["sk_reuseport/migrate", "sk_reuseport", 40, undefined],
    ["cgroup/connect4", "cgroup_sock_addr", 10, undefined],
    ["struct_ops/foo", "struct_ops", 0, "foo"],
  ] as const)("%s is %s with attach type %i", (name, progType, attachType, extra) => {
    const match = sectionRule(name);
    expect(match?.progType).toBe(progType);
    expect(match?.rule.attachType).toBe(attachType);
    expect(match?.extra).toBe(extra);
    expect(match?.autoload).toBe(true);
  });

  it.each(["xdp/anything", "socket/x", "kprobes", "", "?", ".text", "maps"])("does not know %j", (name) => {
    expect(sectionRule(name)).toBeUndefined();
  });

  it("takes a leading question mark for no autoload", () => {
    expect(sectionRule("?xdp")).toMatchObject({ progType: "xdp", autoload: false });
  });

  it("knows sleepable, fragments and BTF attachment", () => {
    expect(sectionRule("fentry.s/f")?.rule).toMatchObject({ isSleepable: true, isBtfAttached: true });
    expect(sectionRule("xdp.frags")?.rule.hasFrags).toBe(true);
    expect(sectionRule("syscall")?.rule.isSleepable).toBe(true);
    expect(SECTIONS).toHaveLength(110);
    expect(sectionNamesOf("xdp")).toContain("xdp.frags");
  });
});

describe("map and helper compatibility (H-95, H-96)", () => {
  it.each([
    ["prog_array", "tail_call", true],
    ["prog_array", "map_lookup_elem", false],
    ["hash", "tail_call", false],
    ["hash", "map_lookup_elem", true],
    ["cpumap", "redirect_map", true],
    ["cpumap", "map_lookup_elem", false],
    ["devmap", "map_lookup_elem", true],
    ["devmap", "map_update_elem", false],
    ["ringbuf", "map_update_elem", false],
    ["ringbuf", "ringbuf_output", true],
    ["queue", "map_pop_elem", true],
    ["bloom_filter", "map_pop_elem", false],
    ["percpu_array", "map_lookup_percpu_elem", true],
    ["array", "map_lookup_percpu_elem", false],
    ["sockmap", "map_update_elem", true],
    ["array_of_maps", "map_update_elem", false],
    ["sk_storage", "kptr_xchg", true],
  ] as const)("%s to %s: %s", (mapType, helper, allowed) => {
    expect(isMapAllowedForHelper(mapType, idOf(helper))).toBe(allowed);
  });

  it("lists what a helper takes", () => {
    expect(mapTypesOfHelper(idOf("redirect_map"))).toEqual(["devmap", "devmap_hash", "cpumap", "xskmap"]);
    expect(mapTypesOfHelper(idOf("map_lookup_elem"))).toBeUndefined();
    expect(maySetSockMap("xdp", 0, false)).toBe(true);
    expect(maySetSockMap("kprobe", 0, false)).toBe(false);
    expect(maySetSockMap("sock_ops", 3, true)).toBe(true);
    expect(maySetSockMap("sock_ops", 3, false)).toBe(false);
    expect(maySetSockMap("tracing", ATTACH_TYPES.trace_iter, false)).toBe(true);
  });
});

describe("map rules (maps.md 1)", () => {
  it("answers for every map type", () => {
    expect(Object.keys(MAP_RULES)).toEqual(Object.keys(MAP_TYPES));
    for (const type of Object.keys(MAP_RULES) as MapTypeName[]) {
      const rule = MAP_RULES[type];
      expect(rule.requiredFlags & ~rule.flags, type).toBe(0);
      expect(rule.keyBytes.min, type).toBeLessThanOrEqual(rule.keyBytes.max);
    }
  });
  it("has the sizes and flags that were measured", () => {
    expect(MAP_RULES.lpm_trie.keyBytes).toEqual({ min: 5, max: 260 });
    expect(MAP_RULES.lpm_trie.requiredFlags).toBe(MAP_FLAGS.noPrealloc);
    expect(MAP_RULES.percpu_hash.flags & MAP_FLAGS.numaNode).toBe(0);
    expect(MAP_RULES.lru_hash.flags & MAP_FLAGS.noPrealloc).toBe(0);
    expect(MAP_RULES.ringbuf.maxEntries.isPowerOfTwo).toBe(true);
  });
});

describe("exit ranges (H-160)", () => {
  it.each([
    ["cgroup_skb", 0, 0n, 1n],
    ["cgroup_skb", 1, 0n, 3n],
    ["cgroup_sock_addr", 8, 0n, 3n],
    ["cgroup_sock_addr", 10, 0n, 1n],
    ["cgroup_sock_addr", 19, 1n, 1n],
    ["cgroup_sock_addr", 53, 1n, 1n],
    ["tracing", 24, 0n, 0n],
    ["tracing", 28, 0n, 1n],
    ["kprobe", 56, 0n, 1n],
    ["sk_lookup", 36, 0n, 1n],
    ["netfilter", 45, 0n, 1n],
  ] as const)("%s with attach type %i: [%s, %s]", (progType, attachType, min, max) => {
    expect(exitRange(progType, attachType)).toEqual({ min, max });
  });
  it.each([
    ["xdp", 37],
    ["sched_cls", 0],
    ["tracing", 26],
    ["tracing", 23],
    ["kprobe", 0],
    ["syscall", 0],
    ["lsm", 27],
  ] as const)("leaves %s with attach type %i free", (progType, attachType) => {
    expect(exitRange(progType, attachType)).toBeUndefined();
  });
});

describe("kernel functions", () => {
  it("knows names, flags and program types", () => {
    expect(KFUNCS).toHaveLength(203);
    const taskAcquire = kfuncByName("bpf_task_acquire")!;
    expect(taskAcquire.flags).toEqual(["acquire", "rcu", "ret-null"]);
    expect(isKfuncAvailable(taskAcquire, "xdp", 0)).toBe(true);
    expect(isKfuncAvailable(taskAcquire, "socket_filter", 0)).toBe(false);
    expect(isKfuncAvailable(kfuncByName("bpf_rcu_read_lock")!, "socket_filter", 0)).toBe(true);
    expect(isKfuncAvailable(kfuncByName("bpf_sock_destroy")!, "tracing", ATTACH_TYPES.trace_iter)).toBe(true);
    expect(isKfuncAvailable(kfuncByName("bpf_sock_destroy")!, "tracing", ATTACH_TYPES.trace_raw_tp)).toBe(
      false,
    );
    expect(kfuncByName("no_such_kfunc")).toBeUndefined();
  });
});

describe("layouts", () => {
  it("keeps fields inside their struct", () => {
    for (const layout of Object.values(STRUCT_LAYOUTS)) {
      for (const field of layout.fields) {
        expect(
          field.offset + field.sizeBytes * field.count,
          `${layout.struct}.${field.name}`,
        ).toBeLessThanOrEqual(layout.sizeBytes);
      }
    }
    expect(STRUCT_LAYOUTS.__sk_buff.sizeBytes).toBe(192);
  });
});
