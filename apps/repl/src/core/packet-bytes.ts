import { joinBytes } from "@tsbpf/base";
import { fault } from "./fault.ts";

/** A number in network order. */
export function put(sizeBytes: number, value: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let idx = sizeBytes - 1, left = value; idx >= 0; idx--, left = Math.floor(left / 256))
    bytes[idx] = left % 256;
  return bytes;
}

/** The internet checksum of bytes; 0..0xffff. @source RFC 1071 */
export function checksumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** @throws REPL_PACKET (InputError) for what is no address. */
export function parseMac(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) {
    throw fault("REPL_PACKET", `${text} found, an address such as 02:00:00:00:00:01 needed`);
  }
  return Uint8Array.from(text.split(":"), (part) => Number.parseInt(part, 16));
}

/** @throws REPL_PACKET (InputError) for what is no address. */
export function parseIp4(text: string): Uint8Array {
  const parts = /^\d{1,3}(?:\.\d{1,3}){3}$/.test(text) ? text.split(".").map(Number) : [];
  if (parts.length !== 4 || parts.some((part) => part > 255)) {
    throw fault("REPL_PACKET", `${text} found, an address such as 10.0.0.1 needed`);
  }
  return Uint8Array.from(parts);
}

const GROUPS = 8;

/** @throws REPL_PACKET (InputError) for what is no address. @source RFC 4291 §2.2 */
export function parseIp6(text: string): Uint8Array {
  const groupsOf = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const halves = text.split("::");
  const [head = [], tail = []] = halves.map(groupsOf);
  const missing = GROUPS - head.length - tail.length;
  const isShort = halves.length === 2;
  const all = [...head, ...(isShort ? new Array<string>(Math.max(0, missing)).fill("0") : []), ...tail];
  const isWhole = all.length === GROUPS && halves.length <= 2 && (!isShort || missing > 0);
  if (!isWhole || all.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) {
    throw fault("REPL_PACKET", `${text} found, an address such as 2001:db8::1 needed`);
  }
  return joinBytes(all.map((group) => put(2, Number.parseInt(group, 16))));
}
