/** Byte-level builders of capture files, independent of the writers under test. */

export type Order = "little" | "big";

export const cat = (...parts: readonly Uint8Array[]): Uint8Array => {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};

export const ascii = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

export function u16(value: number, order: Order): Uint8Array {
  const out = new Uint8Array(2);
  new DataView(out.buffer).setUint16(0, value, order === "little");
  return out;
}

export function u32(value: number, order: Order): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value >>> 0, order === "little");
  return out;
}

export function u64(value: bigint, order: Order): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt.asUintN(64, value), order === "little");
  return out;
}

export const pad4 = (bytes: Uint8Array): Uint8Array => cat(bytes, new Uint8Array(-bytes.length & 3));

export interface PcapHead {
  readonly order?: Order;
  readonly magic?: number;
  readonly major?: number;
  readonly minor?: number;
  readonly snaplen?: number;
  readonly link?: number;
}

export function pcapHead(head: PcapHead = {}): Uint8Array {
  const order = head.order ?? "little";
  return cat(
    u32(head.magic ?? 0xa1b2c3d4, order),
    u16(head.major ?? 2, order),
    u16(head.minor ?? 4, order),
    new Uint8Array(8),
    u32(head.snaplen ?? 65535, order),
    u32(head.link ?? 1, order),
  );
}

export interface PcapPacket {
  readonly sec?: number;
  readonly frac?: number;
  readonly cap?: number;
  readonly orig?: number;
}

export function pcapPacket(data: Uint8Array, packet: PcapPacket = {}, order: Order = "little"): Uint8Array {
  return cat(
    u32(packet.sec ?? 1, order),
    u32(packet.frac ?? 2, order),
    u32(packet.cap ?? data.length, order),
    u32(packet.orig ?? data.length, order),
    data,
  );
}

export function block(type: number, body: Uint8Array, order: Order = "little"): Uint8Array {
  const total = u32(body.length + 12, order);
  return cat(u32(type, order), total, body, total);
}

export const option = (code: number, value: Uint8Array, order: Order = "little"): Uint8Array =>
  cat(u16(code, order), u16(value.length, order), pad4(value));

export const options = (
  list: readonly (readonly [number, Uint8Array])[],
  order: Order = "little",
): Uint8Array =>
  list.length === 0
    ? new Uint8Array(0)
    : cat(...list.map(([code, value]) => option(code, value, order)), new Uint8Array(4));

type Options = readonly (readonly [number, Uint8Array])[];

export const shb = (order: Order = "little", opts: Options = [], minor = 0): Uint8Array =>
  block(
    0x0a0d0d0a,
    cat(u32(0x1a2b3c4d, order), u16(1, order), u16(minor, order), u64(-1n, order), options(opts, order)),
    order,
  );

export const idb = (order: Order = "little", opts: Options = [], link = 1, snaplen = 0): Uint8Array =>
  block(1, cat(u16(link, order), u16(0, order), u32(snaplen, order), options(opts, order)), order);

export interface Epb {
  readonly order?: Order;
  readonly iface?: number;
  readonly ticks?: bigint;
  readonly orig?: number;
  readonly opts?: Options;
}

const ticksOf = (ticks: bigint, order: Order): Uint8Array =>
  cat(u32(Number(ticks >> 32n), order), u32(Number(ticks & 0xffff_ffffn), order));

export function epb(data: Uint8Array, epbFields: Epb = {}): Uint8Array {
  const order = epbFields.order ?? "little";
  return block(
    6,
    cat(
      u32(epbFields.iface ?? 0, order),
      ticksOf(epbFields.ticks ?? 0n, order),
      u32(data.length, order),
      u32(epbFields.orig ?? data.length, order),
      pad4(data),
      options(epbFields.opts ?? [], order),
    ),
    order,
  );
}

export const spb = (data: Uint8Array, orig = data.length, order: Order = "little"): Uint8Array =>
  block(3, cat(u32(orig, order), pad4(data)), order);

export const obsoletePb = (data: Uint8Array, fields: Epb & { readonly drops?: number } = {}): Uint8Array => {
  const order = fields.order ?? "little";
  return block(
    2,
    cat(
      u16(fields.iface ?? 0, order),
      u16(fields.drops ?? 0xffff, order),
      ticksOf(fields.ticks ?? 0n, order),
      u32(data.length, order),
      u32(fields.orig ?? data.length, order),
      pad4(data),
      options(fields.opts ?? [], order),
    ),
    order,
  );
};

export const isb = (iface: number, ticks: bigint, opts: Options, order: Order = "little"): Uint8Array =>
  block(5, cat(u32(iface, order), ticksOf(ticks, order), options(opts, order)), order);

/** An Ethernet frame of a given size whose payload a dissector takes for private data. */
export function frame(size: number, seed = 0): Uint8Array {
  const out = new Uint8Array(Math.max(size, 14));
  for (let i = 0; i < out.length; i++) out[i] = (i * 7 + seed * 13) & 0xff;
  out.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5]);
  return out.subarray(0, size);
}
