import { toS64 } from "@tsbpf/base";
import type { LinearMemory } from "@tsbpf/memory";
import { type Machine, namePointer } from "@tsbpf/runtime";

const SMALL = 0xffffn;

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
