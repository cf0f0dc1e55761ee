import { encodeUtf8, parseHexBytes } from "@tsbpf/base";
import { fault } from "./fault.ts";

/** Layers of the notation, in the order in which they stand in a frame. */
const LAYER_NAMES = ["eth", "vlan", "arp", "ip", "ip6", "tcp", "udp", "icmp", "icmp6"] as const;
export type LayerName = (typeof LAYER_NAMES)[number];

/** A layer and what was said of it. */
export interface LayerText {
  readonly name: LayerName;
  readonly fields: ReadonlyMap<string, string>;
}

/** A packet as it was written: layers from the outside in, what they carry, and how long the frame is at least. */
export interface PacketText {
  readonly layers: readonly LayerText[];
  readonly payload: Uint8Array;
  readonly lengthBytes: number | undefined;
}

/** Fields by layer. */
const LAYER_FIELDS: Readonly<Record<LayerName, readonly string[]>> = {
  eth: ["src", "dst", "type"],
  vlan: ["id", "prio"],
  arp: ["op", "src", "dst", "hwsrc", "hwdst"],
  ip: ["src", "dst", "ttl", "tos", "id", "proto", "flags", "frag"],
  ip6: ["src", "dst", "hlim", "tc", "flow", "nh"],
  tcp: ["sport", "dport", "seq", "ack", "flags", "win", "urg"],
  udp: ["sport", "dport"],
  icmp: ["type", "code", "id", "seq"],
  icmp6: ["type", "code", "id", "seq"],
};

const FRAME_BYTES_MAX = 65_535;
const WORD = /[^\s/="]+=(?:"(?:[^"\\]|\\.)*"|[^\s/]+)|[^\s/]+/g;

const isLayer = (word: string): word is LayerName => (LAYER_NAMES as readonly string[]).includes(word);

/** Says whether a text is of this notation: it starts with the name of a layer and has none that is unknown. */
export function isPacketText(text: string): boolean {
  const words = text.match(WORD) ?? [];
  const names = words.filter((word) => !word.includes("="));
  return isLayer(words[0] ?? "") && names.every(isLayer);
}

/**
 * Reads `tcp dport=80 flags=syn`, `eth/ip/udp dport=53 payload="hi"`: layers, each with fields behind it. A field that
 * the last layer does not have belongs to the nearest one before it that does; missing layers are added.
 *
 * @throws REPL_PACKET (InputError) naming what is unknown or stands in a wrong place.
 */
export function parsePacketText(text: string): PacketText {
  const layers: { name: LayerName; fields: Map<string, string> }[] = [];
  let payload = new Uint8Array(0);
  let lengthBytes: number | undefined;
  const loose: [string, string][] = [];
  for (const word of text.match(WORD) ?? []) {
    if (!word.includes("=")) {
      addLayer(layers, word as LayerName);
      continue;
    }
    const at = word.indexOf("=");
    const [name, value] = [word.slice(0, at).toLowerCase(), word.slice(at + 1)];
    if (name === "payload") payload = payloadOf(value);
    else if (name === "len") lengthBytes = lengthOf(value);
    else if (!setField(layers, name, value)) loose.push([name, value]);
  }
  complete(layers, loose);
  for (const [name, value] of loose) {
    if (setField(layers, name, value)) continue;
    const known = [...new Set(layers.flatMap((layer) => LAYER_FIELDS[layer.name]))].join(", ");
    throw fault(
      "REPL_PACKET",
      `no field ${name} in ${layers.map((one) => one.name).join("/")}, they have: ${known}, payload, len`,
    );
  }
  return { layers, payload, lengthBytes };
}

function addLayer(layers: { name: LayerName; fields: Map<string, string> }[], name: LayerName): void {
  const last = layers.at(-1);
  const isInOrder =
    last === undefined || LEVEL[last.name] < LEVEL[name] || (last.name === "vlan" && name === "vlan");
  if (!isInOrder) throw fault("REPL_PACKET", `${name} inside ${last.name}, which cannot carry it`);
  layers.push({ name, fields: new Map() });
}

const LEVEL: Readonly<Record<LayerName, number>> = {
  eth: 0,
  vlan: 1,
  arp: 3,
  ip: 2,
  ip6: 2,
  tcp: 3,
  udp: 3,
  icmp: 3,
  icmp6: 3,
};

function setField(
  layers: readonly { name: LayerName; fields: Map<string, string> }[],
  name: string,
  value: string,
): boolean {
  const layer = layers.findLast((one) => LAYER_FIELDS[one.name].includes(name));
  layer?.fields.set(name, value);
  return layer !== undefined;
}

/** Adds the layers that a frame needs below those that were named. */
function complete(
  layers: { name: LayerName; fields: Map<string, string> }[],
  loose: readonly [string, string][],
): void {
  const make = (name: LayerName) => ({ name, fields: new Map<string, string>() });
  const top = layers.at(-1);
  const hasNetwork = layers.some(({ name }) => name === "ip" || name === "ip6" || name === "arp");
  if (top !== undefined && LEVEL[top.name] === 3 && !hasNetwork) {
    const isV6 =
      top.name === "icmp6" ||
      loose.some(([name, value]) => /^(?:src|dst)$/.test(name) && value.includes(":"));
    layers.splice(-1, 0, make(isV6 ? "ip6" : "ip"));
  }
  if (layers[0]?.name !== "eth") layers.unshift(make("eth"));
}

function payloadOf(value: string): Uint8Array<ArrayBuffer> {
  if (value.startsWith('"')) {
    try {
      return new Uint8Array(encodeUtf8(JSON.parse(value) as string));
    } catch {
      throw fault("REPL_PACKET", `${value} is no string: escapes are those of JSON`);
    }
  }
  const hex = /^0x((?:[0-9a-f]{2})+)$/i.exec(value)?.[1];
  return new Uint8Array(hex === undefined ? encodeUtf8(value) : parseHexBytes(hex));
}

function lengthOf(value: string): number {
  const length = Number(value);
  if (/^\d+$/.test(value) && length <= FRAME_BYTES_MAX) return length;
  throw fault("REPL_PACKET", `len=${value} found, 0..${FRAME_BYTES_MAX} needed`);
}
