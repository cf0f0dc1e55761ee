import { HELPER_PROTOS, KFUNCS } from "@tsbpf/abi";

let names: ReadonlySet<string> | undefined;

const OTHERS = [
  "task_struct",
  "file",
  "inode",
  "dentry",
  "path",
  "socket",
  "sock",
  "sk_buff",
  "cgroup",
  "mm_struct",
  "vm_area_struct",
  "bpf_iter_meta",
  "seq_file",
  "linux_binprm",
  "bpf_map",
  "bpf_prog",
  "net_device",
  "cred",
  "pid",
  "xdp_buff",
  "css_set",
  "super_block",
  "request_sock",
  "pt_regs",
];

/** Kernel structs that prototypes of helpers and kernel functions name, and a few that programs often use. */
export function kfuncNames(): ReadonlySet<string> {
  if (names !== undefined) return names;
  const found = new Set<string>(OTHERS);
  const signatures = [...KFUNCS, ...HELPER_PROTOS].map((one) => one.signature);
  for (const signature of signatures) {
    for (const match of signature.matchAll(/struct (\w+)/g)) found.add(match[1] ?? "");
  }
  names = found;
  return found;
}
