import type { LinearMemory } from "@tsbpf/memory";
import { SCAN_OWN, SCAN_SHARED } from "./scan.gen.ts";

/** The block that tells the module what to do, then what it says of what it did. Offsets from its start. */
export const CONFIG = {
  isSwapped: 0,
  plainBytesMax: 4,
  fractionEnd: 8,
  outEnd: 12,
  cutShort: 16,
  reason: 20,
  small: 24,
  cpuCount: 28,
  parts: 32,
  counts: 36,
  nsPerFraction: 40,
  bootSec: 48,
  bytes: 64,
} as const;

/** Why a scan stopped. */
export const SCAN_STOP = {
  /** The next record is not whole. */
  bytes: 0,
  /** There is no room for another descriptor. */
  full: 1,
  /** The next record needs a closer look. */
  odd: 2,
  /** The next record is not for this walk. */
  limit: 3,
} as const;

/** Frames of more bytes run one by one, so that program types can refuse them. */
export const FRAME_BYTES_MAX = 65_535;

/** What `gen/scan.wat` exports; all but counts are addresses. */
export interface ScanExports {
  scan(config: number, pos: number, end: number, desc: number, descEnd: number): number;
  walk(
    config: number,
    pos: number,
    limit: number,
    end: number,
    out: number,
    outEnd: number,
    next: number,
  ): number;
  place(config: number, records: number, end: number, places: number, desc: number, times: number): void;
  tally(desc: number, end: number, table: number): number;
}

const modules = new Map<string, WebAssembly.Module>();

/** Makes the module run on a memory. */
export function instantiate(memory: LinearMemory): ScanExports {
  const base64 = memory.isShared ? SCAN_SHARED : SCAN_OWN;
  let module = modules.get(base64);
  if (module === undefined) {
    module = new WebAssembly.Module(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
    modules.set(base64, module);
  }
  return new WebAssembly.Instance(module, { e: { m: memory.wasm } }).exports as unknown as ScanExports;
}
