import { printHexBytes } from "@tsbpf/base";
import type { BpfMap } from "@tsbpf/plugin";
import { type Machine, namePointer } from "@tsbpf/runtime";
import { printValue } from "./values.ts";

/** A state as it was, to compare with. */
export interface Mark {
  readonly name: string;
  readonly insnCount: number;
  readonly slot: number;
  readonly regs: readonly bigint[];
  /** Registers as they print at that moment. */
  readonly texts: readonly string[];
  readonly memory: readonly { readonly start: number; readonly bytes: Uint8Array }[];
  readonly maps: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

export interface MarkSource {
  readonly machine: Machine;
  readonly slot: number;
  readonly maps: ReadonlyMap<string, BpfMap>;
  reg(n: number): bigint;
}

const FRAME_POINTER = 10;
const ENTRIES_MAX = 10_000;
const REGION_BYTES_MAX = 1 << 20;
const COMPARED: ReadonlySet<string> = new Set(["stack", "ctx", "packet", "ringbuf", "scratch"]);
const RUNS_SHOWN = 40;
const BYTES_SHOWN = 16;

/** Copies what can be compared later: registers, stack, context, packet, maps. */
export function takeMark(name: string, source: MarkSource): Mark {
  const { machine } = source;
  const { memory } = machine.env;
  const spans = memory.regions.all
    .filter((region) => COMPARED.has(region.kind) && region.end > region.start)
    .map(({ start, end }) => ({
      start,
      bytes: memory.u8.slice(start, Math.min(end, start + REGION_BYTES_MAX)),
    }));
  const regs = Array.from({ length: 11 }, (_, n) => source.reg(n));
  return {
    name,
    insnCount: machine.insnCount,
    slot: source.slot,
    regs,
    texts: regs.map((value) => printValue(value, machine)),
    memory: spans,
    maps: new Map([...source.maps].map(([mapName, map]) => [mapName, entriesOf(map)])),
  };
}

function entriesOf(map: BpfMap): Map<string, string> {
  const entries = new Map<string, string>();
  for (const [key, value] of map.entries()) {
    if (entries.size >= ENTRIES_MAX) break;
    entries.set(printHexBytes(key), printHexBytes(value));
  }
  return entries;
}

/** Lists what differs between two states, registers first, then memory, then maps. */
export function diffMarks(before: Mark, after: Mark, machine: Machine): string[] {
  return [...diffRegs(before, after), ...diffMemory(before, after, machine), ...diffMaps(before, after)];
}

function diffRegs(before: Mark, after: Mark): string[] {
  return after.regs.flatMap((value, n) => {
    // Pointers into frames are told from the frame that runs: r10 is always fp0.
    if (value === before.regs[n] || (n === FRAME_POINTER && before.texts[n] === after.texts[n])) return [];
    return [`R${n}: ${before.texts[n]} -> ${after.texts[n]}`];
  });
}

function diffMemory(before: Mark, after: Mark, machine: Machine): string[] {
  const old = new Map(before.memory.map((span) => [span.start, span.bytes]));
  const lines: string[] = [];
  for (const { start, bytes } of after.memory) {
    const was = old.get(start);
    if (was === undefined) continue;
    const length = Math.min(bytes.length, was.length);
    for (let at = 0; at < length; at++) {
      if (bytes[at] === was[at]) continue;
      const from = at;
      while (at < length && bytes[at] !== was[at]) at++;
      if (lines.length >= RUNS_SHOWN) return [...lines, "… more memory differs"];
      lines.push(
        `${namePointer(BigInt(start + from), machine) ?? `0x${(start + from).toString(16)}`}: ${clip(was, from, at)} -> ${clip(bytes, from, at)}`,
      );
    }
  }
  return lines;
}

const clip = (bytes: Uint8Array, from: number, end: number): string =>
  `${printHexBytes(bytes.subarray(from, Math.min(end, from + BYTES_SHOWN)))}${end - from > BYTES_SHOWN ? "…" : ""}`;

function diffMaps(before: Mark, after: Mark): string[] {
  const lines: string[] = [];
  for (const [name, entries] of after.maps) {
    const old = before.maps.get(name) ?? new Map<string, string>();
    for (const [key, value] of entries) {
      const was = old.get(key);
      if (was !== value) lines.push(`map ${name}[${key}]: ${was ?? "nothing"} -> ${value}`);
    }
    for (const [key, value] of old)
      if (!entries.has(key)) lines.push(`map ${name}[${key}]: ${value} -> nothing`);
    if (lines.length > RUNS_SHOWN) return [...lines.slice(0, RUNS_SHOWN), "… more map entries differ"];
  }
  return lines;
}
