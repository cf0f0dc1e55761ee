import { describe, expect, it } from "vitest";
import {
  ATTACH_TYPES,
  CTX_ACCESS_TABLES,
  type CtxHolds,
  ctxAccess,
  ctxLayout,
  ctxShape,
  PROG_TYPES,
  type ProgTypeName,
  STRUCT_LAYOUTS,
} from "../src/index.ts";

const SCALAR: CtxHolds = { kind: "scalar" };

describe("context access", () => {
  it("gives packet pointers for 4-byte loads only (A-45)", () => {
    expect(ctxAccess("xdp", 37, 0, 4, false)).toEqual({ kind: "packet" });
    expect(ctxAccess("xdp", 37, 4, 4, false)).toEqual({ kind: "packet_end" });
    expect(ctxAccess("xdp", 37, 8, 4, false)).toEqual({ kind: "packet_meta" });
    expect(ctxAccess("xdp", 37, 0, 8, false)).toBeUndefined();
    expect(ctxAccess("xdp", 37, 2, 2, false)).toBeUndefined();
    expect(ctxAccess("xdp", 37, 0, 4, true)).toBeUndefined();
  });

  it("opens egress_ifindex to devmap programs alone (P-20)", () => {
    expect(ctxAccess("xdp", ATTACH_TYPES.xdp_devmap, 20, 4, false)).toEqual(SCALAR);
    expect(ctxAccess("xdp", 37, 20, 4, false)).toBeUndefined();
  });

  it("allows narrow loads, never narrow stores (A-32)", () => {
    expect(ctxAccess("socket_filter", 0, 1, 1, false)).toEqual(SCALAR);
    expect(ctxAccess("socket_filter", 0, 2, 2, false)).toEqual(SCALAR);
    expect(ctxAccess("socket_filter", 0, 1, 2, false)).toBeUndefined();
    expect(ctxAccess("sched_cls", 0, 8, 4, true)).toEqual(SCALAR);
    expect(ctxAccess("sched_cls", 0, 8, 2, true)).toBeUndefined();
  });

  it("keeps each skb-like type's own fields (A-42)", () => {
    expect(ctxAccess("socket_filter", 0, 76, 4, false)).toBeUndefined();
    expect(ctxAccess("sched_cls", 0, 76, 4, false)).toEqual({ kind: "packet" });
    expect(ctxAccess("cgroup_skb", 0, 140, 4, false)).toBeUndefined();
    expect(ctxAccess("sk_skb", 0, 8, 4, false)).toBeUndefined();
    expect(ctxAccess("flow_dissector", 0, 144, 8, false)).toEqual({ kind: "flow_keys" });
    expect(ctxAccess("sched_cls", 0, 144, 8, false)).toBeUndefined();
    expect(ctxAccess("sched_cls", 0, 168, 8, false)).toEqual({ kind: "sock_common", nullable: true });
    expect(ctxAccess("socket_filter", 0, 48, 8, true)).toEqual(SCALAR);
    expect(ctxAccess("socket_filter", 0, 64, 8, true)).toBeUndefined();
  });

  it("chooses socket address fields by hook (A-50)", () => {
    const {
      cgroup_inet4_bind: bind4,
      cgroup_inet6_getsockname: name6,
      cgroup_udp4_sendmsg: send4,
    } = ATTACH_TYPES;
    expect(ctxAccess("cgroup_sock_addr", bind4, 4, 4, true)).toEqual(SCALAR);
    expect(ctxAccess("cgroup_sock_addr", name6, 4, 4, false)).toBeUndefined();
    expect(ctxAccess("cgroup_sock_addr", name6, 8, 8, true)).toEqual(SCALAR);
    expect(ctxAccess("cgroup_sock_addr", bind4, 40, 4, false)).toBeUndefined();
    expect(ctxAccess("cgroup_sock_addr", send4, 40, 4, true)).toEqual(SCALAR);
    expect(ctxAccess("cgroup_sock_addr", bind4, 64, 8, false)).toEqual({ kind: "sock", nullable: false });
  });

  it("checks plain blobs by alignment and span (A-60..A-64)", () => {
    expect(ctxAccess("kprobe", 0, 160, 8, false)).toEqual(SCALAR);
    expect(ctxAccess("kprobe", 0, 168, 1, false)).toBeUndefined();
    expect(ctxAccess("tracepoint", 0, 0, 8, false)).toBeUndefined();
    expect(ctxAccess("tracepoint", 0, 8, 8, false)).toEqual(SCALAR);
    expect(ctxAccess("tracepoint", 0, 8191, 1, false)).toEqual(SCALAR);
    expect(ctxAccess("tracepoint", 0, 8192, 1, false)).toBeUndefined();
    expect(ctxAccess("raw_tracepoint", 0, 95, 1, false)).toEqual(SCALAR);
    expect(ctxAccess("raw_tracepoint", 0, 96, 1, false)).toBeUndefined();
    expect(ctxAccess("raw_tracepoint_writable", 0, 0, 8, false)).toEqual({ kind: "tp_buffer" });
    expect(ctxAccess("raw_tracepoint_writable", 0, 0, 4, false)).toBeUndefined();
    expect(ctxAccess("syscall", 0, 65_534, 1, true)).toEqual(SCALAR);
    expect(ctxAccess("syscall", 0, 65_535, 1, true)).toBeUndefined();
    expect(ctxAccess("perf_event", 0, 0, 4, false)).toBeUndefined();
    expect(ctxAccess("perf_event", 0, 168, 4, false)).toEqual(SCALAR);
    expect(ctxAccess("lirc_mode2", 0, 0, 4, false)).toEqual(SCALAR);
    expect(ctxAccess("lirc_mode2", 0, 0, 2, false)).toBeUndefined();
  });

  it("gives kernel objects to netfilter programs (A-67)", () => {
    expect(ctxAccess("netfilter", 45, 8, 8, false)).toEqual({ kind: "btf_id", type: "sk_buff" });
  });

  it("refuses offsets that are no offsets", () => {
    for (const offset of [-1, -4, 1.5, Number.NaN, 2 ** 40]) {
      expect(ctxAccess("xdp", 0, offset, 4, false)).toBeUndefined();
      expect(ctxAccess("syscall", 0, offset, 4, false)).toBeUndefined();
    }
  });

  it("has a shape for every program type", () => {
    const kinds = (Object.keys(PROG_TYPES) as ProgTypeName[]).map((progType) => ctxShape(progType, 0).kind);
    expect(kinds.filter((kind) => kind === "btf")).toHaveLength(3);
    expect(ctxShape("ext", 0).kind).toBe("target");
    expect(ctxLayout("xdp")?.struct).toBe("xdp_md");
    expect(ctxLayout("tracing")).toBeUndefined();
  });

  it("covers each struct byte by byte, and only fields it has", () => {
    for (const [name, table] of Object.entries(CTX_ACCESS_TABLES)) {
      const layout = STRUCT_LAYOUTS[table.struct];
      expect(table.read, name).toHaveLength(layout.sizeBytes);
      expect(table.write, name).toHaveLength(layout.sizeBytes);
    }
  });
});
