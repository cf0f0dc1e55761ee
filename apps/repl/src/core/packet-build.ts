import { joinBytes } from "@tsbpf/base";
import { fault } from "./fault.ts";
import { checksumOf, parseIp4, parseIp6, parseMac, put } from "./packet-bytes.ts";
import { type LayerName, type LayerText, type PacketText, parsePacketText } from "./packet-text.ts";

/** Smallest frame without its checksum; shorter ones are filled with zeros, as network cards do. */
const FRAME_BYTES_MIN = 60;
const FRAME_BYTES_MAX = 65_535;

const ETHERTYPE: Partial<Record<LayerName, number>> = { vlan: 0x8100, arp: 0x0806, ip: 0x0800, ip6: 0x86dd };
const PROTOCOL: Partial<Record<LayerName, number>> = { tcp: 6, udp: 17, icmp: 1, icmp6: 58 };
/** Shown where nobody says what follows: the type of local experiments, and the protocol of experiments. */
const TYPE_EXPERIMENT = 0x88b5;
const PROTOCOL_EXPERIMENT = 253;

/** Addresses of the default packet. */
const SRC = { mac: "02:00:00:00:00:01", ip: "10.0.0.1", ip6: "2001:db8::1" } as const;
const DST = { mac: "02:00:00:00:00:02", ip: "10.0.0.2", ip6: "2001:db8::2" } as const;

/** Numbers of a layer's fields, with what they are when nothing is said. */
function numberOf({ name, fields }: LayerText, field: string, otherwise: number, last: number): number {
  const text = fields.get(field);
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (text !== "" && Number.isInteger(value) && value >= 0 && value <= last) return value;
  throw fault("REPL_PACKET", `${name} ${field}=${text} found, 0..${last} needed`);
}

const FLAG_BITS: Readonly<Record<string, number>> = {
  fin: 0x01,
  syn: 0x02,
  rst: 0x04,
  psh: 0x08,
  push: 0x08,
  ack: 0x10,
  urg: 0x20,
  ece: 0x40,
  cwr: 0x80,
};
const FLAG_LETTERS: Readonly<Record<string, number>> = {
  F: 0x01,
  S: 0x02,
  R: 0x04,
  P: 0x08,
  A: 0x10,
  ".": 0x10,
  U: 0x20,
  E: 0x40,
  W: 0x80,
  C: 0x80,
};

/** Reads TCP's flags: a number, names such as `syn+ack`, or letters as scapy and tcpdump write them. */
function flagsOf(layer: LayerText): number {
  const text = layer.fields.get("flags") ?? (layer.fields.has("ack") ? "ack" : "syn");
  if (/^(?:0x[0-9a-f]+|\d+)$/i.test(text)) return numberOf(layer, "flags", 0, 0xff);
  if (/^[FSRPA.UEWC]+$/.test(text))
    return [...text].reduce((bits, one) => bits | (FLAG_LETTERS[one] ?? 0), 0);
  return text.split(/[+,|]/).reduce((bits, name) => {
    const bit = FLAG_BITS[name.toLowerCase()];
    if (bit === undefined) {
      throw fault(
        "REPL_PACKET",
        `tcp flags=${text} found, names such as syn+ack, letters such as SA, or 0..255 needed`,
      );
    }
    return bits | bit;
  }, 0);
}

/** What the layers above are carried in, as their checksums need it. */
interface Carrier {
  readonly src: Uint8Array;
  readonly dst: Uint8Array;
}

/**
 * Makes the frame that a text describes; lengths and checksums are filled in.
 *
 * @throws REPL_PACKET (InputError) naming the field that cannot be.
 */
export function buildPacket(text: string): Uint8Array {
  const written = parsePacketText(text);
  const frame = encode(written);
  const least = written.lengthBytes ?? FRAME_BYTES_MIN;
  if (frame.length > FRAME_BYTES_MAX || (written.lengthBytes !== undefined && frame.length > least)) {
    throw fault(
      "REPL_PACKET",
      `the packet has ${frame.length} bytes, ${Math.min(least, FRAME_BYTES_MAX)} allowed`,
    );
  }
  return frame.length >= least ? frame : joinBytes([frame, new Uint8Array(least - frame.length)]);
}

function encode({ layers, payload }: PacketText): Uint8Array {
  const network = layers.find(({ name }) => name === "ip" || name === "ip6");
  const carrier = network === undefined ? undefined : addressesOf(network);
  let bytes = payload;
  for (let idx = layers.length - 1; idx >= 0; idx--) {
    const layer = layers[idx] as LayerText;
    bytes = ENCODERS[layer.name](layer, bytes, { next: layers[idx + 1]?.name, carrier });
  }
  return bytes;
}

function addressesOf(layer: LayerText): Carrier {
  const of = (field: "src" | "dst"): Uint8Array => {
    const usual = field === "src" ? SRC : DST;
    return layer.name === "ip"
      ? parseIp4(layer.fields.get(field) ?? usual.ip)
      : parseIp6(layer.fields.get(field) ?? usual.ip6);
  };
  return { src: of("src"), dst: of("dst") };
}

interface Surroundings {
  readonly next: LayerName | undefined;
  readonly carrier: Carrier | undefined;
}
type Encoder = (layer: LayerText, inside: Uint8Array, around: Surroundings) => Uint8Array;

const typeOf = (next: LayerName | undefined): number =>
  next === undefined ? TYPE_EXPERIMENT : (ETHERTYPE[next] ?? TYPE_EXPERIMENT);
const protocolOf = (next: LayerName | undefined): number =>
  next === undefined ? PROTOCOL_EXPERIMENT : (PROTOCOL[next] ?? PROTOCOL_EXPERIMENT);

const ENCODERS: Readonly<Record<LayerName, Encoder>> = {
  eth: (layer, inside, { next }) =>
    joinBytes([
      parseMac(layer.fields.get("dst") ?? DST.mac),
      parseMac(layer.fields.get("src") ?? SRC.mac),
      put(2, numberOf(layer, "type", typeOf(next), 0xffff)),
      inside,
    ]),
  vlan: (layer, inside, { next }) =>
    joinBytes([
      put(2, (numberOf(layer, "prio", 0, 7) << 13) | numberOf(layer, "id", 1, 0xfff)),
      put(2, typeOf(next)),
      inside,
    ]),
  arp: (layer, inside) => {
    const operation = layer.fields.get("op");
    const kind = operation === "request" ? 1 : operation === "reply" ? 2 : numberOf(layer, "op", 1, 0xffff);
    return joinBytes([
      Uint8Array.of(0, 1, 8, 0, 6, 4),
      put(2, kind),
      parseMac(layer.fields.get("hwsrc") ?? SRC.mac),
      parseIp4(layer.fields.get("src") ?? SRC.ip),
      parseMac(layer.fields.get("hwdst") ?? "00:00:00:00:00:00"),
      parseIp4(layer.fields.get("dst") ?? DST.ip),
      inside,
    ]);
  },
  ip: encodeIp4,
  ip6: encodeIp6,
  tcp: encodeTcp,
  udp: encodeUdp,
  icmp: (layer, inside) => withChecksum(icmpBytes(layer, inside, 8), 2, new Uint8Array(0)),
  icmp6: (layer, inside, around) => {
    const bytes = icmpBytes(layer, inside, 128);
    return withChecksum(bytes, 2, pseudoHeader(around.carrier, 58, bytes.length));
  },
};

function encodeIp4(layer: LayerText, inside: Uint8Array, { next }: Surroundings): Uint8Array {
  const { src, dst } = addressesOf(layer);
  const length = inside.length + 20;
  const flags = layer.fields.get("flags");
  const bits = flags === "df" ? 2 : flags === "mf" ? 1 : numberOf(layer, "flags", 0, 7);
  const header = joinBytes([
    Uint8Array.of(0x45, numberOf(layer, "tos", 0, 0xff)),
    put(2, Math.min(length, 0xffff)),
    put(2, numberOf(layer, "id", 1, 0xffff)),
    put(2, (bits << 13) | numberOf(layer, "frag", 0, 0x1fff)),
    Uint8Array.of(numberOf(layer, "ttl", 64, 0xff), numberOf(layer, "proto", protocolOf(next), 0xff), 0, 0),
    src,
    dst,
  ]);
  return joinBytes([withChecksum(header, 10, new Uint8Array(0)), inside]);
}

function encodeIp6(layer: LayerText, inside: Uint8Array, { next }: Surroundings): Uint8Array {
  const { src, dst } = addressesOf(layer);
  const first = 6 * 2 ** 28 + numberOf(layer, "tc", 0, 0xff) * 2 ** 20 + numberOf(layer, "flow", 0, 0xfffff);
  return joinBytes([
    put(4, first),
    put(2, Math.min(inside.length, 0xffff)),
    Uint8Array.of(numberOf(layer, "nh", protocolOf(next), 0xff), numberOf(layer, "hlim", 64, 0xff)),
    src,
    dst,
    inside,
  ]);
}

function encodeTcp(layer: LayerText, inside: Uint8Array, { carrier }: Surroundings): Uint8Array {
  const bytes = joinBytes([
    put(2, numberOf(layer, "sport", 1234, 0xffff)),
    put(2, numberOf(layer, "dport", 80, 0xffff)),
    put(4, numberOf(layer, "seq", 0, 0xffff_ffff)),
    put(4, numberOf(layer, "ack", 0, 0xffff_ffff)),
    Uint8Array.of(0x50, flagsOf(layer)),
    put(2, numberOf(layer, "win", 65_535, 0xffff)),
    put(2, 0),
    put(2, numberOf(layer, "urg", 0, 0xffff)),
    inside,
  ]);
  return withChecksum(bytes, 16, pseudoHeader(carrier, 6, bytes.length));
}

function encodeUdp(layer: LayerText, inside: Uint8Array, { carrier }: Surroundings): Uint8Array {
  const length = inside.length + 8;
  const bytes = joinBytes([
    put(2, numberOf(layer, "sport", 1234, 0xffff)),
    put(2, numberOf(layer, "dport", 80, 0xffff)),
    put(2, Math.min(length, 0xffff)),
    put(2, 0),
    inside,
  ]);
  const summed = withChecksum(bytes, 6, pseudoHeader(carrier, 17, length));
  // Zero would say that there is no checksum.
  if (summed[6] === 0 && summed[7] === 0) summed.fill(0xff, 6, 8);
  return summed;
}

const icmpBytes = (layer: LayerText, inside: Uint8Array, type: number): Uint8Array =>
  joinBytes([
    Uint8Array.of(numberOf(layer, "type", type, 0xff), numberOf(layer, "code", 0, 0xff), 0, 0),
    put(2, numberOf(layer, "id", 1, 0xffff)),
    put(2, numberOf(layer, "seq", 1, 0xffff)),
    inside,
  ]);

/** What checksums of upper layers cover besides them. @source RFC 9293 §3.1, RFC 8200 §8.1 */
function pseudoHeader(carrier: Carrier | undefined, protocol: number, length: number): Uint8Array {
  if (carrier === undefined) return new Uint8Array(0);
  const { src, dst } = carrier;
  return joinBytes([src, dst, put(4, length), put(4, protocol)]);
}

function withChecksum(bytes: Uint8Array, at: number, before: Uint8Array): Uint8Array {
  const summed = bytes.slice();
  summed.set(put(2, checksumOf(joinBytes([before, bytes]))), at);
  return summed;
}
