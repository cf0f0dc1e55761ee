import type { InterfaceDescription, PacketDirection, PacketVerdict, RawOption } from "../capture/types.ts";

/** What a trace says of itself: who made it, and with which settings. */
export interface TraceInfo {
  readonly application?: string;
  readonly comments?: readonly string[];
  /** Settings of the recorded machine that a replay has to repeat: cpu count, seed, kernel profile. */
  readonly settings?: Readonly<Record<string, string | number | bigint | boolean>>;
}

/** A program that runs of the trace belong to. */
export interface TraceProgram {
  readonly name: string;
  /** As section names and tools call it: `xdp`, `sched_cls`. */
  readonly progType: string;
  readonly section?: string;
  /** Hex digits that tell the program's code from another's. */
  readonly tag?: string;
}

/** A map that contents and changes belong to. */
export interface TraceMap {
  readonly name: string;
  /** As tools call it: `hash`, `percpu_array`. */
  readonly type: string;
  readonly keyBytes: number;
  /** Bytes of one value; a per-CPU map has `slotCount` of them in a row for every key. */
  readonly valueBytes: number;
  readonly maxEntries: number;
  readonly flags?: number;
  /** Values that one key has: CPUs of a per-CPU map, else 1. */
  readonly slotCount?: number;
}

/** A network interface; `ifindex` is what programs see. */
export interface TraceInterface extends InterfaceDescription {
  readonly ifindex: number;
}

/** Plain data as msgpack holds it; bigints are 64-bit numbers. */
export type TraceValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly TraceValue[]
  | { readonly [key: string]: TraceValue };

/** Plain data by name. */
export type TraceValueMap = { readonly [key: string]: TraceValue };

/** A helper whose answers the trace holds, with all that a stand-in for it needs: its prototype as plain data. */
export interface TraceHelper {
  readonly id: number;
  readonly name: string;
  /** One a register from r1 on; `name`, `kind` and what else the kind needs. */
  readonly args: readonly TraceValueMap[];
  readonly returns: TraceValueMap;
  /** What else the prototype says: `gpl`, `packet_mem`, `invalidates_packet`, `may_sleep`, `fastcall`, `calls_back`, `variadic`. */
  readonly traits?: readonly string[];
  /** Program types that may call it; any when missing. */
  readonly progTypes?: readonly string[];
}

/** Says where in a run's life something happened: before the program was entered, or while it ran. */
export type EventPhase = "before" | "during";

/** What a pcapng file says of a packet and no run column holds. */
export interface PacketNotes {
  readonly flags?: number;
  readonly dropCount?: bigint;
  readonly packetId?: bigint;
  readonly verdicts?: readonly PacketVerdict[];
  readonly comments?: readonly string[];
  readonly otherOptions?: readonly RawOption[];
  /** Raw timestamp in the interface's unit, where nanoseconds cannot hold it. */
  readonly tsTicks?: bigint;
}

/** Bytes that a helper from outside wrote through one of its pointer arguments. */
export interface HelperWrite {
  /** 1..5: the register that held the pointer. 0: the bytes are the whole packet as the helper left it. */
  readonly arg: number;
  /** Bytes behind the pointer; of a packet, how far its start moved towards its end, -2^31..2^31-1. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * One argument that a helper was called with: a value, the bytes that a pointer led to (of more than 64 their number and
 * CRC-32C), the name of a map; null for what differs from one machine to another, as addresses do.
 */
export type AskedValue =
  | bigint
  | Uint8Array
  | string
  | null
  | { readonly bytes: number; readonly crc: number };

/** What a helper was asked, an element a register from r1 on. */
export type HelperQuestion = readonly AskedValue[];

/** How a helper ended the run. */
export interface HelperFailure {
  readonly code: string;
  readonly message: string;
}

/** A change of a map. */
export interface MapChangeEntry {
  readonly mapIdx: number;
  readonly change: MapChange;
  /** Absent for maps without keys. */
  readonly key?: Uint8Array;
  /** Absent for deletions. */
  readonly value?: Uint8Array;
  readonly flags: bigint;
}

/** Something a replay must repeat, or can be compared with, in the order of `events`. */
export type TraceEvent = { readonly phase: EventPhase } /** The host changed a map. */ & (
  | ({ readonly kind: "map" } & MapChangeEntry)
  /** The program read a clock: `mono`, `boot`, `coarse`, `tai`, `jiffies` or a plugin's. */
  | { readonly kind: "clock"; readonly clock: string; readonly value: bigint }
  | { readonly kind: "random"; readonly value: bigint }
  /** The program called a helper or kfunc whose result came from outside. */
  | {
      readonly kind: "call";
      readonly name: string;
      readonly result: bigint;
      readonly writes: readonly HelperWrite[];
      /** What it was asked; absent where the recorder did not look. */
      readonly asked?: HelperQuestion;
      /** How it changed maps. */
      readonly changes?: readonly MapChangeEntry[];
      /** What else it did, in the form of events of kind "effect". */
      readonly effects?: readonly TraceValueMap[];
      /** Why it ended the run. */
      readonly error?: HelperFailure;
    }
  /** The program left these bytes in its `packet`, its `ctx` or a plugin's channel. */
  | { readonly kind: "output"; readonly channel: string; readonly bytes: Uint8Array }
  /** The program did this beyond registers, memory and maps: `kind` says what, e.g. `printk`, `redirect`, `ringbuf`. */
  | { readonly kind: "effect"; readonly effect: TraceValueMap }
  | { readonly kind: "notes"; readonly notes: PacketNotes }
);

/** `write` is a change of the value in place, as through a pointer to it. */
export type MapChange = "update" | "delete" | "push" | "pop" | "write";
export type TraceEventKind = TraceEvent["kind"];

/** One run of a program, as given to a writer. */
export interface TraceRunInput {
  /** Nanoseconds; since 1970-01-01 UTC for packets from captures. 0..2^64-1. */
  readonly tsNs: bigint;
  /** True when missing. */
  readonly hasTime?: boolean;
  /** Index of the program among those defined; 0 when missing. */
  readonly programIdx?: number;
  readonly cpu?: number;
  /** Index among the interfaces defined; a run without has none. */
  readonly interfaceIdx?: number;
  readonly queue?: number;
  readonly direction?: PacketDirection;
  readonly packet?: Uint8Array;
  /** Bytes the packet had on the wire; as many as `packet` has when missing. */
  readonly originalBytes?: number;
  /** The program's ctx as it lies in memory, for program types without packets or for fields a packet does not imply. */
  readonly ctx?: Uint8Array;
  /** What the program returned, to compare a replay with. */
  readonly r0?: bigint;
  /** Whether the run's events hold all that it asks of clocks, random numbers and helpers from outside. */
  readonly hasAnswers?: boolean;
}

/** One run as read, its bytes copied out of the file. */
export interface TraceRun extends TraceRunInput {
  readonly index: number;
  readonly hasTime: boolean;
  readonly programIdx: number;
  readonly cpu: number;
  readonly events: readonly TraceEvent[];
}

/** Initial contents of a map, or a part of them. */
export interface MapContents {
  readonly mapIdx: number;
  readonly entryCount: number;
  /** `entryCount` keys in a row. */
  readonly keys: Uint8Array;
  /** `entryCount` times `slotCount` values in a row. */
  readonly values: Uint8Array;
}

/** What is known of a trace besides its runs; grows while the file is read. */
export interface TraceDefinitions {
  readonly info: TraceInfo;
  readonly programs: readonly TraceProgram[];
  readonly maps: readonly TraceMap[];
  readonly interfaces: readonly TraceInterface[];
  readonly helpers: readonly TraceHelper[];
}
