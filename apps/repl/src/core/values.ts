import { toS64 } from "@tsbpf/base";
import type { LinearMemory } from "@tsbpf/memory";
import type { BpfMap } from "@tsbpf/plugin";
import { FRAME_STRIDE_BYTES, FUNC_POINTER_HI, type Machine } from "@tsbpf/runtime";

const FRAME_BYTES = 512;
const SMALL = 0xffffn;

/** Names what lies at an address, as the kernel names pointers in its logs: `fp-8`, `ctx(off=4)`, `map_value(map=m,off=0)`. */
export function namePointer(value: bigint, machine: Machine): string | undefined {
  const hi = Number(value >> 32n) | 0;
  if (hi === FUNC_POINTER_HI) return `func(slot=${Number(value & 0xffff_ffffn)})`;
  if (hi !== 0) return undefined;
  const address = Number(value);
  return nameFrame(address, machine) ?? nameMap(address, machine) ?? nameRegion(address, machine);
}

function nameFrame(address: number, machine: Machine): string | undefined {
  const offset = address - machine.stackBase;
  const frame = Math.floor(offset / FRAME_STRIDE_BYTES);
  const within = offset - frame * FRAME_STRIDE_BYTES;
  if (offset < 0 || frame >= Math.max(1, machine.depth) || within > FRAME_BYTES) return undefined;
  const text = `fp${within === FRAME_BYTES ? "0" : within - FRAME_BYTES}`;
  return frame === machine.depth - 1 || machine.depth === 0 ? text : `${text}[frame${frame}]`;
}

const nameMap = (address: number, machine: Machine): string | undefined => {
  const map: BpfMap | undefined = machine.env.mapAt(address);
  return map === undefined ? undefined : `map_ptr(map=${map.spec.name})`;
};

function nameRegion(address: number, { env }: Machine): string | undefined {
  const region = env.memory.regions.nearest(address);
  if (region === undefined || address > region.end || region.kind === "reserved") return undefined;
  const off = address - region.start;
  const suffix = off === 0 ? "" : `off=${off}`;
  if (region.kind === "ctx") return `ctx(${suffix})`;
  if (region.kind === "packet") return address === region.end ? "pkt_end()" : `pkt(${suffix})`;
  if (region.kind === "map" || region.kind === "data") {
    return `map_value(${region.name.replace(/^map /, "map=")}${suffix === "" ? "" : `,${suffix}`})`;
  }
  return `${region.kind}(${suffix})`;
}

/** Prints a number as the kernel's logs do: small ones decimal and signed, others hex. */
export function printScalar(value: bigint): string {
  const signed = toS64(value);
  return signed >= -SMALL && signed <= SMALL ? `${signed}` : `0x${value.toString(16)}`;
}

/** Prints a register's value kernel-style: what it points to, or the number. */
export const printValue = (value: bigint, machine: Machine): string =>
  namePointer(value, machine) ?? printScalar(value);

/** Prints a value fully: hex, decimal, and what it points to. */
export function describeValue(value: bigint, machine: Machine): string {
  const signed = toS64(value);
  const decimal = signed < 0n ? `${value} = ${signed}` : `${value}`;
  const pointer = namePointer(value, machine);
  return `0x${value.toString(16).padStart(16, "0")}  ${decimal}${pointer === undefined ? "" : `  ${pointer}`}`;
}

/** Reads little-endian bytes; undefined where the memory ends. */
export function readMemory(memory: LinearMemory, address: bigint, sizeBytes: number): bigint | undefined {
  if (address < 0x1_0000n || address + BigInt(sizeBytes) > BigInt(memory.u8.length)) return undefined;
  const at = Number(address);
  let value = 0n;
  for (let i = sizeBytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(memory.u8[at + i] ?? 0);
  return value;
}

const ROW = 16;

/** Dumps bytes as `hexdump -C` does, with addresses. */
export function dumpBytes(bytes: Uint8Array, address: number): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += ROW) {
    const row = Array.from(bytes.subarray(at, at + ROW));
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0"));
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    const [left, right] = [hex.slice(0, 8).join(" "), hex.slice(8).join(" ")];
    lines.push(
      `${(address + at).toString(16).padStart(8, "0")}  ${`${left}  ${right}`.padEnd(48)}  |${text}|`,
    );
  }
  return lines.join("\n");
}
