import { ATTACH_TYPES, LSM_EXIT_RANGES, PROG_TYPES } from "@tsbpf/abi";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import type { RetRange } from "../state/state.ts";
import { tracedFunc } from "./traced-func.ts";

/*
 * Programs on hooks of Linux's security modules. Computes: which hooks take programs, which may sleep, and what a
 * program may answer. Assumes: the kernel's types, which say what a hook returns; without them its result is free.
 */

const PREFIX = "bpf_lsm_";

/** Hooks that take no programs. @source linux 6.18 kernel/bpf/bpf_lsm.c bpf_lsm_disabled_hooks */
const DISABLED: ReadonlySet<string> = new Set([
  "vm_enough_memory",
  "inode_need_killpriv",
  "inode_getsecurity",
  "inode_listsecurity",
  "inode_copy_up_xattr",
  "getselfattr",
  "getprocattr",
  "setprocattr",
  "key_getsecurity",
  "audit_rule_match",
  "xfrm_decode_session",
  "ismaclabel",
]);

/** Hooks that answer yes or no. @source linux 6.18 kernel/bpf/bpf_lsm.c bool_lsm_hooks */
const YES_OR_NO: ReadonlySet<string> = new Set([
  "xfrm_state_pol_flow_match",
  "audit_rule_known",
  "inode_xattr_skipcap",
]);

/** Hooks whose programs may sleep, by subject. @source linux 6.18 kernel/bpf/bpf_lsm.c sleepable_lsm_hooks */
const SLEEPABLE_BY_SUBJECT: Readonly<Record<string, string>> = {
  bpf: "map map_create map_free prog prog_load token_create token_free token_cmd token_capable",
  bprm: "check_security committed_creds committing_creds creds_for_exec creds_from_file",
  bdev: "alloc_security free_security setintegrity",
  file: "ioctl lock open post_open receive",
  inode:
    "create free_security getattr getxattr mknod need_killpriv post_setxattr post_removexattr readlink removexattr rename rmdir setattr setxattr symlink unlink",
  kernel: "module_request read_file",
  path: "unlink mkdir rmdir truncate symlink link rename chmod chown notify",
  sb: "alloc_security eat_lsm_opts kern_mount mount remount set_mnt_opts show_options statfs umount",
  socket:
    "accept bind connect create getpeername getpeersec_dgram getsockname getsockopt listen post_create recvmsg sendmsg shutdown socketpair",
  task: "alloc getsecid_obj prctl setscheduler",
};
const SLEEPABLE: ReadonlySet<string> = new Set([
  ...Object.entries(SLEEPABLE_BY_SUBJECT).flatMap(([subject, all]) =>
    all.split(" ").map((one) => `${subject}_${one}`),
  ),
  ..."bpf capget capset cred_prepare kernfs_init_security mmap_file netlink_send release_secctx settime syslog".split(
    " ",
  ),
  "current_getsecid_subj",
  "userns_create",
]);

/** Tells whether programs on the hook that this one is for may sleep. */
export const isSleepableHook = (env: Env): boolean => SLEEPABLE.has(env.spec.attachTarget ?? "");

/** Checks that a security module's program may be attached to its hook (H-88, P-2). */
export function checkLsmHook(env: Env): void {
  const hook = env.spec.attachTarget;
  if (env.progType !== PROG_TYPES.lsm || env.isExtension || hook === undefined) return;
  const bad = (text: string): never => reject(env, "CALL_LSM_HOOK", "EINVAL", text);
  if (env.isSleepable && !isSleepableHook(env)) bad(`${PREFIX}${hook} is not sleepable`);
  if (!env.isGpl) bad("LSM programs must have a GPL compatible license");
  if (!DISABLED.has(hook)) return;
  const id = env.options.kernelBtf?.idsOf(`${PREFIX}${hook}`, "func")[0] ?? 0;
  bad(`attach_btf_id ${id} points to disabled hook ${PREFIX}${hook}`);
}

/**
 * What a program on a hook may answer.
 *
 * @returns undefined when its answer is not read, "any" when all are taken, else bounds (H-160).
 */
export function lsmResult(env: Env): RetRange | "any" | undefined {
  const func = tracedFunc(env);
  const isVoid = func !== undefined && func.returns === 0;
  if (env.attachType === ATTACH_TYPES.lsm_cgroup) {
    return { ...(isVoid ? LSM_EXIT_RANGES.cgroupVoid : LSM_EXIT_RANGES.cgroup), is32: false };
  }
  if (func === undefined) return "any";
  if (isVoid) return undefined;
  const isYesOrNo = YES_OR_NO.has(env.spec.attachTarget ?? "");
  return { ...(isYesOrNo ? LSM_EXIT_RANGES.bool : LSM_EXIT_RANGES.int), is32: true };
}

/** Functions of the kernel in which paths may be printed. @source linux 6.18 kernel/trace/bpf_trace.c */
const PRINTS_PATHS: ReadonlySet<string> = new Set([
  "security_file_permission",
  "security_inode_getattr",
  "security_file_open",
  "security_path_truncate",
  "vfs_truncate",
  "vfs_fallocate",
  "dentry_open",
  "vfs_getattr",
  "filp_close",
]);

/** Tells whether tasks of cgroups may be walked: their iterator takes a lock that other places may hold already. */
export const mayWalkCssTasks = (env: Env): boolean =>
  env.progType === PROG_TYPES.lsm ||
  (env.progType === PROG_TYPES.tracing && env.attachType === ATTACH_TYPES.trace_iter) ||
  env.cur.inSleepable;

/** Helpers that only some targets may call. */
const BY_TARGET: ReadonlySet<string> = new Set(["bpf_d_path", "bpf_ima_inode_hash", "bpf_ima_file_hash"]);

/** Tells whether what the program is attached to lets it call a helper (H-4). */
export function isHelperAllowedAtTarget(env: Env, helper: string): boolean {
  if (!BY_TARGET.has(helper)) return true;
  if (env.progType === PROG_TYPES.lsm) return isSleepableHook(env);
  if (helper !== "bpf_d_path" || env.progType !== PROG_TYPES.tracing) return false;
  return env.attachType === ATTACH_TYPES.trace_iter || PRINTS_PATHS.has(env.spec.attachTarget ?? "");
}
