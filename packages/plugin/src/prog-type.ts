import type { CtxLayout, ProgTypeName } from "@tsbpf/abi";
import type { LinearMemory, PacketBuffer } from "@tsbpf/memory";
import type { NetDevice } from "./services.ts";

/** What one run gets. */
export interface RunInput {
  readonly packet?: Uint8Array;
  /** Context bytes in uapi layout, as BPF_PROG_TEST_RUN takes them; pointer fields in it count as offsets into the packet. */
  readonly ctx?: Uint8Array;
  /** Values of context fields by name; they win over `ctx`. */
  readonly fields?: Readonly<Record<string, number | bigint>>;
  /**
   * Where the program's view of the packet begins: at the Ethernet header or after it. By default where
   * BPF_PROG_TEST_RUN puts it: after it for all skb types but `sched_cls` and `sched_act`.
   */
  readonly startsAt?: "link" | "network";
}

export interface ProgHost {
  readonly memory: LinearMemory;
  /** Largest packet in bytes. */
  readonly maxPacketBytes: number;
  /**
   * Whether inputs are refused and laid out exactly as BPF_PROG_TEST_RUN does: packets of at most one page, or split
   * into fragments; contexts with few fields. Otherwise whole packets of up to `maxPacketBytes` lie in one piece and
   * all context fields may be given. Default false.
   */
  readonly isTestRun?: boolean;
  /** Interfaces that a context may name; the loopback interface 1 always exists. */
  readonly devices?: readonly NetDevice[];
}

/** The context memory of one machine, reused for every run. */
export interface ProgContext {
  readonly address: number;
  readonly packet: PacketBuffer | undefined;
  /**
   * Puts an input in place.
   *
   * @throws RUN_INPUT (InputError) when the kernel's test run would refuse it; `details.errno` is its error number.
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
