import { InputError } from "@tsbpf/base";

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
const GROUPS = 8;
const BYTE_BITS = 8;
const BYTE_MAX = 255;
const GROUP_DIGITS_MAX = 4;

const malformed = (text: string, what: string): InputError =>
  new InputError("RUN_NETWORK", `${JSON.stringify(text)} is no ${what}`, { details: { text } });

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (
    parts.length !== IPV4_BYTES ||
    !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= BYTE_MAX)
  ) {
    return undefined;
  }
  return Uint8Array.from(parts, Number);
}

/** Parses the groups on one side of `::`; the last may be an IPv4 address. */
function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [idx, part] of parts.entries()) {
    const embedded = idx === parts.length - 1 && part.includes(".") ? parseIpv4(part) : undefined;
    if (embedded !== undefined) {
      const view = new DataView(embedded.buffer);
      groups.push(view.getUint16(0), view.getUint16(2));
    } else if (part.length <= GROUP_DIGITS_MAX && /^[0-9a-fA-F]+$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else return undefined;
  }
  return groups;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] as string);
  const tail = halves.length === 2 ? parseGroups(halves[1] as string) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = GROUPS - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const bytes = new Uint8Array(IPV6_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [idx, group] of [...head, ...new Array<number>(missing).fill(0), ...tail].entries()) {
    view.setUint16(idx * 2, group);
  }
  return bytes;
}

/**
 * Parses an IPv4 or IPv6 address to its bytes in network order.
 *
 * @throws RUN_NETWORK (InputError) when it is none.
 */
export function parseIp(text: string): Uint8Array {
  const bytes = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  if (bytes === undefined) throw malformed(text, "IP address");
  return bytes;
}

/** An address and how many of its first bits count. */
export interface Prefix {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/**
 * Parses `10.0.0.0/8` or `2001:db8::/32`; an address alone counts whole.
 *
 * @throws RUN_NETWORK (InputError) when it is none.
 */
export function parsePrefix(text: string): Prefix {
  const [address = "", length] = text.split("/");
  const bytes = parseIp(address);
  const bits = length === undefined ? bytes.length * BYTE_BITS : Number(length);
  if (!Number.isInteger(bits) || bits < 0 || bits > bytes.length * BYTE_BITS || length === "") {
    throw malformed(text, "prefix");
  }
  return { bytes, bits };
}

/** Says whether an address begins with a prefix of the same family. */
export function isInPrefix(address: Uint8Array, prefix: Prefix): boolean {
  if (address.length !== prefix.bytes.length) return false;
  const whole = prefix.bits >> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== prefix.bytes[i]) return false;
  const rest = prefix.bits & 7;
  if (rest === 0) return true;
  const mask = (BYTE_MAX << (BYTE_BITS - rest)) & BYTE_MAX;
  return ((address[whole] as number) & mask) === ((prefix.bytes[whole] as number) & mask);
}

/** Parses `02:00:00:00:00:01`. @throws RUN_NETWORK (InputError) when it is no such address. */
export function parseMac(text: string): Uint8Array {
  if (!/^([0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}$/.test(text)) throw malformed(text, "link-layer address");
  return Uint8Array.from(text.split(":"), (part) => Number.parseInt(part, 16));
}
