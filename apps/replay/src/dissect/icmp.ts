import { printIp } from "./address.ts";
import { u8, u16, u32 } from "./read.ts";

const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 6: "tcp", 17: "udp" };

/** The packet that an error message quotes. */
interface Quoted {
  readonly dst: string;
  readonly protocol: number;
  readonly port: number;
}

function readQuoted4(bytes: Uint8Array, at: number): Quoted | undefined {
  if (bytes.length < at + 20) return undefined;
  const header = (u8(bytes, at) & 0xf) * 4;
  return {
    dst: printIp(bytes.subarray(at + 16, at + 20)),
    protocol: u8(bytes, at + 9),
    port: u16(bytes, at + header + 2),
  };
}

function readQuoted6(bytes: Uint8Array, at: number): Quoted | undefined {
  if (bytes.length < at + 40) return undefined;
  let protocol = u8(bytes, at + 6);
  let port = at + 40;
  for (let count = 0; count < EXTENSIONS_MAX && EXTENSIONS.has(protocol); count++) {
    const headerBytes = protocol === FRAGMENT ? 8 : (u8(bytes, port + 1) + 1) * 8;
    protocol = u8(bytes, port);
    port += headerBytes;
  }
  return { dst: printIp(bytes.subarray(at + 24, at + 40)), protocol, port: u16(bytes, port + 2) };
}

const FRAGMENT = 44;
/** Extension headers that a quoted packet may have: hop-by-hop, routing, fragment, destination options. */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, FRAGMENT, 60]);
const EXTENSIONS_MAX = 8;

const UNREACHABLE: Readonly<Record<number, (dst: string) => string>> = {
  0: (dst) => `net ${dst} unreachable`,
  1: (dst) => `host ${dst} unreachable`,
  5: (dst) => `${dst} unreachable - source route failed`,
  6: (dst) => `net ${dst} unreachable - unknown`,
  7: (dst) => `host ${dst} unreachable - unknown`,
  8: (dst) => `${dst} unreachable - source host isolated`,
  9: (dst) => `net ${dst} unreachable - admin prohibited`,
  10: (dst) => `host ${dst} unreachable - admin prohibited`,
  11: (dst) => `net ${dst} unreachable - tos prohibited`,
  12: (dst) => `host ${dst} unreachable - tos prohibited`,
  13: (dst) => `host ${dst} unreachable - admin prohibited filter`,
  14: (dst) => `host ${dst} unreachable - host precedence violation`,
  15: (dst) => `host ${dst} unreachable - precedence cutoff`,
};
const REDIRECTS: readonly string[] = ["net", "host", "net-tos", "host-tos"];

/** Prints a message of ICMP for IPv4. @source RFC 792 */
export function printIcmp4(bytes: Uint8Array, length: number): string {
  if (bytes.length < 8) return "ICMP [|icmp]";
  return `ICMP ${messageOf4(bytes)}, length ${length}`;
}

function messageOf4(bytes: Uint8Array): string {
  const [type, code] = [u8(bytes, 0), u8(bytes, 1)];
  const echo = `id ${u16(bytes, 4)}, seq ${u16(bytes, 6)}`;
  switch (type) {
    case 0:
      return `echo reply, ${echo}`;
    case 3:
      return unreachable4(bytes, code);
    case 4:
      return "source quench";
    case 5: {
      const quoted = readQuoted4(bytes, 8);
      const to = printIp(bytes.subarray(4, 8));
      return `redirect ${quoted?.dst ?? "?"} to ${REDIRECTS[code] ?? `code ${code}`} ${to}`;
    }
    case 8:
      return `echo request, ${echo}`;
    case 9:
      return "router advertisement";
    case 10:
      return "router solicitation";
    case 11:
      return code === 0
        ? "time exceeded in-transit"
        : code === 1
          ? "ip reassembly time exceeded"
          : `time exceeded-#${code}`;
    case 12:
      return code === 0 ? `parameter problem - octet ${u8(bytes, 4)}` : `parameter problem - code ${code}`;
    case 13:
      return `time stamp query id ${u16(bytes, 4)} seq ${u16(bytes, 6)}`;
    case 14:
      return `time stamp reply id ${u16(bytes, 4)} seq ${u16(bytes, 6)}`;
    case 15:
      return "information request";
    case 16:
      return "information reply";
    case 17:
      return "address mask request";
    default:
      return `type-#${type}`;
  }
}

function unreachable4(bytes: Uint8Array, code: number): string {
  const quoted = readQuoted4(bytes, 8);
  if (quoted === undefined) return `unreachable - #${code}`;
  const { dst, protocol, port } = quoted;
  if (code === 2) return `${dst} protocol ${protocol} unreachable`;
  if (code === 3) {
    const name = PROTOCOL_NAMES[protocol];
    return name === undefined
      ? `${dst} protocol ${protocol} port ${port} unreachable`
      : `${dst} ${name} port ${port} unreachable`;
  }
  if (code === 4) {
    const mtu = u16(bytes, 6);
    return `${dst} unreachable - need to frag${mtu === 0 ? "" : ` (mtu ${mtu})`}`;
  }
  return UNREACHABLE[code]?.(dst) ?? `${dst} unreachable - #${code}`;
}

const UNREACHABLE6: readonly string[] = [
  "unreachable route",
  "unreachable prohibited",
  "beyond scope",
  "unreachable address",
  "unreachable port",
];

/** Prints a message of ICMP for IPv6. @source RFC 4443, RFC 4861, RFC 3810 */
export function printIcmp6(bytes: Uint8Array, length: number): string {
  if (bytes.length < 8) return "ICMP6 [|icmp6]";
  return `ICMP6, ${messageOf6(bytes)}, length ${length}`;
}

const targetOf = (bytes: Uint8Array): string =>
  bytes.length < 24 ? "[|icmp6]" : printIp(bytes.subarray(8, 24));

function messageOf6(bytes: Uint8Array): string {
  const [type, code] = [u8(bytes, 0), u8(bytes, 1)];
  const echo = `id ${u16(bytes, 4)}, seq ${u16(bytes, 6)}`;
  switch (type) {
    case 1:
      return `destination unreachable, ${unreachable6(bytes, code)}`;
    case 2:
      return `packet too big, mtu ${u32(bytes, 4)}`;
    case 3:
      return `time exceeded ${code === 0 ? "in-transit" : "in-reassembly"}`;
    case 4:
      return `parameter problem, ${["errorneous", "next header", "option"][code] ?? `code-#${code}`} - octet ${u32(bytes, 4)}`;
    case 128:
      return `echo request, ${echo}`;
    case 129:
      return `echo reply, ${echo}`;
    case 130:
      return "multicast listener query";
    case 131:
      return `multicast listener report max resp delay: ${u16(bytes, 4)} addr: ${targetOf(bytes)}`;
    case 132:
      return `multicast listener done max resp delay: ${u16(bytes, 4)} addr: ${targetOf(bytes)}`;
    case 133:
      return "router solicitation";
    case 134:
      return "router advertisement";
    case 135:
      return `neighbor solicitation, who has ${targetOf(bytes)}`;
    case 136:
      return `neighbor advertisement, tgt is ${targetOf(bytes)}`;
    case 137:
      return `redirect, ${targetOf(bytes)}`;
    case 143:
      return `multicast listener report v2, ${u16(bytes, 6)} group record(s)`;
    default:
      return `type-#${type}`;
  }
}

function unreachable6(bytes: Uint8Array, code: number): string {
  const quoted = readQuoted6(bytes, 8);
  const text = UNREACHABLE6[code] ?? `code-#${code}`;
  if (quoted === undefined) return text;
  const { dst, protocol, port } = quoted;
  if (code !== 4) return `${text} ${dst}`;
  const name = PROTOCOL_NAMES[protocol];
  return name === undefined
    ? `${text}, ${dst} protocol ${protocol} port ${port}`
    : `${text}, ${dst} ${name} port ${port}`;
}
