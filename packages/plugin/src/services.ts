import type { U32, U64 } from "@tsbpf/base";

/** Time as the program sees it; deterministic unless a live clock is injected. */
export interface Clock {
  /** Nanoseconds since boot without suspend. */
  ktimeNs(): U64;
  /** Puts what `ktimeNs` returns into `halves[0]` (low) and `halves[1]` (high), without making a bigint. */
  ktimeInto?(halves: Int32Array): void;
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
  /** Routing table; 254, the main one, when omitted. */
  readonly table?: number;
  /** Lower wins among equal prefixes; 0 when omitted for IPv4, 1024 for IPv6. */
  readonly metric?: number;
  /** Preferred source address. */
  readonly src?: string;
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
  /** Default true. */
  readonly isUp?: boolean;
  /** Whether packets received here may be forwarded; the network's `isForwarding` when omitted. */
  readonly isForwarding?: boolean;
  /** Bytes of the link-layer header; 14 when omitted. */
  readonly headerBytes?: number;
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
  /** Ids of the cgroups from the root down to the task's own; the root 1 and `cgroupId` when omitted. */
  readonly cgroupPath?: readonly U64[];
  /** Class of the net_cls controller; default 0. */
  readonly classId?: U32;
}

/** Everything a helper may learn from outside the program. */
export interface Services {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly network: Network;
  readonly task: Task;
  readonly numaNode: number;
  /**
   * Which slots of a perf event array somebody reads: all of them, as if user space had opened a buffer for each CPU,
   * or those that the host filled. Default `all`.
   */
  readonly perfReaders?: "all" | "slots";
}
