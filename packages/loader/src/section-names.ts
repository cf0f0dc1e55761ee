import { ATTACH_TYPES, type AttachTypeName, PROG_FLAGS, type ProgTypeName } from "@tsbpf/abi";

/** What the name of a section says about its programs. */
export interface SectionMeaning {
  readonly type: ProgTypeName;
  /** Number of the expected attach type; 0 when there is none. */
  readonly attachType: number;
  /** `prog_flags` bits. */
  readonly flags: number;
  /** What follows the slash, such as the name of a traced function. */
  readonly attachTarget: string | undefined;
  /** False when the name starts with `?`. */
  readonly autoload: boolean;
}

type Row = readonly [
  name: string,
  type: ProgTypeName,
  attachType: AttachTypeName | undefined,
  flag?: "sleepable" | "xdpHasFrags",
];

/**
 * Section names in the order in which they are tried; a trailing `+` allows `/…` after the name.
 *
 * @source linux tools/lib/bpf/libbpf.c section_defs
 */
const ROWS: readonly Row[] = [
  ["socket", "socket_filter", undefined],
  ["sk_reuseport/migrate", "sk_reuseport", "sk_reuseport_select_or_migrate"],
  ["sk_reuseport", "sk_reuseport", "sk_reuseport_select"],
  ["kprobe+", "kprobe", undefined],
  ["uprobe+", "kprobe", undefined],
  ["uprobe.s+", "kprobe", undefined, "sleepable"],
  ["kretprobe+", "kprobe", undefined],
  ["uretprobe+", "kprobe", undefined],
  ["uretprobe.s+", "kprobe", undefined, "sleepable"],
  ["kprobe.multi+", "kprobe", "trace_kprobe_multi"],
  ["kretprobe.multi+", "kprobe", "trace_kprobe_multi"],
  ["kprobe.session+", "kprobe", "trace_kprobe_session"],
  ["uprobe.multi+", "kprobe", "trace_uprobe_multi"],
  ["uretprobe.multi+", "kprobe", "trace_uprobe_multi"],
  ["uprobe.session+", "kprobe", "trace_uprobe_session"],
  ["uprobe.multi.s+", "kprobe", "trace_uprobe_multi", "sleepable"],
  ["uretprobe.multi.s+", "kprobe", "trace_uprobe_multi", "sleepable"],
  ["uprobe.session.s+", "kprobe", "trace_uprobe_session", "sleepable"],
  ["ksyscall+", "kprobe", undefined],
  ["kretsyscall+", "kprobe", undefined],
  ["usdt+", "kprobe", undefined],
  ["usdt.s+", "kprobe", undefined, "sleepable"],
  ["tc/ingress", "sched_cls", "tcx_ingress"],
  ["tc/egress", "sched_cls", "tcx_egress"],
  ["tcx/ingress", "sched_cls", "tcx_ingress"],
  ["tcx/egress", "sched_cls", "tcx_egress"],
  ["tc", "sched_cls", undefined],
  ["classifier", "sched_cls", undefined],
  ["action", "sched_act", undefined],
  ["netkit/primary", "sched_cls", "netkit_primary"],
  ["netkit/peer", "sched_cls", "netkit_peer"],
  ["tracepoint+", "tracepoint", undefined],
  ["tp+", "tracepoint", undefined],
  ["tracepoint.s+", "tracepoint", undefined, "sleepable"],
  ["tp.s+", "tracepoint", undefined, "sleepable"],
  ["raw_tracepoint+", "raw_tracepoint", undefined],
  ["raw_tp+", "raw_tracepoint", undefined],
  ["raw_tracepoint.s+", "raw_tracepoint", undefined, "sleepable"],
  ["raw_tp.s+", "raw_tracepoint", undefined, "sleepable"],
  ["raw_tracepoint.w+", "raw_tracepoint_writable", undefined],
  ["raw_tp.w+", "raw_tracepoint_writable", undefined],
  ["tp_btf+", "tracing", "trace_raw_tp"],
  ["tp_btf.s+", "tracing", "trace_raw_tp", "sleepable"],
  ["fentry+", "tracing", "trace_fentry"],
  ["fmod_ret+", "tracing", "modify_return"],
  ["fexit+", "tracing", "trace_fexit"],
  ["fentry.s+", "tracing", "trace_fentry", "sleepable"],
  ["fmod_ret.s+", "tracing", "modify_return", "sleepable"],
  ["fexit.s+", "tracing", "trace_fexit", "sleepable"],
  ["fsession+", "tracing", "trace_fsession"],
  ["fsession.s+", "tracing", "trace_fsession", "sleepable"],
  ["freplace+", "ext", undefined],
  ["lsm+", "lsm", "lsm_mac"],
  ["lsm.s+", "lsm", "lsm_mac", "sleepable"],
  ["lsm_cgroup+", "lsm", "lsm_cgroup"],
  ["iter+", "tracing", "trace_iter"],
  ["iter.s+", "tracing", "trace_iter", "sleepable"],
  ["syscall", "syscall", undefined, "sleepable"],
  ["xdp.frags/devmap", "xdp", "xdp_devmap", "xdpHasFrags"],
  ["xdp/devmap", "xdp", "xdp_devmap"],
  ["xdp.frags/cpumap", "xdp", "xdp_cpumap", "xdpHasFrags"],
  ["xdp/cpumap", "xdp", "xdp_cpumap"],
  ["xdp.frags", "xdp", "xdp", "xdpHasFrags"],
  ["xdp", "xdp", "xdp"],
  ["perf_event", "perf_event", undefined],
  ["lwt_in", "lwt_in", undefined],
  ["lwt_out", "lwt_out", undefined],
  ["lwt_xmit", "lwt_xmit", undefined],
  ["lwt_seg6local", "lwt_seg6local", undefined],
  ["sockops", "sock_ops", "cgroup_sock_ops"],
  ["sk_skb/stream_parser", "sk_skb", "sk_skb_stream_parser"],
  ["sk_skb/stream_verdict", "sk_skb", "sk_skb_stream_verdict"],
  ["sk_skb/verdict", "sk_skb", "sk_skb_verdict"],
  ["sk_skb", "sk_skb", undefined],
  ["sk_msg", "sk_msg", "sk_msg_verdict"],
  ["lirc_mode2", "lirc_mode2", "lirc_mode2"],
  ["flow_dissector", "flow_dissector", "flow_dissector"],
  ["cgroup_skb/ingress", "cgroup_skb", "cgroup_inet_ingress"],
  ["cgroup_skb/egress", "cgroup_skb", "cgroup_inet_egress"],
  ["cgroup/skb", "cgroup_skb", undefined],
  ["cgroup/sock_create", "cgroup_sock", "cgroup_inet_sock_create"],
  ["cgroup/sock_release", "cgroup_sock", "cgroup_inet_sock_release"],
  ["cgroup/sock", "cgroup_sock", "cgroup_inet_sock_create"],
  ["cgroup/post_bind4", "cgroup_sock", "cgroup_inet4_post_bind"],
  ["cgroup/post_bind6", "cgroup_sock", "cgroup_inet6_post_bind"],
  ["cgroup/bind4", "cgroup_sock_addr", "cgroup_inet4_bind"],
  ["cgroup/bind6", "cgroup_sock_addr", "cgroup_inet6_bind"],
  ["cgroup/connect4", "cgroup_sock_addr", "cgroup_inet4_connect"],
  ["cgroup/connect6", "cgroup_sock_addr", "cgroup_inet6_connect"],
  ["cgroup/connect_unix", "cgroup_sock_addr", "cgroup_unix_connect"],
  ["cgroup/sendmsg4", "cgroup_sock_addr", "cgroup_udp4_sendmsg"],
  ["cgroup/sendmsg6", "cgroup_sock_addr", "cgroup_udp6_sendmsg"],
  ["cgroup/sendmsg_unix", "cgroup_sock_addr", "cgroup_unix_sendmsg"],
  ["cgroup/recvmsg4", "cgroup_sock_addr", "cgroup_udp4_recvmsg"],
  ["cgroup/recvmsg6", "cgroup_sock_addr", "cgroup_udp6_recvmsg"],
  ["cgroup/recvmsg_unix", "cgroup_sock_addr", "cgroup_unix_recvmsg"],
  ["cgroup/getpeername4", "cgroup_sock_addr", "cgroup_inet4_getpeername"],
  ["cgroup/getpeername6", "cgroup_sock_addr", "cgroup_inet6_getpeername"],
  ["cgroup/getpeername_unix", "cgroup_sock_addr", "cgroup_unix_getpeername"],
  ["cgroup/getsockname4", "cgroup_sock_addr", "cgroup_inet4_getsockname"],
  ["cgroup/getsockname6", "cgroup_sock_addr", "cgroup_inet6_getsockname"],
  ["cgroup/getsockname_unix", "cgroup_sock_addr", "cgroup_unix_getsockname"],
  ["cgroup/sysctl", "cgroup_sysctl", "cgroup_sysctl"],
  ["cgroup/getsockopt", "cgroup_sockopt", "cgroup_getsockopt"],
  ["cgroup/setsockopt", "cgroup_sockopt", "cgroup_setsockopt"],
  ["cgroup/dev", "cgroup_device", "cgroup_device"],
  ["struct_ops+", "struct_ops", undefined],
  ["struct_ops.s+", "struct_ops", undefined, "sleepable"],
  ["sk_lookup", "sk_lookup", "sk_lookup"],
  ["netfilter", "netfilter", "netfilter"],
];

/** Section names that Linux 7 knows and 6.18 does not. */
const NEWER = /^(fsession|fentry|fexit)\.multi(\.s)?(\/|$)/;

function matches(row: string, section: string): boolean {
  if (!row.endsWith("+")) return section === row;
  const name = row.slice(0, -1);
  return section === name || section.startsWith(`${name}/`);
}

/** Says whether a section name belongs to a program type that only newer kernels have. */
export const isNewerSection = (section: string): boolean => NEWER.test(section.replace(/^\?/, ""));

/**
 * Tells program type, attach type and flags from the name of a section; the first row that matches wins.
 *
 * @returns type `unspec` for names that no row matches (P-3).
 */
export function sectionMeaning(section: string): SectionMeaning {
  const autoload = !section.startsWith("?");
  const name = autoload ? section : section.slice(1);
  const row = ROWS.find(([pattern]) => matches(pattern, name));
  if (row === undefined) {
    return { type: "unspec", attachType: 0, flags: 0, attachTarget: undefined, autoload };
  }
  const [pattern, type, attachType, flag] = row;
  const target = pattern.endsWith("+") ? name.slice(pattern.length) : "";
  return {
    type,
    attachType: attachType === undefined ? 0 : ATTACH_TYPES[attachType],
    flags: flag === undefined ? 0 : PROG_FLAGS[flag],
    attachTarget: target === "" ? undefined : target,
    autoload,
  };
}
