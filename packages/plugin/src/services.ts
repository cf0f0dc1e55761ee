import type { U32, U64 } from "@tsbpf/base";

/** Time as the program sees it; deterministic unless a live clock is injected. */
export interface Clock {
  /** Nanoseconds since boot without suspend. */
  ktimeNs(): U64;
  /** Nanoseconds since boot with suspend. */
  bootNs(): U64;
  /** Nanoseconds of the coarse clock. */
  coarseNs(): U64;
  /** TAI nanoseconds. */
  taiNs(): U64;
  jiffies(): U64;
}

export interface RandomSource {
  u32(): U32;
}

/** A route for `bpf_fib_lookup`. */
export interface FibRoute {
  /** Prefix as `10.0.0.0/8` or `2001:db8::/32`. */
  readonly prefix: string;
  readonly ifindex: number;
  /** Next hop; the destination itself when omitted. */
  readonly via?: string;
  /** Route MTU in bytes. */
  readonly mtu?: number;
  readonly kind?: "unicast" | "blackhole" | "unreachable" | "prohibit" | "local";
  readonly table?: number;
}

export interface Neighbour {
  readonly ip: string;
  readonly ifindex: number;
  /** As `02:00:00:00:00:01`. */
  readonly mac: string;
}

export interface NetDevice {
  readonly ifindex: number;
  readonly name: string;
  readonly mtu: number;
  readonly mac: string;
  readonly isUp?: boolean;
}

/** The network that helpers see; supplied by the host, empty by default. */
export interface Network {
  readonly devices: readonly NetDevice[];
  readonly routes: readonly FibRoute[];
  readonly neighbours: readonly Neighbour[];
  /** Whether interfaces forward; default true. */
  readonly isForwarding?: boolean;
}

/** The task that tracing helpers see. */
export interface Task {
  readonly pid: U32;
  readonly tgid: U32;
  readonly uid: U32;
  readonly gid: U32;
  readonly comm: string;
  readonly cgroupId: U64;
}

/** Everything a helper may learn from outside the program. */
export interface Services {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly network: Network;
  readonly task: Task;
  readonly numaNode: number;
}
