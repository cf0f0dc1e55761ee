import type { CtxLayout, ProgTypeName } from "@tsbpf/abi";
import type { LinearMemory, PacketBuffer } from "@tsbpf/memory";

/** What one run gets. */
export interface RunInput {
  readonly packet?: Uint8Array;
  /** Context bytes in uapi layout, as BPF_PROG_TEST_RUN takes them; pointer fields in it count as offsets into the packet. */
  readonly ctx?: Uint8Array;
  /** Values of context fields by name; they win over `ctx`. */
  readonly fields?: Readonly<Record<string, number | bigint>>;
}

export interface ProgHost {
  readonly memory: LinearMemory;
  /** Largest packet in bytes. */
  readonly maxPacketBytes: number;
}

/** The context memory of one machine, reused for every run. */
export interface ProgContext {
  readonly address: number;
  readonly packet: PacketBuffer | undefined;
  /**
   * Puts an input in place.
   *
   * @throws RUN_INPUT (InputError) when the kernel's test run would refuse it.
   */
  load(input: RunInput): void;
  /** Returns a copy of the packet after a run; empty for types without packets. */
  readPacket(): Uint8Array;
  /** Returns a copy of the context after a run, with packet pointers turned back into offsets. */
  readCtx(): Uint8Array;
}

export interface ProgTypePlugin {
  readonly type: ProgTypeName;
  readonly summary: string;
  readonly source: string;
  readonly ctx: CtxLayout;
  /** Names what a result means, e.g. `XDP_PASS`; undefined when it has no name. */
  verdictName(r0: number): string | undefined;
  createContext(host: ProgHost): ProgContext;
}

/** Defines a program type; the built-in types use nothing else. */
export const defineProgType = (plugin: ProgTypePlugin): ProgTypePlugin => plugin;
