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
  /** 1..5: the register that held the pointer. */
  readonly arg: number;
  /** Bytes behind the pointer. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Something a replay must repeat, or can be compared with, in the order of `events`. */
export type TraceEvent = { readonly phase: EventPhase } & (
  | {
      /** The host changed a map. */
      readonly kind: "map";
      readonly mapIdx: number;
      readonly change: MapChange;
      /** Absent for maps without keys. */
      readonly key?: Uint8Array;
      /** Absent for deletions. */
      readonly value?: Uint8Array;
      readonly flags: bigint;
    }
  /** The program read a clock: `mono`, `boot`, `coarse`, `tai`, `jiffies` or a plugin's. */
  | { readonly kind: "clock"; readonly clock: string; readonly value: bigint }
  | { readonly kind: "random"; readonly value: bigint }
  /** The program called a helper or kfunc whose result came from outside. */
  | {
      readonly kind: "call";
      readonly name: string;
      readonly result: bigint;
      readonly writes: readonly HelperWrite[];
    }
  /** The program left these bytes in `packet`, `ctx`, `printk`, `ringbuf` or a plugin's channel. */
  | { readonly kind: "output"; readonly channel: string; readonly bytes: Uint8Array }
  | { readonly kind: "notes"; readonly notes: PacketNotes }
);

export type MapChange = "update" | "delete" | "push" | "pop";
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
}
