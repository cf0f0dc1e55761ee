import type { MapTypeName } from "./map-types.ts";
import type { ProgTypeName } from "./prog-types.ts";

/** What an argument register must hold. */
export const ARG_KINDS = [
  /** Any initialised value. */
  "scalar",
  "ctx",
  /** A constant map pointer. */
  "map",
  /** Memory of exactly the key size of the map argument. */
  "map_key",
  /** Memory of exactly the value size of the map argument. */
  "map_value",
  /** Memory whose size is fixed (`sizeBytes`) or given by a size argument (`size`). */
  "mem",
  /** Byte count of a memory argument, bounded when the program is verified. */
  "size",
  /** A constant byte count of memory that the helper allocates. */
  "alloc_size",
  /** A NUL-terminated string in a frozen read-only map. */
  "const_str",
  /** A static function of the program. */
  "func",
  /** A stack pointer handed to a callback unchanged. */
  "callback_ctx",
  "spin_lock",
  "timer",
  "dynptr",
  "kptr",
  /** Memory from a ring buffer reservation. */
  "ringbuf_mem",
  /** A typed kernel object. */
  "btf_id",
  /** A typed kernel socket or a socket from a lookup. */
  "btf_id_sock_common",
  "sock_common",
  "socket",
  "percpu_btf_id",
] as const;
export type ArgKind = (typeof ARG_KINDS)[number];

export interface ArgSpec {
  readonly name: string;
  readonly kind: ArgKind;
  readonly nullable?: boolean;
  /** What the helper does with pointed-to memory; `write` alone accepts uninitialised stack. */
  readonly access?: "read" | "write" | "readwrite";
  /** Bytes of fixed-size memory. */
  readonly sizeBytes?: number;
  /** Whether fixed-size memory must be naturally aligned. */
  readonly isAligned?: boolean;
  /** Name of the map argument that a key or value belongs to; the only map argument when omitted. */
  readonly of?: string;
  /** Name of the size argument that bounds this memory. */
  readonly size?: string;
  /** Whether a size may be zero. */
  readonly allowZero?: boolean;
  /** Smallest and largest accepted value of a scalar or size; the verifier proves it. */
  readonly min?: bigint;
  readonly max?: bigint;
  /** Whether the reference held by this argument is given up. */
  readonly releases?: boolean;
  /** Accepted kernel type names of a typed pointer. */
  readonly btfTypes?: readonly string[];
  readonly dynptrKind?: "local" | "ringbuf" | "skb" | "xdp" | "any";
  /** Map types a map argument accepts; any that the map's own rules allow when omitted. */
  readonly mapTypes?: readonly MapTypeName[];
}

export const RET_KINDS = [
  "int",
  "void",
  "map_value",
  "mem",
  "alloc_mem",
  "dynptr_mem",
  "socket",
  "tcp_sock",
  "sock_common",
  "btf_id",
  "mem_or_btf_id",
] as const;
export type RetKind = (typeof RET_KINDS)[number];

export interface RetSpec {
  readonly kind: RetKind;
  readonly nullable?: boolean;
  /** Whether the caller must release what it gets. */
  readonly acquires?: boolean;
  /** Signed bounds of an integer result, which the verifier may then assume. */
  readonly min?: bigint;
  readonly max?: bigint;
  readonly btfType?: string;
  readonly isTrusted?: boolean;
  /** Name of the argument whose constant gives the size of returned memory. */
  readonly sizeOf?: string;
  /** Name of the size argument that bounds an integer result from above. */
  readonly maxOf?: string;
}

/** What the verifier, both engines, the disassembler and the manual know of a helper. */
export interface HelperProto {
  readonly id: number;
  /** Full name, e.g. `bpf_map_lookup_elem`. */
  readonly name: string;
  readonly args: readonly ArgSpec[];
  readonly ret: RetSpec;
  readonly isGplOnly: boolean;
  /** Whether packet pointers must be derived anew after the call. */
  readonly invalidatesPacket: boolean;
  readonly maySleep: boolean;
  /** Whether compilers may keep r1..r5 across the call. */
  readonly isFastcall: boolean;
  /** Whether memory arguments may lie in the packet. */
  readonly allowsPacketMem: boolean;
  readonly callsBack: boolean;
  /** Whether the registers after the last argument may hold further arguments, which the verifier does not check. */
  readonly isVariadic?: boolean;
  /** C prototype for people. */
  readonly signature: string;
  /** First Linux release; `custom` for a plugin's helper. */
  readonly since: string;
  /** Program types that may call it; `undefined` means the availability table decides. */
  readonly progTypes?: readonly ProgTypeName[];
}

/** Ids below belong to Linux; a plugin's helpers start here. */
export const CUSTOM_HELPER_ID_FIRST = 0x1_0000;
