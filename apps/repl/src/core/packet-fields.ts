import { parseHexBytes } from "@tsbpf/base";
import { fault } from "./fault.ts";

/** What programs get when nobody gave a packet: UDP from 10.0.0.1:1234 to 10.0.0.2:80, 60 bytes. */
export const DEFAULT_PACKET: Uint8Array = parseHexBytes(
  "02000000000202000000000108004500002e000100004011" +
    "66bc0a0000010a00000204d20050001a0000" +
    "74736270660000000000000000000000" +
    "0000",
);

interface Field {
  readonly name: string;
  readonly sizeBytes: number;
  readonly form: "number" | "mac" | "ip";
  /** Offset in a packet, or undefined when it has no such header. */
  at(packet: Uint8Array): number | undefined;
}

const ETHER_BYTES = 14;
const VLAN_TYPES: ReadonlySet<number> = new Set([0x8100, 0x88a8]);

const u16 = (packet: Uint8Array, at: number): number => ((packet[at] ?? 0) << 8) | (packet[at + 1] ?? 0);

function l3(packet: Uint8Array): { readonly type: number; readonly at: number } {
  let at = ETHER_BYTES;
  while (VLAN_TYPES.has(u16(packet, at - 2)) && at < packet.length) at += 4;
  return { type: u16(packet, at - 2), at };
}

const IPV4 = 0x0800;

const inIp = (off: number) => (packet: Uint8Array) => {
  const { type, at } = l3(packet);
  return type === IPV4 ? at + off : undefined;
};

const inL4 = (protocol: number, off: number) => (packet: Uint8Array) => {
  const { type, at } = l3(packet);
  if (type === IPV4) {
    return packet[at + 9] === protocol ? at + ((packet[at] ?? 0) & 0xf) * 4 + off : undefined;
  }
  return type === 0x86dd && packet[at + 6] === protocol ? at + 40 + off : undefined;
};

const number = (name: string, sizeBytes: number, at: Field["at"]): Field => ({
  name,
  sizeBytes,
  form: "number",
  at,
});

/** Header fields that can be named. */
export const PACKET_FIELDS: readonly Field[] = [
  { name: "eth.dst", sizeBytes: 6, form: "mac", at: () => 0 },
  { name: "eth.src", sizeBytes: 6, form: "mac", at: () => 6 },
  number("eth.type", 2, () => 12),
  number("ip.tos", 1, inIp(1)),
  number("ip.len", 2, inIp(2)),
  number("ip.id", 2, inIp(4)),
  number("ip.ttl", 1, inIp(8)),
  number("ip.proto", 1, inIp(9)),
  number("ip.checksum", 2, inIp(10)),
  { name: "ip.src", sizeBytes: 4, form: "ip", at: inIp(12) },
  { name: "ip.dst", sizeBytes: 4, form: "ip", at: inIp(16) },
  number("tcp.sport", 2, inL4(6, 0)),
  number("tcp.dport", 2, inL4(6, 2)),
  number("tcp.seq", 4, inL4(6, 4)),
  number("tcp.ack", 4, inL4(6, 8)),
  number("tcp.flags", 1, inL4(6, 13)),
  number("tcp.window", 2, inL4(6, 14)),
  number("udp.sport", 2, inL4(17, 0)),
  number("udp.dport", 2, inL4(17, 2)),
  number("udp.len", 2, inL4(17, 4)),
];

/** Lists the fields that a packet has, `name=value`. */
export function showFields(packet: Uint8Array): string {
  const lines: string[] = [];
  for (const field of PACKET_FIELDS) {
    const at = field.at(packet);
    if (at === undefined || at + field.sizeBytes > packet.length) continue;
    lines.push(`  ${field.name.padEnd(12)} ${printField(field, packet.subarray(at, at + field.sizeBytes))}`);
  }
  return lines.join("\n");
}

function printField({ form, sizeBytes }: Field, bytes: Uint8Array): string {
  if (form === "ip") return [...bytes].join(".");
  if (form === "mac") return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
  const value = [...bytes].reduce((sum, byte) => sum * 256 + byte, 0);
  return `${value} (0x${value.toString(16).padStart(sizeBytes * 2, "0")})`;
}

/**
 * Changes a header field, `tcp.dport=80`, or bytes, `12=0800`.
 *
 * @throws REPL_PACKET (InputError) when the packet has no such field or the value does not fit.
 */
export function setField(packet: Uint8Array, assignment: string): Uint8Array {
  const [name = "", text = ""] = assignment.split("=").map((part) => part.trim());
  const changed = packet.slice();
  if (/^\d+$/.test(name)) {
    const bytes = hexOf(text);
    if (Number(name) + bytes.length > packet.length)
      throw fault("REPL_PACKET", `offset ${name} is outside the packet of ${packet.length} bytes`);
    changed.set(bytes, Number(name));
    return changed;
  }
  const field = PACKET_FIELDS.find((one) => one.name === name);
  if (field === undefined) {
    throw fault(
      "REPL_PACKET",
      `no field ${name || assignment}, one of these or an offset needed: ${PACKET_FIELDS.map((one) => one.name).join(", ")}`,
    );
  }
  const at = field.at(packet);
  if (at === undefined || at + field.sizeBytes > packet.length)
    throw fault("REPL_PACKET", `the packet has no ${name}`);
  changed.set(fieldBytes(field, text), at);
  return changed;
}

function fieldBytes({ form, sizeBytes, name }: Field, text: string): Uint8Array {
  if (form === "mac") {
    if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text))
      throw fault("REPL_PACKET", `${text} found, an address such as 02:00:00:00:00:01 needed`);
    return parseHexBytes(text.replaceAll(":", ""));
  }
  if (form === "ip") {
    const parts = text.split(".").map(Number);
    if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) {
      throw fault("REPL_PACKET", `${text} found, an address such as 10.0.0.1 needed`);
    }
    return Uint8Array.from(parts);
  }
  const value = Number(text);
  if (text === "" || !Number.isInteger(value) || value < 0 || value >= 2 ** (sizeBytes * 8)) {
    throw fault(
      "REPL_PACKET",
      `${text || "nothing"} found, 0..${2 ** (sizeBytes * 8) - 1} allowed for ${name}`,
    );
  }
  return parseHexBytes(value.toString(16).padStart(sizeBytes * 2, "0"));
}

/** Reads hex digits, blanks and colons between them allowed. @throws REPL_PACKET (InputError). */
export function hexOf(text: string): Uint8Array {
  const digits = text.replace(/^0x/i, "").replace(/[\s:]/g, "");
  if (digits.length === 0 || digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits)) {
    throw fault("REPL_PACKET", `${JSON.stringify(text.slice(0, 40))} found, pairs of hex digits needed`);
  }
  return parseHexBytes(digits);
}
