import { ATTACH_TYPES, PROG_TYPES } from "@tsbpf/abi";
import { isStructOps } from "../btf/struct-ops.ts";
import type { Env } from "../env.ts";
import { FLAG, pointerReg, REG, type Reg } from "../state/reg.ts";

const TRUSTED_OR_NULL = FLAG.trusted | FLAG.maybeNull;
const PLAIN_OR_NULL = FLAG.maybeNull;

/** What an iterator says of its objects, by target and offset in the context. */
interface IterArg {
  readonly off: number;
  readonly flags: number;
  /** Struct of a pointer; a plain buffer otherwise. */
  readonly struct?: string;
}
const object = (off: number, struct: string, flags: number = TRUSTED_OR_NULL): IterArg => ({
  off,
  flags,
  struct,
});
const buffer = (off: number, flags = 0): IterArg => ({ off, flags: flags | FLAG.maybeNull });

/** @source linux 6.18: the ctx_arg_info of every bpf_iter_reg */
const ITER_ARGS: Readonly<Record<string, readonly IterArg[]>> = {
  bpf_link: [object(8, "bpf_link", PLAIN_OR_NULL)],
  bpf_map: [object(8, "bpf_map")],
  bpf_map_elem: [buffer(16, FLAG.rdonly), buffer(24)],
  bpf_prog: [object(8, "bpf_prog", PLAIN_OR_NULL)],
  bpf_sk_storage_map: [object(16, "sock", PLAIN_OR_NULL), buffer(24)],
  cgroup: [object(8, "cgroup")],
  dmabuf: [object(8, "dma_buf", PLAIN_OR_NULL)],
  ipv6_route: [object(8, "fib6_info", PLAIN_OR_NULL)],
  kmem_cache: [object(8, "kmem_cache")],
  ksym: [object(8, "kallsym_iter", PLAIN_OR_NULL)],
  netlink: [object(8, "netlink_sock", PLAIN_OR_NULL)],
  sockmap: [buffer(16, FLAG.rdonly), object(24, "sock", PLAIN_OR_NULL)],
  task: [object(8, "task_struct")],
  task_file: [object(8, "task_struct", PLAIN_OR_NULL), object(24, "file", PLAIN_OR_NULL)],
  task_vma: [object(8, "task_struct", PLAIN_OR_NULL), object(16, "vm_area_struct", PLAIN_OR_NULL)],
  tcp: [object(8, "sock_common")],
  udp: [object(8, "udp_sock")],
  unix: [object(8, "unix_sock", PLAIN_OR_NULL)],
};

/** Targets that iterators walk; other functions of such names are none. */
export const isIterTarget = (target: string): boolean => Object.hasOwn(ITER_ARGS, target);

/** Hooks that see objects on their way in or out, whose pointers are not to be trusted. */
const UNTRUSTED_HOOKS: ReadonlySet<string> = new Set([
  "bpf_map_free",
  "bpf_prog_free",
  "file_alloc_security",
  "file_free_security",
  "sk_alloc_security",
  "sk_free_security",
  "task_free",
]);

/** Arguments of raw tracepoints that may be NULL, one hexadecimal digit each, the first the lowest. */
const NULLABLE_TRACEPOINT_ARGS: Readonly<Record<string, number>> = {
  sched_pi_setprio: 0x10,
  sched_stick_numa: 0x100,
  sched_swap_numa: 0x100,
  afs_make_fs_call: 0x10,
  afs_make_fs_calli: 0x10,
  afs_make_fs_call1: 0x10,
  afs_make_fs_call2: 0x10,
  afs_protocol_error: 0x1,
  afs_flock_ev: 0x10,
  cachefiles_unlink: 0x1,
  cachefiles_rename: 0x1,
  cachefiles_prep_read: 0x1,
  cachefiles_mark_active: 0x1,
  cachefiles_mark_failed: 0x1,
  cachefiles_mark_inactive: 0x1,
  cachefiles_vfs_error: 0x1,
  cachefiles_io_error: 0x1,
  ext4_mballoc_discard: 0x10,
  ext4_mballoc_free: 0x10,
  fib_table_lookup: 0x100,
  posix_lock_inode: 0x10,
  fcntl_setlk: 0x10,
  locks_remove_posix: 0x10,
  flock_lock_inode: 0x10,
  break_lease_noblock: 0x10,
  break_lease_block: 0x10,
  break_lease_unblock: 0x10,
  generic_delete_lease: 0x10,
  time_out_leases: 0x10,
  mm_khugepaged_scan_pmd: 0x10,
  mm_collapse_huge_page_isolate: 0x1,
  mm_khugepaged_scan_file: 0x10,
  mm_khugepaged_collapse_file: 0x10,
  mm_page_alloc: 0x1,
  mm_page_pcpu_drain: 0x1,
  mm_page_alloc_zone_locked: 0x1,
  netfs_failure: 0x10,
  device_pm_callback_start: 0x10,
  qdisc_dequeue: 0x1000,
  kfree_skb: 0x1000,
  xs_stream_read_data: 0x1,
  xprt_reserve_cong: 0x10,
  xprt_release_cong: 0x10,
  xprt_get_cong: 0x10,
  xprt_put_cong: 0x10,
  tcp_send_reset: 0x11,
  tcp_sendmsg_locked: 0x100,
  tmigr_update_events: 0x1,
  writeback_dirty_folio: 0x10,
  folio_wait_writeback: 0x10,
  hugetlbfs_alloc_inode: 0x10,
  xfs_inodegc_flush: 0x1,
  xfs_inodegc_push: 0x1,
  xfs_inodegc_start: 0x1,
  xfs_inodegc_stop: 0x1,
  xfs_inodegc_queue: 0x1,
  xfs_inodegc_throttle: 0x1,
  xfs_fs_sync_fs: 0x1,
  xfs_blockgc_start: 0x1,
  xfs_blockgc_stop: 0x1,
  xfs_blockgc_worker: 0x1,
  xfs_blockgc_flush_all: 0x1,
  xfs_map_blocks_found: 0x10000,
  xfs_map_blocks_alloc: 0x10000,
  xfs_btree_updkeys: 0x100,
  xfs_btree_overlapped_query_range: 0x100,
  xfs_defer_create_intent: 0x1,
  xfs_defer_cancel_list: 0x1,
  xfs_defer_pending_finish: 0x1,
  xfs_defer_pending_abort: 0x1,
  xfs_defer_relog_intent: 0x1,
  xfs_defer_isolate_paused: 0x1,
  xfs_defer_item_pause: 0x1,
  xfs_defer_item_unpause: 0x1,
  xfs_defer_add_item: 0x1,
  xfs_defer_cancel_item: 0x1,
  xfs_defer_finish_item: 0x1,
  xfs_ioc_free_eofblocks: 0x10,
  xfs_blockgc_free_space: 0x10,
};
const BITS_PER_ARG = 4;

/** What an iterator passes at an offset, where it says more than the function's type. */
export function iterArg(env: Env, off: number): IterArg | undefined {
  if (env.attachType !== ATTACH_TYPES.trace_iter || env.progType !== PROG_TYPES.tracing) return undefined;
  return ITER_ARGS[env.spec.attachTarget ?? ""]?.find((one) => one.off === off);
}

/** Register of an iterator's plain buffer. */
export const iterBuffer = (arg: IterArg, id: number): Reg => pointerReg(REG.buf, { flags: arg.flags, id });

/** Flags of a pointer argument by what the program is attached to. */
export function tracedArgFlags(env: Env, argIdx: number, paramName: string): number {
  const target = env.spec.attachTarget ?? "";
  const isTracing = env.progType === PROG_TYPES.tracing;
  const isTracepoint = isTracing && env.attachType === ATTACH_TYPES.trace_raw_tp;
  const isTrusted = isTracing
    ? isTracepoint || env.attachType === ATTACH_TYPES.trace_iter
    : isStructOps(env) || !UNTRUSTED_HOOKS.has(target);
  let flags: number = isTrusted ? FLAG.trusted : 0;
  if (paramName.endsWith("__nullable")) flags |= FLAG.maybeNull;
  if (isTracepoint) {
    const mask = NULLABLE_TRACEPOINT_ARGS[target] ?? 0;
    if (((mask >>> (argIdx * BITS_PER_ARG)) & 1) !== 0) flags |= FLAG.maybeNull;
  }
  return flags;
}
