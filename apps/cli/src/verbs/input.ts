import type { ProgTypeName } from "@tsbpf/abi";
import { PROG_TYPES } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import { type ReadProgram, readProgram } from "@tsbpf/replay";
import type { ProgSource } from "@tsbpf/vm";
import { readInput } from "../io.ts";

/**
 * Reads what a program may come as: an object, raw instructions, assembly or classic BPF.
 *
 * @throws FILE_EMPTY (InputError) for a file without a byte, CBPF_… for classic BPF that Linux refuses.
 */
export async function readSourceFile(path: string): Promise<ReadProgram> {
  const bytes = await readInput(path);
  if (bytes.length === 0)
    throw new InputError("FILE_EMPTY", `${path} is empty, an object, assembly text or classic BPF needed`);
  return readProgram(bytes, path.split("/").at(-1) ?? path);
}

/** Reads a program for those who do not run it: see {@link readSourceFile}. */
export const readSource = async (path: string): Promise<ProgSource> => (await readSourceFile(path)).source;

/** @throws OPTION_TYPE (InputError) for a name that is no program type. */
export function progTypeOption(name: string): ProgTypeName {
  if (name in PROG_TYPES) return name as ProgTypeName;
  throw new InputError(
    "OPTION_TYPE",
    `program type ${name} found, one of these needed: ${Object.keys(PROG_TYPES).join(", ")}`,
  );
}

/** Prints a JSON document. */
export const printJson = (value: unknown, pretty: boolean | undefined): void => {
  process.stdout.write(`${JSON.stringify(value, jsonValue, pretty === true ? 2 : undefined)}\n`);
};

const jsonValue = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? `0x${value.toString(16)}` : value;

/** What `--maps` and `--trace` hold: true without a value, else the value. */
export const namesOption = (value: string | true | undefined): readonly string[] | undefined =>
  value === undefined ? undefined : value === true ? [] : value.split(",");
