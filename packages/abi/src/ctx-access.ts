import { CTX_ACCESS_TABLES, type CtxAccessTable } from "./ctx-access.gen.ts";
import type { CtxLayout } from "./ctx-layout.ts";
import { ATTACH_TYPES, type ProgTypeName } from "./prog-types.ts";
import { STRUCT_LAYOUTS } from "./struct-layouts.gen.ts";

/** What a register holds after a load from the context. */
export type CtxHolds =
  | { readonly kind: "scalar" }
  | { readonly kind: "packet" | "packet_end" | "packet_meta" }
  | { readonly kind: "sock" | "sock_common"; readonly nullable: boolean }
  | { readonly kind: "flow_keys" }
  /** The buffer of a writable raw tracepoint. */
  | { readonly kind: "tp_buffer" }
  /** A trusted kernel object. */
  | { readonly kind: "btf_id"; readonly type: string };

/** Where the rules for a context come from. */
export type CtxShape =
  /** A struct whose fields are checked one by one. */
  | { readonly kind: "table"; readonly table: CtxAccessTable; readonly layout: CtxLayout }
  /** Any naturally aligned access within a span of offsets. */
  | {
      readonly kind: "aligned";
      readonly firstOffset: number;
      readonly endOffset: number;
      readonly isWritable: boolean;
      readonly layout: CtxLayout | undefined;
    }
  /** Arguments typed by a kernel prototype: the verifier reads BTF. */
  | { readonly kind: "btf" }
  /** The context of the program that is replaced. */
  | { readonly kind: "target" }
  | { readonly kind: "none" };

const table = (name: keyof typeof CTX_ACCESS_TABLES): CtxShape => {
  const rows: CtxAccessTable = CTX_ACCESS_TABLES[name];
  return { kind: "table", table: rows, layout: STRUCT_LAYOUTS[rows.struct] };
};

const aligned = (
  firstOffset: number,
  endOffset: number,
  options: { readonly isWritable?: boolean; readonly layout?: CtxLayout } = {},
): CtxShape => ({
  kind: "aligned",
  firstOffset,
  endOffset,
  isWritable: options.isWritable ?? false,
  layout: options.layout,
});

const SCALAR: CtxHolds = { kind: "scalar" };

/** Bytes of a tracepoint record that a program may address. @source linux kernel/trace PERF_MAX_TRACE_SIZE */
const TRACE_RECORD_BYTES = 8192;
/** Bytes that every tracepoint record keeps for itself. */
const TRACE_HIDDEN_BYTES = 8;
/** Offsets of a context given by user space. @source linux U16_MAX */
const SYSCALL_CTX_BYTES = 65_535;

const isOneOf = (attachType: number, names: readonly (keyof typeof ATTACH_TYPES)[]): boolean =>
  names.some((name) => ATTACH_TYPES[name] === attachType);

/** Chooses among the shapes of `bpf_sock_addr`; which addresses exist depends on the hook. */
function sockAddrShape(attachType: number): CtxShape {
  if (attachType === ATTACH_TYPES.cgroup_udp4_sendmsg) return SHAPES.sock_addr_sendmsg4;
  if (attachType === ATTACH_TYPES.cgroup_udp6_sendmsg) return SHAPES.sock_addr_sendmsg6;
  const v4 = [
    "cgroup_inet4_bind",
    "cgroup_inet4_connect",
    "cgroup_udp4_recvmsg",
    "cgroup_inet4_getpeername",
    "cgroup_inet4_getsockname",
  ] as const;
  if (isOneOf(attachType, v4)) return SHAPES.sock_addr_4;
  const unix = [
    "cgroup_unix_connect",
    "cgroup_unix_sendmsg",
    "cgroup_unix_recvmsg",
    "cgroup_unix_getpeername",
    "cgroup_unix_getsockname",
  ] as const;
  return isOneOf(attachType, unix) ? SHAPES.sock_addr_unix : SHAPES.sock_addr_6;
}

function cgroupSockShape(attachType: number): CtxShape {
  if (attachType === ATTACH_TYPES.cgroup_inet4_post_bind) return SHAPES.cgroup_sock_post_bind4;
  if (attachType === ATTACH_TYPES.cgroup_inet6_post_bind) return SHAPES.cgroup_sock_post_bind6;
  return SHAPES.cgroup_sock_create;
}

const SHAPES = Object.fromEntries(
  Object.keys(CTX_ACCESS_TABLES).map((name) => [name, table(name as keyof typeof CTX_ACCESS_TABLES)]),
) as { readonly [N in keyof typeof CTX_ACCESS_TABLES]: CtxShape };

const PT_REGS = aligned(0, STRUCT_LAYOUTS.pt_regs.sizeBytes, { layout: STRUCT_LAYOUTS.pt_regs });
const TRACEPOINT = aligned(TRACE_HIDDEN_BYTES, TRACE_RECORD_BYTES);
const RAW_TRACEPOINT = aligned(0, STRUCT_LAYOUTS.bpf_raw_tracepoint_args.sizeBytes, {
  layout: STRUCT_LAYOUTS.bpf_raw_tracepoint_args,
});
const SYSCALL = aligned(0, SYSCALL_CTX_BYTES, { isWritable: true });
const BTF: CtxShape = { kind: "btf" };

/** Per program type, the shape of its context, by expected attach type. */
const SHAPE_OF = {
  unspec: () => ({ kind: "none" }),
  socket_filter: () => SHAPES.socket_filter,
  kprobe: () => PT_REGS,
  sched_cls: () => SHAPES.sched_cls,
  sched_act: () => SHAPES.sched_cls,
  tracepoint: () => TRACEPOINT,
  xdp: (attachType) => (attachType === ATTACH_TYPES.xdp_devmap ? SHAPES.xdp_devmap : SHAPES.xdp),
  perf_event: () => SHAPES.perf_event,
  cgroup_skb: () => SHAPES.cgroup_skb,
  cgroup_sock: cgroupSockShape,
  lwt_in: () => SHAPES.lwt_in,
  lwt_out: () => SHAPES.lwt_in,
  lwt_xmit: () => SHAPES.lwt_in,
  sock_ops: () => SHAPES.sock_ops,
  sk_skb: () => SHAPES.sk_skb,
  cgroup_device: () => SHAPES.cgroup_device,
  sk_msg: () => SHAPES.sk_msg,
  raw_tracepoint: () => RAW_TRACEPOINT,
  cgroup_sock_addr: sockAddrShape,
  lwt_seg6local: () => SHAPES.lwt_in,
  lirc_mode2: () => aligned(0, STRUCT_LAYOUTS.lirc_sample.sizeBytes, { layout: STRUCT_LAYOUTS.lirc_sample }),
  sk_reuseport: () => SHAPES.sk_reuseport,
  flow_dissector: () => SHAPES.flow_dissector,
  cgroup_sysctl: () => SHAPES.cgroup_sysctl,
  raw_tracepoint_writable: () => RAW_TRACEPOINT,
  cgroup_sockopt: (attachType) =>
    attachType === ATTACH_TYPES.cgroup_setsockopt ? SHAPES.sockopt_set : SHAPES.sockopt_get,
  tracing: () => BTF,
  struct_ops: () => BTF,
  ext: () => ({ kind: "target" }),
  lsm: () => BTF,
  sk_lookup: () => SHAPES.sk_lookup,
  syscall: () => SYSCALL,
  netfilter: () => SHAPES.netfilter,
} as const satisfies Record<ProgTypeName, (attachType: number) => CtxShape>;

/** Returns where the rules for a program type's context come from. */
export const ctxShape = (progType: ProgTypeName, attachType: number): CtxShape =>
  SHAPE_OF[progType](attachType);

/** Returns the struct that a program type's context is, if it is one. */
export function ctxLayout(progType: ProgTypeName, attachType = 0): CtxLayout | undefined {
  const shape = ctxShape(progType, attachType);
  return shape.kind === "table" || shape.kind === "aligned" ? shape.layout : undefined;
}

/**
 * Says whether a program may access its context, and what a load gives.
 *
 * @param attachType - expected attach type, 0 when none.
 * @param size - 1, 2, 4 or 8 bytes.
 * @returns undefined when Linux refuses the access, and for contexts that BTF types.
 * @source linux 6.18, measured for every offset and size
 */
export function ctxAccess(
  progType: ProgTypeName,
  attachType: number,
  offset: number,
  size: number,
  isWrite: boolean,
): CtxHolds | undefined {
  if (!Number.isInteger(offset) || offset < 0) return undefined;
  const shape = ctxShape(progType, attachType);
  switch (shape.kind) {
    case "table": {
      const digit = (isWrite ? shape.table.write : shape.table.read)[offset];
      if (digit === undefined || (Number.parseInt(digit, 16) & size) === 0) return undefined;
      return isWrite ? SCALAR : holdsAt(shape.layout, offset);
    }
    case "aligned":
      return alignedAccess(progType, shape, offset, size, isWrite);
    case "btf":
    case "target":
    case "none":
      return undefined;
  }
}

function alignedAccess(
  progType: ProgTypeName,
  shape: Extract<CtxShape, { kind: "aligned" }>,
  offset: number,
  size: number,
  isWrite: boolean,
): CtxHolds | undefined {
  if (isWrite && !shape.isWritable) return undefined;
  if (offset < shape.firstOffset || offset + size > shape.endOffset || offset % size !== 0) return undefined;
  if (progType === "lirc_mode2") return size === shape.endOffset ? SCALAR : undefined;
  if (progType === "raw_tracepoint_writable" && offset === 0) {
    return size === 8 ? { kind: "tp_buffer" } : undefined;
  }
  return SCALAR;
}

function holdsAt(layout: CtxLayout, offset: number): CtxHolds {
  const field = layout.fields.find((one) => one.offset === offset && one.holds !== "scalar");
  if (field === undefined || field.holds === "scalar") return SCALAR;
  if (field.holds !== "pointer") return { kind: field.holds };
  const nullable = field.nullable ?? false;
  switch (field.points) {
    case "sock":
    case "sock_common":
      return { kind: field.points, nullable };
    case "flow_keys":
      return { kind: "flow_keys" };
    default:
      return { kind: "btf_id", type: field.points ?? "" };
  }
}
