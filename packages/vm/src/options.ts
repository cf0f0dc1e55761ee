import type { MapSpec, MapTypeName } from "@tsbpf/abi";
import type { Btf } from "@tsbpf/btf";
import type { LinearMemoryOptions } from "@tsbpf/memory";
import type { HelperPlugin, MapTypePlugin, ProgTypePlugin, Services } from "@tsbpf/plugin";
import type { Verdict } from "@tsbpf/verifier";

/** A map in short form; everything but type and sizes has a default. */
export interface MapShorthand {
  readonly type: MapTypeName;
  /** Bytes; 4 for array-like types when omitted. */
  readonly keySize?: number;
  /** Bytes. */
  readonly valueSize: number;
  /** 1 when omitted. */
  readonly maxEntries?: number;
  /** Bits as `MAP_FLAGS` of @tsbpf/abi names them. */
  readonly flags?: number;
}

export interface VmOptions {
  /** Helpers that programs may call; all kernel helpers when omitted. Ids and names must be unique. */
  readonly helpers?: readonly HelperPlugin[];
  /** Helpers that take the place of those with the same id: mocks. */
  readonly replaceHelpers?: readonly HelperPlugin[];
  /** Kernel functions that programs may call by name; all that are implemented when omitted. */
  readonly kfuncs?: readonly HelperPlugin[];
  readonly mapTypes?: readonly MapTypePlugin[];
  readonly progTypes?: readonly ProgTypePlugin[];
  /** Maps that assembled programs may name. */
  readonly maps?: Readonly<Record<string, MapSpec | MapShorthand>>;
  /** Virtual CPUs, 1 when omitted. */
  readonly cpuCount?: number;
  readonly memory?: LinearMemoryOptions;
  /** Clock, random numbers, network and task; deterministic when omitted. */
  readonly services?: Partial<Services>;
  /** What a CPU has instead of these, e.g. random numbers of its own. */
  readonly servicesOf?: (cpu: number) => Partial<Services>;
  /** Largest packet in bytes; 65,535 and its link header when omitted. */
  readonly maxPacketBytes?: number;
  /** Whether inputs are refused exactly as BPF_PROG_TEST_RUN refuses them. Default false. */
  readonly isTestRun?: boolean;
  /** Whether effects are recorded. Default true. */
  readonly recordEffects?: boolean;
  /** Types of a kernel, by which the verifier follows pointers into its structs; only what is sure without them. */
  readonly kernelBtf?: Btf;
  /** Instructions that one run may execute; as in Linux, a verified program has no limit unless this gives one. */
  readonly budget?: number;
}

/**
 * What runs a program. "auto" is the jit; where compiling is expected to take more than a few milliseconds, the
 * interpreter begins at once and the jit goes on, between two runs, when it has compiled the program beside. Runs whose
 * hooks listen to steps, accesses or exits, which the jit does not tell of, stay with the interpreter.
 */
export type EngineName = "interpreter" | "jit" | "auto";

/** What to do with a program that Linux would refuse: throw, run it with checks and keep the verdict, or not ask. */
export type VerifyMode = "strict" | "warn" | "off";

export interface ProgOptions {
  /** Default "interpreter". */
  readonly engine?: EngineName;
  /** Default "strict". */
  readonly verify?: VerifyMode;
  /** What the verifier has said already, by program name; it is not asked again. */
  readonly verdicts?: ReadonlyMap<string, Verdict | undefined>;
}

const ARRAY_KEY_BYTES = 4;

/** Completes a map's short form. */
export function toMapSpec(name: string, given: MapSpec | MapShorthand): MapSpec {
  if ("keyBytes" in given) return given;
  const keyless = given.type === "queue" || given.type === "stack" || given.type === "bloom_filter";
  return {
    name,
    type: given.type,
    keyBytes: given.keySize ?? (keyless ? 0 : ARRAY_KEY_BYTES),
    valueBytes: given.valueSize,
    maxEntries: given.maxEntries ?? 1,
    flags: given.flags ?? 0,
  };
}
