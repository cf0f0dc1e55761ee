import { LIMITS } from "@tsbpf/base";
import type { Region } from "@tsbpf/memory";
import { FRAME_STRIDE_BYTES } from "./call/frames.ts";
import { funcAt } from "./linked-prog.ts";
import type { Machine } from "./machine.ts";
import { FUNC_POINTER_HI } from "./target.ts";

/**
 * Names what lies at an address, as the kernel's logs name pointers: `fp-8`, `ctx(off=4)`, `map_value(map=m,off=0)`.
 *
 * @returns undefined for a value that points nowhere.
 */
export function namePointer(value: bigint, machine: Machine): string | undefined {
  const hi = Number(value >> 32n) | 0;
  const address = Number(value & 0xffff_ffffn);
  if (hi === FUNC_POINTER_HI) return nameFunc(address, machine);
  if (hi !== 0) return undefined;
  return nameFrame(address, machine) ?? nameMap(address, machine) ?? nameRegion(address, machine);
}

function nameFunc(slot: number, { current }: Machine): string {
  const func = current === undefined ? undefined : funcAt(current.prog, slot);
  return func?.start === slot ? `func(${func.name})` : `func(slot=${slot})`;
}

function nameFrame(address: number, machine: Machine): string | undefined {
  const offset = address - machine.stackBase;
  const frame = Math.floor(offset / FRAME_STRIDE_BYTES);
  const within = offset - frame * FRAME_STRIDE_BYTES;
  if (offset < 0 || frame >= Math.max(1, machine.depth) || within > LIMITS.stackBytes) return undefined;
  const text = `fp${within === LIMITS.stackBytes ? "0" : within - LIMITS.stackBytes}`;
  return frame === machine.depth - 1 || machine.depth === 0 ? text : `${text}[frame${frame}]`;
}

const nameMap = (address: number, { env }: Machine): string | undefined => {
  const map = env.mapAt(address);
  return map === undefined ? undefined : `map_ptr(map=${map.spec.name})`;
};

function nameRegion(address: number, { env }: Machine): string | undefined {
  const region = env.memory.regions.nearest(address);
  if (region === undefined || address < region.start || address > region.end || region.kind === "reserved") {
    return undefined;
  }
  const off = address - region.start;
  const suffix = off === 0 ? "" : `off=${off}`;
  if (region.kind === "ctx") return `ctx(${suffix})`;
  if (region.kind === "packet") return address === region.end ? "pkt_end()" : `pkt(${suffix})`;
  if (region.kind === "map" || region.kind === "data") return nameMapValue(region, off);
  return `${region.kind}(${suffix})`;
}

/** The values of an array lie where their cells begin, so their index can be told; other cells are in no order. */
function nameMapValue({ name, cells, start, end }: Region, offset: number): string {
  // Walks hand callbacks a copy of the key of an array's element, which has a region of its own.
  const keyOf = /^map (.*) key$/.exec(name)?.[1];
  if (keyOf !== undefined) return `map_key(map=${keyOf})`;
  const map = name.replace(/^map /, "map=");
  const cell = cells === undefined ? 0 : Math.floor(offset / cells.stride);
  const within = cells === undefined ? offset : offset % cells.stride;
  const windows = cells?.windows.filter((one) => one.offset <= within) ?? [];
  const window = windows.at(-1);
  const off = within - (window?.offset ?? 0);
  const suffix = off === 0 ? "" : `,off=${off}`;
  if (cells === undefined || end - start <= cells.stride) return `map_value(${map}${suffix})`;
  if (window?.offset === 0) return `map_value(${map}[${cell}]${suffix})`;
  return `map_${window?.name === "key" ? "key" : "value"}(${map}${suffix})`;
}
