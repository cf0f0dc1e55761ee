import type { ArgSpec, MapTypeName, RetSpec } from "@tsbpf/abi";

interface MemOptions {
  /** Bytes of fixed-size memory; give this or `size`. */
  readonly sizeBytes?: number;
  /** Name of the argument that bounds the memory. */
  readonly size?: string;
  readonly nullable?: boolean;
}

interface Bounds {
  readonly min?: bigint;
  readonly max?: bigint;
}

/** Builders of argument specifications; the position in `args` is the register, r1..r5. */
export const arg = {
  /** An unsigned 64-bit value; the verifier proves the bounds where given. */
  u64: <const N extends string, const B extends Bounds>(name: N, bounds?: B) =>
    ({ name, kind: "scalar", type: "u64", ...(bounds as B) }) as const,
  /** A value whose low 32 bits count. */
  u32: <const N extends string, const B extends Bounds>(name: N, bounds?: B) =>
    ({ name, kind: "scalar", type: "u32", ...(bounds as B) }) as const,
  /** A value whose low 32 bits count, signed. */
  s32: <const N extends string>(name: N) => ({ name, kind: "scalar", type: "s32" }) as const,
  ctx: <const N extends string>(name: N) => ({ name, kind: "ctx" }) as const,
  map: <const N extends string>(name: N, options: { readonly types?: readonly MapTypeName[] } = {}) =>
    ({ name, kind: "map", ...(options.types === undefined ? {} : { mapTypes: options.types }) }) as const,
  /** Readable memory of exactly the map's key size. */
  mapKey: <const N extends string, const M extends string>(name: N, options: { readonly of: M }) =>
    ({ name, kind: "map_key", access: "read", of: options.of }) as const,
  /** Readable memory of exactly the map's value size. */
  mapValue: <const N extends string, const M extends string>(name: N, options: { readonly of: M }) =>
    ({ name, kind: "map_value", access: "read", of: options.of }) as const,
  /** Readable, initialised memory. */
  memIn: <const N extends string, const O extends MemOptions>(name: N, options: O) =>
    ({ name, kind: "mem", access: "read", ...options }) as const,
  /** Writable memory that may be uninitialised before the call. */
  memOut: <const N extends string, const O extends MemOptions>(name: N, options: O) =>
    ({ name, kind: "mem", access: "write", ...options }) as const,
  /** Readable, writable, initialised memory. */
  memInOut: <const N extends string, const O extends MemOptions>(name: N, options: O) =>
    ({ name, kind: "mem", access: "readwrite", ...options }) as const,
  /** Bytes of a memory argument; zero only where `allowZero` says so. */
  size: <const N extends string, const O extends Bounds & { readonly allowZero?: boolean }>(
    name: N,
    options?: O,
  ) => ({ name, kind: "size", ...(options as O) }) as const,
  /** A static function of the program that the helper may call. */
  func: <const N extends string>(name: N) => ({ name, kind: "func" }) as const,
  /** A stack pointer or null, handed to the callback unchanged. */
  callbackCtx: <const N extends string>(name: N) => ({ name, kind: "callback_ctx", nullable: true }) as const,
} as const;

/** Builders of result specifications. */
export const ret = {
  /** Nothing; r0 holds no value afterwards. */
  void: () => ({ kind: "void" }) as const,
  u64: () => ({ kind: "int" }) as const,
  u32: () => ({ kind: "int", min: 0n, max: 0xffff_ffffn }) as const,
  /** 0 or a negative error number. */
  errno: () => ({ kind: "int", min: -4095n, max: 0n }) as const,
  /** An integer with the bounds that the helper keeps. */
  int: (min: bigint, max: bigint) => ({ kind: "int", min, max }) as const,
} as const satisfies Record<string, (...args: never[]) => RetSpec>;

/** An argument specification with the width its implementation sees. */
export type TypedArg = ArgSpec & { readonly type?: "u64" | "u32" | "s32" };
