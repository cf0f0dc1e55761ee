import { printHexBytes } from "@tsbpf/base";
import { printDns } from "./dns.ts";
import { printHttp } from "./http.ts";
import { u8, u16, u32 } from "./read.ts";

const FLAG = { fin: 0x01, syn: 0x02, rst: 0x04, ack: 0x10, urg: 0x20 } as const;
/** Letters in the order in which tcpdump prints them. */
const LETTERS: readonly (readonly [bit: number, letter: string])[] = [
  [0x01, "F"],
  [0x02, "S"],
  [0x04, "R"],
  [0x08, "P"],
  [0x10, "."],
  [0x20, "U"],
  [0x40, "E"],
  [0x80, "W"],
];
const HEADER_BYTES = 20;
const PORT_DNS = 53;
const HTTP_PORTS: ReadonlySet<number> = new Set([80, 8080, 3128]);
const CONNECTIONS_MAX = 65_536;

interface Start {
  /** Number of the first byte that each side sends; `first` is the side whose packet came first. */
  readonly firstSide: string;
  readonly firstSeq: number;
  readonly otherSeq: number;
}

/** Remembers where connections began, so that their numbers can be told from there, as tcpdump does without `-S`. */
export class TcpStreams {
  private readonly starts = new Map<string, Start>();

  /** Returns the numbers to print for a segment; those of the first one are as they are. */
  relative(from: string, to: string, segment: { seq: number; ack: number; flags: number }) {
    const { seq, ack, flags } = segment;
    if ((flags & FLAG.ack) === 0) return { seq, ack };
    const key = from < to ? `${from} ${to}` : `${to} ${from}`;
    const start = this.starts.get(key);
    if (start === undefined || (flags & FLAG.syn) !== 0) {
      if (this.starts.size >= CONNECTIONS_MAX) this.starts.clear();
      this.starts.set(key, { firstSide: from, firstSeq: seq, otherSeq: (ack - 1) >>> 0 });
      return { seq, ack };
    }
    const isFirstSide = start.firstSide === from;
    return {
      seq: (seq - (isFirstSide ? start.firstSeq : start.otherSeq)) >>> 0,
      ack: (ack - (isFirstSide ? start.otherSeq : start.firstSeq)) >>> 0,
    };
  }
}

export interface TcpOptions {
  readonly isQuick: boolean;
  /** Undefined where numbers are printed as they are. */
  readonly streams: TcpStreams | undefined;
  readonly src: string;
  readonly dst: string;
}

/**
 * Prints a segment as tcpdump does, from `Flags` on.
 *
 * @param segmentBytes - bytes of header and payload that the network header claims.
 */
export function printTcp(segment: Uint8Array, segmentBytes: number, options: TcpOptions): string {
  if (segment.length < HEADER_BYTES) return " [|tcp]";
  const headerBytes = (u8(segment, 12) >> 4) * 4;
  const bytes = segmentBytes - headerBytes;
  if (headerBytes < HEADER_BYTES)
    return `tcp ${segmentBytes} [bad hdr length ${headerBytes} - too short, < ${HEADER_BYTES}]`;
  if (bytes < 0) return `tcp ${segmentBytes} [bad hdr length ${headerBytes} - too long, > ${segmentBytes}]`;
  if (options.isQuick) return `tcp ${bytes}`;
  const flags = u8(segment, 13);
  const from = `${options.src}.${u16(segment, 0)}`;
  const to = `${options.dst}.${u16(segment, 2)}`;
  const numbers = { seq: u32(segment, 4), ack: u32(segment, 8), flags };
  const { seq, ack } = options.streams?.relative(from, to, numbers) ?? numbers;
  const letters = LETTERS.filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter);
  const parts = [`Flags [${letters.length === 0 ? "none" : letters.join("")}]`];
  if (bytes > 0) parts.push(`seq ${seq}:${(seq + bytes) >>> 0}`);
  else if ((flags & (FLAG.fin | FLAG.syn | FLAG.rst)) !== 0) parts.push(`seq ${seq}`);
  if ((flags & FLAG.ack) !== 0) parts.push(`ack ${ack}`);
  parts.push(`win ${u16(segment, 14)}`);
  if ((flags & FLAG.urg) !== 0) parts.push(`urg ${u16(segment, 18)}`);
  if (headerBytes > HEADER_BYTES) {
    if (segment.length < headerBytes) return `${parts.join(", ")}, options [|tcp]`;
    parts.push(`options [${printOptions(segment.subarray(HEADER_BYTES, headerBytes), options, from, to)}]`);
  }
  parts.push(`length ${bytes}`);
  return `${parts.join(", ")}${printPayload(segment, headerBytes, bytes)}`;
}

function printPayload(segment: Uint8Array, headerBytes: number, bytes: number): string {
  if (bytes <= 0) return "";
  const payload = segment.subarray(headerBytes, headerBytes + bytes);
  const ports = [u16(segment, 0), u16(segment, 2)];
  if (ports.some((port) => HTTP_PORTS.has(port))) return `: ${printHttp(payload)}`;
  if (ports.includes(PORT_DNS)) {
    const length = u16(payload, 0);
    return ` ${printDns(payload.subarray(2), Math.min(length, bytes - 2))}`;
  }
  return "";
}

const OPTION = { end: 0, nop: 1, mss: 2, scale: 3, sackOk: 4, sack: 5, time: 8 } as const;
const OPTION_NAMES: Readonly<Record<number, string>> = {
  0: "eol",
  1: "nop",
  2: "mss",
  3: "wscale",
  4: "sackOK",
  5: "sack",
  6: "echo",
  7: "echoreply",
  8: "TS",
  19: "md5",
  28: "uto",
  29: "tcp-ao",
  30: "mptcp",
  34: "tfo",
};

function printOptions(bytes: Uint8Array, { streams }: TcpOptions, from: string, to: string): string {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const kind = u8(bytes, at);
    const name = OPTION_NAMES[kind] ?? `unknown-${kind}`;
    if (kind === OPTION.end || kind === OPTION.nop) {
      texts.push(name);
      if (kind === OPTION.end) break;
      at += 1;
      continue;
    }
    const length = u8(bytes, at + 1);
    if (length < 2 || at + length > bytes.length) {
      texts.push(`${name}[bad opt]`);
      break;
    }
    const data = bytes.subarray(at + 2, at + length);
    texts.push(printOption(kind, name, data, (edge) => relativeEdge(edge, streams, from, to)));
    at += length;
  }
  return texts.join(",");
}

/** What the receiver acknowledges is told from where the sender began. */
function relativeEdge(edge: number, streams: TcpStreams | undefined, from: string, to: string): number {
  return streams?.relative(from, to, { seq: 0, ack: edge, flags: FLAG.ack }).ack ?? edge;
}

function printOption(kind: number, name: string, data: Uint8Array, edgeOf: (edge: number) => number): string {
  switch (kind) {
    case OPTION.mss:
      return `${name} ${u16(data, 0)}`;
    case OPTION.scale:
      return `${name} ${u8(data, 0)}`;
    case OPTION.sackOk:
      return name;
    case OPTION.time:
      return `${name} val ${u32(data, 0)} ecr ${u32(data, 4)}`;
    case OPTION.sack: {
      const blocks = Array.from({ length: data.length >> 3 }, (_, idx) => {
        const [left, right] = [u32(data, idx * 8), u32(data, idx * 8 + 4)].map(edgeOf);
        return `{${left}:${right}}`;
      });
      return `${name} ${blocks.length} ${blocks.join("")}`;
    }
    default:
      return data.length === 0 ? name : `${name} 0x${printHexBytes(data)}`;
  }
}
