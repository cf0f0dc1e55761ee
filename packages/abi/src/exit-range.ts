import { ATTACH_TYPES, type AttachTypeName, type ProgTypeName } from "./prog-types.ts";

/** Inclusive signed bounds of a program's result. */
export interface ExitRange {
  readonly min: bigint;
  readonly max: bigint;
}

const ZERO: ExitRange = { min: 0n, max: 0n };
const ZERO_TO_ONE: ExitRange = { min: 0n, max: 1n };
const ONE: ExitRange = { min: 1n, max: 1n };
const ZERO_TO_THREE: ExitRange = { min: 0n, max: 3n };

const attaches = (...names: readonly AttachTypeName[]): ReadonlySet<number> =>
  new Set(names.map((name) => ATTACH_TYPES[name]));

const MUST_BE_ONE = attaches(
  "cgroup_udp4_recvmsg",
  "cgroup_udp6_recvmsg",
  "cgroup_unix_recvmsg",
  "cgroup_inet4_getpeername",
  "cgroup_inet6_getpeername",
  "cgroup_unix_getpeername",
  "cgroup_inet4_getsockname",
  "cgroup_inet6_getsockname",
  "cgroup_unix_getsockname",
);
const BIND = attaches("cgroup_inet4_bind", "cgroup_inet6_bind");
const TRAMPOLINES = attaches("trace_fentry", "trace_fexit", "trace_fsession");
const SESSIONS = attaches("trace_kprobe_session", "trace_uprobe_session");

/**
 * Returns the range that a program's result must be proved to lie in.
 *
 * @param attachType - expected attach type.
 * @returns undefined when any result is accepted. For `lsm` the hook decides: {@link LSM_EXIT_RANGES}.
 * @source linux 6.18, measured; Documentation/bpf/verifier.rst
 */
export function exitRange(progType: ProgTypeName, attachType: number): ExitRange | undefined {
  switch (progType) {
    case "cgroup_sock":
    case "sock_ops":
    case "cgroup_device":
    case "cgroup_sysctl":
    case "cgroup_sockopt":
    case "sk_lookup":
    case "netfilter":
      return ZERO_TO_ONE;
    case "cgroup_skb":
      return attachType === ATTACH_TYPES.cgroup_inet_egress ? ZERO_TO_THREE : ZERO_TO_ONE;
    case "cgroup_sock_addr":
      return MUST_BE_ONE.has(attachType) ? ONE : BIND.has(attachType) ? ZERO_TO_THREE : ZERO_TO_ONE;
    case "tracing":
      if (TRAMPOLINES.has(attachType)) return ZERO;
      return attachType === ATTACH_TYPES.trace_iter ? ZERO_TO_ONE : undefined;
    case "kprobe":
      return SESSIONS.has(attachType) ? ZERO_TO_ONE : undefined;
    default:
      return undefined;
  }
}

/** Ranges of security hooks: integer hooks compare 32 bits, void hooks do not read the result. */
export const LSM_EXIT_RANGES = {
  int: { min: -4095n, max: 0n },
  bool: ZERO_TO_ONE,
  cgroup: ZERO_TO_ONE,
  cgroupVoid: ONE,
} as const satisfies Record<string, ExitRange>;
