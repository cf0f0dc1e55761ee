import { decodeUtf8, InputError, parseHexBytes, U64_MAX } from "@tsbpf/base";
import type { MapChange } from "@tsbpf/trace";

/** A change of a map by the host. */
export interface HostChange {
  /** Number of the run, from 1, before which it happens. */
  readonly run: number;
  readonly map: string;
  readonly change: MapChange;
  readonly key: Uint8Array | undefined;
  readonly value: Uint8Array | undefined;
  readonly flags: bigint;
}

const CHANGES: readonly MapChange[] = ["update", "delete", "push", "pop"];
const FIELDS = ["run", "map", "change", "key", "value", "flags"];

/**
 * Parses changes of maps, a JSON object a line: `{"run": 100, "map": "rules", "key": "0a000001", "value": "01"}`. `run` is 1
 * when it is missing, `change` is `update`.
 *
 * @returns the changes in order of their runs; those of one run stay in the file's order.
 * @throws RECORD_MAP_CHANGE (InputError) naming the line.
 */
export function parseMapChanges(bytes: Uint8Array, path: string): HostChange[] {
  const changes: HostChange[] = [];
  decodeUtf8(bytes)
    .split("\n")
    .forEach((line, idx) => {
      if (line.trim() !== "") changes.push(parseLine(line, `${path}:${idx + 1}`));
    });
  return changes.sort((a, b) => a.run - b.run);
}

function parseLine(line: string, where: string): HostChange {
  const fail = (text: string): InputError => new InputError("RECORD_MAP_CHANGE", `${where}: ${text}`);
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw fail(`no JSON found, an object like {"run": 1, "map": "rules", "key": "00", "value": "01"} needed`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw fail("an object is needed");
  const fields = value as Record<string, unknown>;
  const unknown = Object.keys(fields).find((key) => !FIELDS.includes(key));
  if (unknown !== undefined) throw fail(`field ${unknown} found, ${FIELDS.join(", ")} allowed`);
  const { run = 1, map, flags = 0 } = fields;
  const change = CHANGES.find((one) => one === (fields.change ?? "update"));
  if (typeof map !== "string") throw fail("a map's name is needed as map");
  if (typeof run !== "number" || !Number.isSafeInteger(run) || run < 1)
    throw fail("run must be a number from 1");
  if (change === undefined)
    throw fail(`change ${String(fields.change)} found, one of ${CHANGES.join(", ")} needed`);
  const isFlags = typeof flags === "number" && Number.isSafeInteger(flags) && flags >= 0;
  if (!isFlags || BigInt(flags) > U64_MAX) throw fail("flags must be a whole number");
  const key = hexOf(fields.key, "key", fail);
  const bytes = hexOf(fields.value, "value", fail);
  const takesValue = change === "update" || change === "push";
  if (takesValue && bytes === undefined) throw fail(`a value is needed for ${change}`);
  if (!takesValue && bytes !== undefined) throw fail(`a value is given for ${change}, which takes none`);
  return { run, map, change, key, value: bytes, flags: BigInt(flags) };
}

function hexOf(value: unknown, name: string, fail: (text: string) => InputError): Uint8Array | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string") throw fail(`${name} must be hex digits`);
  try {
    return parseHexBytes(value.replace(/^0x/, "").replace(/\s+/g, ""));
  } catch {
    throw fail(`${name} ${JSON.stringify(value)} found, pairs of hex digits needed`);
  }
}
