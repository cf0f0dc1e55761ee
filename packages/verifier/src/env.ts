import { type HelperProto, isGplCompatible, PROG_FLAGS, PROG_TYPES, type ProgSpec } from "@tsbpf/abi";
import { type Insn, type InsnRow, rowOf } from "@tsbpf/isa";
import { fieldsOfObject } from "./btf/fields.ts";
import type { FuncArg } from "./btf/func-args.ts";
import type { BtfView } from "./btf-view.ts";
import { indexCustomKfuncs } from "./calls/kfunc-custom.ts";
import { createNotes, type FactNotes } from "./facts.ts";
import { Log } from "./log/log.ts";
import type { MapInfo, SpecialField } from "./maps.ts";
import type { VerifyOptions } from "./options.ts";
import { createLiveness, type Liveness } from "./prune/liveness.ts";
import type { LoopVisit } from "./prune/loops.ts";
import type { Rejection } from "./reject.ts";
import type { Reg } from "./state/reg.ts";
import type { HistoryEntry, State } from "./state/state.ts";
import { createSpeculation, type Speculation } from "./walk/speculation.ts";

/** A function of the program. */
export interface Subprog {
  readonly start: number;
  end: number;
  readonly idx: number;
  name: string;
  linkage: "static" | "global";
  btfTypeId: number;
  /** Deepest byte of the frame that was touched. */
  stackBytes: number;
  hasTailCall: boolean;
  hasLdAbs: boolean;
  isCallback: boolean;
  isAsyncCallback: boolean;
  isExceptionCallback: boolean;
  changesPacket: boolean;
  mightSleep: boolean;
  isCalled: boolean;
  isVerified: boolean;
  /** Set when the function's BTF does not describe what callers pass (C-50). */
  isUnreliable: boolean;
  /** Whether some jump leads back; without, successors come first in the postorder. */
  leadsBack: boolean;
  postorder: number[];
}

/** A branch that waits to be walked. */
export interface Pending {
  readonly state: State;
  readonly insnIdx: number;
  readonly prevIdx: number;
  readonly logPosition: number;
}

/** Checkpoints of one instruction and call site. */
export interface Checkpoint {
  readonly state: State;
  hits: number;
  misses: number;
}

/** A program that an extension changes, and how it was judged itself. */
export interface JudgedTarget {
  readonly env: Env;
  readonly refusal: Rejection | undefined;
}

/** Everything one verification knows; lives as long as the call of `verifyProg`. */
export interface Env {
  /** The program; an extension has the type of its target, whose rules it follows. */
  readonly spec: ProgSpec;
  /** Whether the program takes the place of a function of another. */
  readonly isExtension: boolean;
  /** Function that an extension names. */
  readonly replaces: string | undefined;
  readonly targetEnv: JudgedTarget | undefined;
  readonly options: VerifyOptions;
  readonly insns: readonly Insn[];
  readonly rows: readonly (InsnRow | undefined)[];
  readonly len: number;
  readonly progType: number;
  readonly attachType: number;
  readonly flags: number;
  readonly isGpl: boolean;
  readonly log: Log;
  readonly isPerfmon: boolean;
  readonly isStrictAlignment: boolean;
  readonly isStateFreq: boolean;
  readonly isSleepable: boolean;
  /** Whether paths join only where all that is known agrees. */
  readonly isComplete: boolean;
  readonly insnLimit: number;
  readonly maps: MapInfo[];
  /** Map of a wide load by slot, -1 when none. */
  readonly mapOfSlot: Int32Array;
  readonly customHelpers: ReadonlyMap<number, HelperProto>;
  /** Kernel functions that Linux does not have, by name. */
  readonly customKfuncs: ReadonlyMap<string, HelperProto>;
  /** Immediates and what wide loads give as registers, by slot, made when first walked; equal objects compare at once. */
  readonly fixedRegs: (Reg | undefined)[];
  readonly protoCache: Map<number, HelperProto | null>;
  readonly kfuncOfSlot: ReadonlyMap<number, string>;
  readonly ksymOfSlot: ReadonlyMap<number, { readonly name: string; readonly kind: string }>;
  readonly btf: BtfView | undefined;
  /** Classified parameters of functions, by index. */
  readonly funcArgs: Map<number, readonly FuncArg[]>;
  /** Special fields of an allocated object's type. */
  objectFields(reg: Reg): readonly SpecialField[];
  subprogs: Subprog[];
  subprogOfInsn: Int16Array;
  // Marks per instruction.
  readonly isPrunePoint: Uint8Array;
  readonly isJumpPoint: Uint8Array;
  readonly isForcedCheckpoint: Uint8Array;
  readonly callsCallback: Uint8Array;
  readonly seen: Uint8Array;
  readonly liveRegs: Uint16Array;
  readonly scc: Int32Array;
  /** Pointer type an instruction was first reached with; -1 before. */
  readonly ptrTypes: Int32Array;
  // The walk.
  cur: State;
  insnIdx: number;
  prevIdx: number;
  readonly pending: Pending[];
  readonly explored: Map<number, Checkpoint[]>;
  readonly notes: FactNotes;
  readonly liveness: Liveness;
  readonly loopVisits: Map<string, LoopVisit>;
  /** Checkpoints dropped from their list that still have open paths. */
  readonly freeList: Set<State>;
  idGen: number;
  /** History entry of the instruction being walked. */
  historyEntry: HistoryEntry | null;
  // Counters.
  processed: number;
  jumps: number;
  prevProcessed: number;
  prevJumps: number;
  maxStatesPerInsn: number;
  totalStates: number;
  peakStates: number;
  exploredCount: number;
  freeListCount: number;
  backedgeCount: number;
  // Printing.
  scratchedRegs: number;
  scratchedSlots: Set<number>;
  prevLogPos: number;
  prevInsnPrintLen: number;
  prevLine: number;
  exceptionCallback: number;
  /** Marks of speculative paths; undefined where the loader may ignore them. */
  readonly speculation: Speculation | undefined;
  /** Whether a kernel call without a function was walked (H-131). */
  deadKfunc: boolean;
}

const LIMIT = 1_000_000;

/** An extension under the type of its target, and attached as that is. */
function underTarget(given: ProgSpec, target: ProgSpec | undefined): ProgSpec {
  if (target === undefined) return given;
  const { attachTarget: _own, ...spec } = given;
  return {
    ...spec,
    type: target.type,
    attachType: target.attachType,
    ...(target.attachTarget === undefined ? {} : { attachTarget: target.attachTarget }),
  };
}

/** Makes the environment of one verification. */
export function createEnv(
  given: ProgSpec,
  options: VerifyOptions,
  btf: BtfView | undefined,
  targetEnv?: JudgedTarget,
): Env {
  const spec = underTarget(given, targetEnv?.env.spec);
  const len = spec.insns.length;
  const flags = spec.flags | (options.flags ?? 0);
  const progType = PROG_TYPES[spec.type];
  return {
    spec,
    isExtension: given.type === "ext",
    replaces: given.type === "ext" ? given.attachTarget : undefined,
    targetEnv,
    options,
    insns: spec.insns,
    rows: spec.insns.map(rowOf),
    len,
    progType,
    attachType: spec.attachType,
    flags,
    isGpl: isGplCompatible(spec.license),
    log: new Log(options.logLevel ?? 0),
    isPerfmon: (options.privilege ?? "all") === "all",
    isStrictAlignment: (flags & PROG_FLAGS.strictAlignment) !== 0 && (flags & PROG_FLAGS.anyAlignment) === 0,
    isStateFreq: (flags & PROG_FLAGS.testStateFreq) !== 0,
    isSleepable: (flags & PROG_FLAGS.sleepable) !== 0,
    isComplete: options.pruning === "complete",
    insnLimit: options.insnLimit ?? LIMIT,
    maps: [],
    mapOfSlot: new Int32Array(len).fill(-1),
    customKfuncs: indexCustomKfuncs(options.kfuncs ?? []),
    customHelpers: new Map((options.helpers ?? []).map((proto) => [proto.id, proto])),
    fixedRegs: new Array<Reg | undefined>(len),
    protoCache: new Map(),
    kfuncOfSlot: new Map(
      spec.kernelRefs.filter((ref) => ref.kind === "kfunc").map((ref) => [ref.slot, ref.name]),
    ),
    ksymOfSlot: new Map(
      spec.kernelRefs
        .filter((ref) => ref.kind !== "kfunc")
        .map((ref) => [ref.slot, { name: ref.name, kind: ref.kind }]),
    ),
    btf,
    funcArgs: new Map(),
    objectFields: (reg) => {
      const target = reg.x.btf;
      if (btf === undefined || target === undefined || target.isKernel) return [];
      return fieldsOfObject(btf.btf, target.typeId);
    },
    subprogs: [],
    subprogOfInsn: new Int16Array(len),
    isPrunePoint: new Uint8Array(len + 1),
    isJumpPoint: new Uint8Array(len + 1),
    isForcedCheckpoint: new Uint8Array(len + 1),
    callsCallback: new Uint8Array(len + 1),
    seen: new Uint8Array(len),
    liveRegs: new Uint16Array(len),
    scc: new Int32Array(len),
    ptrTypes: new Int32Array(len).fill(-1),
    cur: undefined as unknown as State,
    insnIdx: 0,
    prevIdx: -1,
    pending: [],
    explored: new Map(),
    notes: createNotes(len),
    liveness: createLiveness(),
    loopVisits: new Map(),
    freeList: new Set(),
    idGen: 0,
    historyEntry: null,
    processed: 0,
    jumps: 0,
    prevProcessed: 0,
    prevJumps: 0,
    maxStatesPerInsn: 0,
    totalStates: 0,
    peakStates: 0,
    exploredCount: 0,
    freeListCount: 0,
    backedgeCount: 0,
    scratchedRegs: 0,
    scratchedSlots: new Set(),
    prevLogPos: 0,
    prevInsnPrintLen: 0,
    prevLine: -1,
    exceptionCallback: -1,
    speculation: (options.privilege ?? "all") === "all" ? undefined : createSpeculation(len),
    deadKfunc: false,
  };
}

export const newId = (env: Env): number => ++env.idGen;
