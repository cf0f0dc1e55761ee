import { existsSync, readFileSync } from "node:fs";
import { type Btf, parseBtf } from "@tsbpf/btf";

const RUNNING_KERNEL = "/sys/kernel/btf/vmlinux";

let known: Btf | undefined;

/** Returns the types of the running kernel, read once; undefined on a machine that has none. */
export function runningKernelTypes(): Btf | undefined {
  if (known === undefined && existsSync(RUNNING_KERNEL)) {
    known = parseBtf(new Uint8Array(readFileSync(RUNNING_KERNEL)), { what: RUNNING_KERNEL });
  }
  return known;
}
