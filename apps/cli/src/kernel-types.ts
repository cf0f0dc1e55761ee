import { existsSync, readFileSync } from "node:fs";
import { InputError } from "@tsbpf/base";
import { type Btf, parseBtf } from "@tsbpf/btf";
import { readInput } from "./io.ts";

const RUNNING_KERNEL = "/sys/kernel/btf/vmlinux";

let known: Btf | undefined;

/**
 * Reads what `--kernel-btf` names: a file, or with `auto` the running kernel.
 *
 * @throws KERNEL_BTF (InputError) when a kernel is asked for that does not show its types.
 */
export async function readKernelTypes(path: string | undefined): Promise<Btf | undefined> {
  if (path === undefined) return undefined;
  if (path !== "auto") return parseBtf(await readInput(path), { what: path });
  const types = runningKernelTypes();
  if (types !== undefined) return types;
  throw new InputError(
    "KERNEL_BTF",
    `--kernel-btf auto found, but there is no ${RUNNING_KERNEL}; name a file of types`,
  );
}

/** Returns the types of the running kernel, read once; undefined on a machine that has none. */
export function runningKernelTypes(): Btf | undefined {
  if (known === undefined && existsSync(RUNNING_KERNEL)) {
    known = parseBtf(new Uint8Array(readFileSync(RUNNING_KERNEL)), { what: RUNNING_KERNEL });
  }
  return known;
}
