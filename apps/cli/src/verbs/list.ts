import type { MapSpec, ObjectSpec, ProgSpec } from "@tsbpf/abi";
import { printTable } from "@tsbpf/replay";
import { createVm } from "@tsbpf/vm";
import { printJson, readSource } from "./input.ts";

interface ListWords {
  readonly json?: boolean;
  readonly pretty?: boolean;
}

async function readObject(path: string): Promise<ObjectSpec> {
  const spec = createVm().readSource(await readSource(path), { name: path.split("/").at(-1) ?? path });
  for (const warning of spec.warnings) process.stderr.write(`warning: ${warning}\n`);
  return spec;
}

const describeProg = (prog: ProgSpec) => ({
  name: prog.name,
  type: prog.type,
  section: prog.section ?? "",
  attach_type: prog.attachType,
  insns: prog.insns.length,
  maps: prog.maps.map((map) => map.name),
  functions: prog.funcs.map((func) => func.name),
  license: prog.license,
  autoload: prog.autoload,
  ...(prog.defect === undefined ? {} : { error: prog.defect.text }),
});

/** Lists the programs of an object. */
export async function listProgs(path: string, options: ListWords): Promise<void> {
  const progs = (await readObject(path)).progs.map(describeProg);
  if (options.json === true) return printJson(progs, options.pretty);
  const rows = progs.map((prog) => [
    prog.name,
    prog.type,
    prog.section,
    `${prog.insns}`,
    `${prog.functions.length}`,
    prog.maps.join(","),
  ]);
  const columns = [
    { title: "name" },
    { title: "type" },
    { title: "section" },
    { title: "insns", align: "right" as const },
    { title: "funcs", align: "right" as const },
    { title: "maps" },
  ];
  process.stdout.write(`${printTable(columns, rows)}\n`);
}

const describeMap = (map: MapSpec) => ({
  name: map.name,
  type: map.type,
  bytes_key: map.keyBytes,
  bytes_value: map.valueBytes,
  max_entries: map.maxEntries,
  flags: map.flags,
  frozen: map.isFrozen ? 1 : 0,
  ...(map.inner === undefined ? {} : { inner: map.inner.type }),
});

/** Lists the maps of an object. */
export async function listMaps(path: string, options: ListWords): Promise<void> {
  const maps = (await readObject(path)).maps.map(describeMap);
  if (options.json === true) return printJson(maps, options.pretty);
  const rows = maps.map((map) => [
    map.name,
    map.type,
    `${map.bytes_key}`,
    `${map.bytes_value}`,
    `${map.max_entries}`,
    `0x${map.flags.toString(16)}`,
  ]);
  const right = "right" as const;
  const columns = [
    { title: "name" },
    { title: "type" },
    { title: "key", align: right },
    { title: "value", align: right },
    { title: "max_entries", align: right },
    { title: "flags", align: right },
  ];
  process.stdout.write(`${printTable(columns, rows)}\n`);
}
