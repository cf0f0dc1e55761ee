import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MAP_TYPES, type MapSpec, PROG_TYPES, type ProgSpec, type RawRecords } from "@tsbpf/abi";
import { printHexBytes } from "@tsbpf/base";
import { type Btf, parseBtf } from "@tsbpf/btf";
import { afterAll, describe, expect, it } from "vitest";
import { loadObject, parseKconfig } from "../src/index.ts";
import { installedObjects, readObject, sampleObjects, shortName } from "./objects.ts";

const KERNEL_BTF = "/sys/kernel/btf/vmlinux";
const OWN = fileURLToPath(new URL("objects/", import.meta.url));
const KCONFIG = "CONFIG_BPF_SYSCALL=y\nCONFIG_HZ=250\n";

const folder = mkdtempSync(join(tmpdir(), "tsbpf-libbpf-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Compiles the oracle; undefined without a compiler or libbpf's headers. */
function compileOracle(): string | undefined {
  const source = fileURLToPath(new URL("libbpf-oracle.c", import.meta.url));
  const binary = join(folder, "oracle");
  const result = spawnSync("cc", ["-O1", "-o", binary, source, "-lbpf", "-lelf", "-lz"]);
  return result.status === 0 ? binary : undefined;
}
const oracle = process.platform === "linux" && process.arch === "x64" ? compileOracle() : undefined;
const isKernelKnown = existsSync(KERNEL_BTF);

/** The kernel keeps 15 bytes of a name. */
const cut = (name: string): string => name.slice(0, 15);

function mapLines(map: MapSpec): string[] {
  const name = cut(map.name);
  const lines = map.inner === undefined ? [] : mapLines(map.inner);
  lines.push(
    `MAP ${name} type=${MAP_TYPES[map.type]} key=${map.keyBytes} value=${map.valueBytes} max=${map.maxEntries} flags=${map.flags} kt=${map.btfKeyTypeId ?? 0} vt=${map.btfValueTypeId ?? 0} extra=${map.mapExtra ?? 0}`,
  );
  for (const { key, value } of map.contents ?? []) {
    const index = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
    if (value instanceof Uint8Array) lines.push(`UPDATE ${name} key=${index} ${printHexBytes(value)}`);
    else if ("map" in value) lines.push(`UPDATE ${name} key=${index} -> ${cut(value.map)}`);
  }
  // libbpf writes zeros where we leave the value out.
  if (map.dataSection?.startsWith(".bss")) lines.push(`UPDATE ${name} key=0 ${"00".repeat(map.valueBytes)}`);
  if (map.isFrozen) lines.push(`FREEZE ${name}`);
  return lines;
}

/** The words of each raw record. */
function recordWords(raw: RawRecords | undefined): number[][] {
  if (raw === undefined) return [];
  const view = new DataView(raw.bytes.buffer, raw.bytes.byteOffset, raw.bytes.length);
  return Array.from({ length: raw.bytes.length / raw.recordBytes }, (_, i) =>
    Array.from({ length: raw.recordBytes / 4 }, (_, k) => view.getUint32(i * raw.recordBytes + 4 * k, true)),
  );
}

function progLines(prog: ProgSpec): string[] {
  const mapAt = new Map(
    prog.mapRefs.map(({ slot, mapIdx }) => [slot, `@${cut(prog.maps[mapIdx]?.name ?? "")}`]),
  );
  return [
    `PROG ${cut(prog.name)} type=${PROG_TYPES[prog.type]} attach=${prog.attachType} flags=${prog.flags} license=${prog.license} cnt=${prog.insns.length}`,
    ...prog.insns.map(
      (insn, slot) =>
        ` ${insn.op.toString(16).padStart(2, "0")} ${insn.dst} ${insn.src} ${insn.off} ${mapAt.get(slot) ?? insn.imm}`,
    ),
    ...recordWords(prog.funcInfo).map(([slot, type]) => ` FUNC ${slot} ${type}`),
    ...recordWords(prog.lineInfo).map(
      ([slot, file, text, place = 0]) => ` LINE ${slot} ${place >>> 10} ${place & 1023} ${file} ${text}`,
    ),
    "END",
  ];
}

function ourLines(path: string, targetBtf: Btf | undefined): string[] {
  const spec = loadObject(readObject(path), {
    name: path,
    kconfig: parseKconfig(KCONFIG),
    ...(targetBtf === undefined ? {} : { targetBtf }),
  });
  const slots = spec.maps.flatMap(({ name, contents = [] }) =>
    contents.flatMap(({ key, value }) =>
      "prog" in value ? [`UPDATE ${cut(name)} key=${key[0]} -> prog:${cut(value.prog)}`] : [],
    ),
  );
  return [...spec.maps.flatMap(mapLines), ...spec.progs.flatMap(progLines), ...slots];
}

/** What libbpf does for the object, without what it does to find out about the kernel. */
function libbpfLines(path: string, targetBtf: string | undefined): string[] | undefined {
  const words = [path, KCONFIG, ...(targetBtf === undefined ? [] : [targetBtf])];
  const result = spawnSync(oracle ?? "", words, { encoding: "utf8", maxBuffer: 1 << 26 });
  const lines: string[] = [];
  let isProbe = false;
  for (const line of result.stdout.split("\n")) {
    // Probes have no name, or one of libbpf's own.
    if (/^PROG ( |libbpf_|det_arg)/.test(line)) isProbe = true;
    if (!isProbe && line !== "" && !/^(MAP ( |libbpf_)|LOAD )/.test(line)) lines.push(line);
    if (line === "END") isProbe = false;
  }
  return result.stdout.includes("LOAD 0") ? lines : undefined;
}

/** The parts of either side that depend on the machine: release, options of its kernel, count of CPUs. */
const isComparable = (line: string): boolean =>
  !/^UPDATE \S*\.kconfig /.test(line) && !/^MAP \S+ type=4 /.test(line);

describe.skipIf(oracle === undefined || !isKernelKnown)("as libbpf loads them", () => {
  const target = isKernelKnown ? parseBtf(new Uint8Array(readFileSync(KERNEL_BTF))) : undefined;
  const objects = [...sampleObjects(), ...installedObjects(), `${OWN}core.bpf.o`];

  it.each(objects.map((path) => [shortName(path), path]))("%s", (name, path) => {
    const theirs = libbpfLines(path, KERNEL_BTF);
    // libbpf loads neither the older map definitions nor another byte order.
    if (theirs === undefined) return expect(name).toMatch(/^(legacy-maps|.*\.be)\.bpf\.o$/);
    expect(theirs.length).toBeGreaterThan(5);
    expect(ourLines(path, target).filter(isComparable)).toEqual(theirs.filter(isComparable));
  });
});
