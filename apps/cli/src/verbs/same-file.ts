import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { InputError } from "@tsbpf/base";

/** Refuses to write a file that is being read: it would be empty before it is read. */
export function refuseSameFile(inputs: readonly string[], output: string): void {
  const real = (path: string): string => {
    try {
      return realpathSync(path);
    } catch {
      return resolve(path);
    }
  };
  if (output === "-") return;
  const same = inputs.find((path) => path !== "-" && real(path) === real(output));
  if (same === undefined) return;
  throw new InputError(
    "OPTION_SAME_FILE",
    `${output} is read and written at once, name another file to write`,
  );
}
