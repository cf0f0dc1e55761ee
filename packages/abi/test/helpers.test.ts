import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  HELPER_PROTOS,
  helpersOf,
  isHelperAvailable,
  PROG_TYPES,
  type ProgTypeName,
  progTypesOf,
  protoByName,
  protoFor,
  protoOf,
} from "../src/index.ts";

describe("helper prototypes", () => {
  it("has every helper of Linux 6.18 exactly once, in order", () => {
    expect(HELPER_PROTOS.map((proto) => proto.id)).toEqual(Array.from({ length: 211 }, (_, idx) => idx + 1));
    expect(new Set(HELPER_PROTOS.map((proto) => proto.name)).size).toBe(211);
  });

  it("links every key, value, memory and size to an argument that exists", () => {
    for (const proto of HELPER_PROTOS) {
      const names = proto.args.map((arg) => arg.name);
      expect(proto.args.length).toBeLessThanOrEqual(5);
      for (const arg of proto.args) {
        if (arg.size !== undefined) {
          expect(proto.args.find((one) => one.name === arg.size)?.kind, proto.name).toBe("size");
        }
        if (arg.of !== undefined) expect(names).toContain(arg.of);
        if (arg.kind === "mem") {
          expect((arg.size === undefined) !== (arg.sizeBytes === undefined), proto.name).toBe(true);
          expect(arg.access, proto.name).toBeDefined();
        }
      }
      if (proto.ret.sizeOf !== undefined) expect(names).toContain(proto.ret.sizeOf);
      if (proto.ret.maxOf !== undefined) expect(names).toContain(proto.ret.maxOf);
    }
  });

  it("finds a helper by name with and without its prefix", () => {
    expect(protoByName("map_lookup_elem")).toBe(protoOf(1));
    expect(protoByName("bpf_map_lookup_elem")).toBe(protoOf(1));
    expect(protoByName("no_such_helper")).toBeUndefined();
    expect(protoOf(0)).toBeUndefined();
    expect(protoOf(212)).toBeUndefined();
  });

  it("marks what changes packets (A-97) and what lends packet memory", () => {
    const changing = HELPER_PROTOS.filter((proto) => proto.invalidatesPacket).map((proto) =>
      proto.name.slice(4),
    );
    expect(changing).toEqual([
      "skb_store_bytes",
      "l3_csum_replace",
      "l4_csum_replace",
      "clone_redirect",
      "skb_vlan_push",
      "skb_vlan_pop",
      "skb_change_proto",
      "skb_change_tail",
      "skb_pull_data",
      "skb_change_head",
      "xdp_adjust_head",
      "skb_adjust_room",
      "xdp_adjust_meta",
      "msg_pull_data",
      "xdp_adjust_tail",
      "lwt_push_encap",
      "lwt_seg6_store_bytes",
      "lwt_seg6_adjust_srh",
      "lwt_seg6_action",
      "msg_push_data",
      "msg_pop_data",
      "store_hdr_opt",
    ]);
    expect(protoByName("csum_diff")?.allowsPacketMem).toBe(true);
    expect(protoByName("fib_lookup")?.allowsPacketMem).toBe(false);
  });

  it("names what a result's bounds and size come from (H-30, H-55)", () => {
    expect(protoByName("ringbuf_reserve")?.ret).toEqual({
      kind: "alloc_mem",
      nullable: true,
      acquires: true,
      sizeOf: "size",
    });
    expect(protoByName("probe_read_kernel_str")?.ret).toEqual({ kind: "int", min: -4095n, maxOf: "size" });
    expect(protoByName("trace_printk")?.isVariadic).toBe(true);
  });

  it("takes other arguments in some program types", () => {
    expect(protoFor(17, "sched_cls")?.args).toHaveLength(1);
    expect(protoFor(17, "kprobe")?.args).toHaveLength(0);
    expect(protoFor(107, "cgroup_sock")?.args[1]?.kind).toBe("ctx");
    expect(protoFor(107, "sched_cls")?.args[1]?.kind).toBe("btf_id_sock_common");
    expect(protoFor(124, "sk_lookup")?.args[1]).toEqual({ name: "sk", kind: "socket", nullable: true });
    expect(protoFor(5000, "xdp")).toBeUndefined();
  });
});

describe("helper availability", () => {
  const XDP_REDIRECT_MAP = 51;

  it.each([
    ["xdp", 0, 51, true],
    ["sched_cls", 0, 51, false],
    ["sched_cls", 0, 9, true],
    ["socket_filter", 0, 9, false],
    ["socket_filter", 0, 26, true],
    ["xdp", 0, 26, false],
    ["kprobe", 0, 67, true],
    ["cgroup_sock_addr", 10, 64, true],
    ["cgroup_sock_addr", 8, 64, false],
    ["cgroup_sockopt", 22, 49, true],
    ["cgroup_sockopt", 21, 49, false],
    ["tracing", 28, 126, true],
    ["tracing", 23, 126, false],
    ["tracing", 24, 183, true],
    ["tracing", 23, 183, false],
    ["lsm", 27, 145, true],
    ["lsm", 43, 187, true],
    ["lirc_mode2", 16, 78, true],
    ["lirc_mode2", 16, 8, false],
    ["syscall", 0, 166, true],
  ] as const)("%s with attach type %i, helper %i: %s", (progType, attachType, id, allowed) => {
    expect(isHelperAvailable(progType, attachType, id)).toBe(allowed);
  });

  it("counts as many helpers as Linux 6.18 offers", () => {
    const count = (progType: ProgTypeName, attachType = 0) => helpersOf(progType, attachType)?.size;
    expect(count("xdp")).toBe(104);
    expect(count("sched_cls")).toBe(139);
    expect(count("socket_filter")).toBe(88);
    expect(count("netfilter", 45)).toBe(74);
    expect(count("syscall")).toBe(99);
  });

  it("answers for every program type but those without helpers of their own", () => {
    const without = (Object.keys(PROG_TYPES) as ProgTypeName[]).filter(
      (progType) => helpersOf(progType, 0) === undefined,
    );
    expect(without).toEqual(["unspec", "ext"]);
  });

  it("lists the program types of a helper", () => {
    expect(progTypesOf(XDP_REDIRECT_MAP)).toEqual(["xdp"]);
    expect(progTypesOf(9999)).toEqual([]);
  });
});

it("has generated files that are up to date", () => {
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  const run = spawnSync(process.execPath, ["tooling/scripts/gen-abi.mjs", "--check"], {
    cwd: root,
    encoding: "utf8",
  });
  expect(run.stderr).toBe("");
  expect(run.status).toBe(0);
});
