import { InputError, U32_MAX, U64_MAX } from "@tsbpf/base";
import { isMap, type MsgpackMap } from "./msgpack.ts";

/** Takes typed values out of a decoded map, and says which field of which block is not what it should be. */
export class Fields {
  private readonly map: MsgpackMap;
  private readonly what: string;
  private readonly offset: number;

  /** @param offset - file offset of the block, for error texts. */
  constructor(map: MsgpackMap, what: string, offset: number) {
    this.map = map;
    this.what = what;
    this.offset = offset;
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined;
  }

  uint(name: string, max: number = U32_MAX): number {
    const value = this.raw(name);
    const number = typeof value === "bigint" && value <= U64_MAX ? Number(value) : value;
    if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= max) return number;
    throw this.wrong(name, `a whole number in 0..${max}`);
  }

  u64(name: string): bigint {
    const value = toU64Value(this.raw(name));
    if (value !== undefined) return value;
    throw this.wrong(name, "a whole number in 0..2^64-1");
  }

  s64(name: string): bigint {
    const value = this.raw(name);
    const big = typeof value === "number" && Number.isInteger(value) ? BigInt(value) : value;
    if (typeof big === "bigint" && BigInt.asIntN(64, big) === big) return big;
    throw this.wrong(name, "a whole number of 64 signed bits");
  }

  text(name: string): string {
    const value = this.raw(name);
    if (typeof value === "string") return value;
    throw this.wrong(name, "a text");
  }

  flag(name: string): boolean {
    const value = this.raw(name);
    if (typeof value === "boolean") return value;
    throw this.wrong(name, "true or false");
  }

  /** Returns bytes that alias the block. */
  view(name: string): Uint8Array {
    const value = this.raw(name);
    if (value instanceof Uint8Array) return value;
    throw this.wrong(name, "bytes");
  }

  /** Returns a copy of bytes. */
  bytes(name: string): Uint8Array {
    return new Uint8Array(this.view(name));
  }

  list(name: string): readonly unknown[] {
    const value = this.raw(name);
    if (Array.isArray(value)) return value;
    throw this.wrong(name, "a list");
  }

  texts(name: string): string[] {
    return this.list(name).map((value) => {
      if (typeof value === "string") return value;
      throw this.wrong(name, "a list of texts");
    });
  }

  /** Returns fields of a map found inside this one, with the same place for error texts. */
  inside(map: MsgpackMap): Fields {
    return new Fields(map, this.what, this.offset);
  }

  /** Returns the maps of a list, each ready to be looked into; an absent list is empty. */
  maps(name: string): Fields[] {
    if (!this.has(name)) return [];
    return this.list(name).map((value, i) => {
      if (isMap(value)) return new Fields(value, `${name} ${i} of ${this.what}`, this.offset);
      throw this.wrong(name, "a list of maps");
    });
  }

  /** Reads a field that may be absent: `optional("cpu", "uint")`. */
  optional<K extends "u64" | "s64" | "text" | "bytes" | "texts" | "flag">(
    name: string,
    kind: K,
  ): ReturnType<Fields[K]> | undefined {
    return this.has(name) ? (this[kind](name) as ReturnType<Fields[K]>) : undefined;
  }

  optionalUint(name: string, max?: number): number | undefined {
    return this.has(name) ? this.uint(name, max) : undefined;
  }

  /** Makes the error of a field that is not what it should be. */
  wrong(name: string, allowed: string): InputError {
    const found = describe(this.raw(name));
    return new InputError(
      "TRACE_FIELD",
      `field "${name}" of ${this.what} is ${found}, ${allowed} expected, at offset ${this.offset}`,
      { details: { field: name, found, offset: this.offset } },
    );
  }

  raw(name: string): unknown {
    const value = Object.hasOwn(this.map, name) ? this.map[name] : undefined;
    return value === null ? undefined : value;
  }
}

/** Returns a number or bigint as an unsigned 64-bit value, or undefined when it is none. */
export function toU64Value(value: unknown): bigint | undefined {
  if (typeof value === "bigint") return value >= 0n && value <= U64_MAX ? value : undefined;
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined;
}

/** Returns a number or bigint as a signed whole number, or undefined when it is none that JavaScript holds exactly. */
export function toS64Value(value: unknown): number | undefined {
  const number = typeof value === "bigint" ? Number(value) : value;
  return Number.isSafeInteger(number) ? (number as number) : undefined;
}

export const isU32 = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= U32_MAX;

function describe(value: unknown): string {
  if (value === undefined) return "absent";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  if (typeof value === "string") return `the text ${JSON.stringify(value.slice(0, 32))}`;
  return isMap(value) ? "a map" : String(value);
}
