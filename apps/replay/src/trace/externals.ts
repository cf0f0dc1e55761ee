import type { HelperPlugin } from "@tsbpf/plugin";

/** Helpers of Linux whose answers depend on the host: its routes, interfaces, tasks and memory nodes. */
const HOST_HELPERS: ReadonlySet<string> = new Set([
  "bpf_fib_lookup",
  "bpf_check_mtu",
  "bpf_get_numa_node_id",
  "bpf_get_current_pid_tgid",
  "bpf_get_ns_current_pid_tgid",
  "bpf_get_current_uid_gid",
  "bpf_get_current_comm",
  "bpf_get_current_cgroup_id",
  "bpf_get_current_ancestor_cgroup_id",
  "bpf_get_cgroup_classid",
  "bpf_get_attach_cookie",
  "bpf_send_signal",
  "bpf_send_signal_thread",
]);

/** Helpers that read clocks and random numbers, which a trace holds by themselves. */
const CLOCK_HELPERS = /^bpf_(ktime_get_\w+|jiffies64|get_prandom_u32|tcp_raw_(gen|check)_syncookie_ipv[46])$/;

/** Says whether what a helper of Linux answers comes from the host that runs the program. */
export const asksHost = (helper: HelperPlugin): boolean => HOST_HELPERS.has(helper.proto.name);

/** Says whether what a helper answers differs from one machine or moment to another. */
export const dependsOnHost = (helper: HelperPlugin): boolean =>
  asksHost(helper) || CLOCK_HELPERS.test(helper.proto.name);

/**
 * Says whether a plugin's helper is recorded: all are, since nothing says what they look at, but for those that call
 * functions of the program, which no recording can do.
 */
export const isRecordable = (helper: HelperPlugin): boolean => !helper.proto.callsBack;
