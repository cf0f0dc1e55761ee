import { LIMITS } from "@tsbpf/base";
import { type RegMask, SCRATCH_MASK } from "@tsbpf/isa";
import { FRAME_STRIDE_BYTES } from "@tsbpf/runtime";
import type { Accesses } from "../ir/access.ts";
import type { Frame, Graph, Node } from "../ir/graph.ts";
import { type FuncPlan, liveInOf, type Plan } from "../ir/plan.ts";
import { CELL } from "../run/cell.ts";
import { CodeWriter } from "../wasm/code.ts";
import { OP, TYPE, type ValueType } from "../wasm/opcodes.ts";
import type { BoundsOrder } from "./bounds-order.ts";
import type { Counting } from "./counting.ts";
import type { Links } from "./links.ts";
import type { Mode } from "./mode.ts";

/** What a function is emitted as. */
export type Role = "main" | "func" | "exact" | "batch" | "repeat";

/** Parameters of a function that runs a batch: context, frame, first descriptor and one past the last. */
export const BATCH_LOCAL = { ctx: 0, frame: 1, at: 2, end: 3, count: 4 } as const;

const FIRST_SAVED = 6;
const SAVED_COUNT = 4;
const SHARED_COUNT = 6;
const FRAME_POINTER = 10;

/** Parameters of a function that repeats runs: context, frame, how many. */
export const REPEAT_LOCAL = { ctx: 0, frame: 1, times: 2, count: 3 } as const;

/** Parameters of each role whose first are context and frame. */
const PARAM_COUNT = { main: 2, exact: 2, batch: BATCH_LOCAL.count, repeat: REPEAT_LOCAL.count } as const;

/** Locals of the rounds of a `bpf_loop`, one loop a level of inlining at a time. */
export interface Rounds {
  /** i32: rounds begun before this one, and how many there are. */
  readonly round: number;
  readonly times: number;
  /** i64: what the caller gave. */
  readonly given: number;
}
const NO_LOCAL = -1;

/** Parameters of a function: the live arguments, then the frame. */
export function paramsOf(plan: FuncPlan, mode: Mode): ValueType[] {
  const params: ValueType[] = [];
  for (let reg = 1; reg <= 5; reg++) if ((liveInOf(plan) & (1 << reg)) !== 0) params.push(TYPE.i64);
  if (hasFrame(plan, mode)) params.push(TYPE.i32);
  return params;
}

/** Whether a function is passed the address of its frame. */
export const hasFrame = (plan: FuncPlan, mode: Mode): boolean =>
  plan.needsFrame || mode.isDeep || mode.isHooked || mode.hasFuel;

/**
 * Writes one function: registers as locals, the frame as an address, the count of instructions.
 *
 * Registers r0..r5 are the same locals in inlined callees: they pass arguments and results, and nothing else lives in
 * them across a call. r6..r9 are locals of their own at each level, which is what saving them means.
 */
export class Emitter {
  readonly code = new CodeWriter(2048);
  readonly plan: Plan;
  readonly func: FuncPlan;
  readonly graph: Graph;
  readonly mode: Mode;
  readonly links: Links;
  readonly boundsOrder: BoundsOrder;
  readonly role: Role;
  readonly counting: Counting;
  /** Reads a word of memory that never changes, e.g. of a map's header. */
  readonly readWord: (address: number) => number;
  /** Whether tail calls are logged, for effects. */
  readonly isRecording: boolean;
  /** Which accesses need no check; only where any are checked. */
  readonly accesses: Accesses | undefined;
  /** Local of the count. */
  readonly count: number;
  /** Scratch locals. */
  readonly wide: number;
  readonly wide2: number;
  readonly word: number;
  readonly word2: number;
  readonly word3: number;
  readonly word4: number;
  readonly value: number;
  readonly spare: number;
  readonly base: number;
  readonly loops: number;
  /** Labels that are open in the body; structured code keeps it, for exits that are jumps. */
  depth = 0;
  readonly next: number;
  /** Whether the function runs in the machine's first frame. */
  readonly isFirst: boolean;
  /** Local of the lowest address of the function's stack frame; -1 when it has none. */
  readonly frame: number;
  /** That address, where it is known: processors forward what lies at constant addresses from store to load at once. */
  private readonly frameAddress: number | undefined;
  private readonly regs: number[] = [];
  private readonly rounds: Rounds[] = [];
  private readonly wideLocals: number;
  private readonly wordLocals: number;

  constructor(options: {
    readonly plan: Plan;
    readonly func: FuncPlan;
    readonly graph: Graph;
    readonly mode: Mode;
    readonly links: Links;
    readonly boundsOrder: BoundsOrder;
    readonly role: Role;
    readonly counting: Counting;
    readonly accesses: Accesses | undefined;
    readonly readWord: (address: number) => number;
    readonly isRecording: boolean;
    readonly stackBase: number;
  }) {
    this.plan = options.plan;
    this.func = options.func;
    this.graph = options.graph;
    this.mode = options.mode;
    this.links = options.links;
    this.boundsOrder = options.boundsOrder;
    this.role = options.role;
    this.counting = options.counting;
    this.accesses = options.accesses;
    this.readWord = options.readWord;
    this.isRecording = options.isRecording;
    const isWhole = this.role === "batch" || this.role === "repeat";
    this.isFirst = isWhole || (this.role === "main" && !this.mode.isMoved);
    this.frameAddress = this.isFirst ? options.stackBase : undefined;
    let local = 0;
    if (this.role === "func") {
      for (let reg = 1; reg <= 5; reg++)
        if ((liveInOf(this.func) & (1 << reg)) !== 0) this.regs[reg] = local++;
      this.frame = hasFrame(this.func, this.mode) ? local++ : NO_LOCAL;
    } else {
      // The context of a main function, the entry node of an exact one; then the frame.
      this.frame = 1;
      local = PARAM_COUNT[this.role];
    }
    const firstWide = local;
    for (let reg = 0; reg < SHARED_COUNT; reg++) this.regs[reg] ??= local++;
    for (let i = 0; i < SAVED_COUNT * (this.graph.levels + 1); i++) this.regs[FIRST_SAVED + i] = local++;
    this.count = local++;
    this.wide = local++;
    this.wide2 = local++;
    const levels = this.graph.hasRounds ? this.graph.levels + 1 : 0;
    const firstGiven = local;
    local += levels;
    this.wideLocals = local - firstWide;
    const firstWord = local;
    this.word = local++;
    this.word2 = local++;
    this.word3 = local++;
    this.word4 = local++;
    this.value = local++;
    this.spare = local++;
    this.base = local++;
    this.loops = local++;
    this.next = local++;
    for (let i = 0; i < levels; i++) {
      this.rounds.push({ round: local++, times: local++, given: firstGiven + i });
    }
    this.wordLocals = local - firstWord;
  }

  /** Locals that follow the parameters. */
  get locals(): readonly (readonly [number, ValueType])[] {
    return [
      [this.wideLocals, TYPE.i64],
      [this.wordLocals, TYPE.i32],
    ];
  }

  /** Returns the locals of the rounds that run for a call made in a frame. */
  roundsOf(frame: Frame): Rounds {
    return this.rounds[frame.level] as Rounds;
  }

  /** The locals of the rounds that may be running at a node, from the outermost level on. */
  openRounds(node: Node): readonly Rounds[] {
    return this.rounds.slice(0, node.frame.level + 1);
  }

  /** Returns the local of r0..r9 in a frame. */
  reg(frame: Frame, reg: number): number {
    return this.regs[reg < FIRST_SAVED ? reg : reg + SAVED_COUNT * frame.level] as number;
  }

  /** Pushes a register, the frame pointer included. */
  push(frame: Frame, reg: number): void {
    if (reg !== FRAME_POINTER) {
      this.code.get(this.reg(frame, reg));
      return;
    }
    this.pushFrame(frame, LIMITS.stackBytes);
    this.code.op(OP.i64ExtendI32U);
  }

  /** Pushes the address `bytes` above the lowest of a frame. */
  pushFrame(frame: Frame, bytes = 0): void {
    const offset = frame.level * FRAME_STRIDE_BYTES + bytes;
    if (this.frameAddress !== undefined) {
      this.code.i32(this.frameAddress + offset);
      return;
    }
    this.code.get(this.frame);
    if (offset === 0) return;
    this.code.i32(offset);
    this.code.op(OP.i32Add);
  }

  /**
   * Pushes an address in a frame for an access.
   *
   * @param offset - bytes from the lowest address of the function's own frame, not negative.
   * @returns the static offset that belongs to it.
   */
  pushFrameSlot(offset: number): number {
    if (this.frameAddress === undefined) {
      this.code.get(this.frame);
      return offset;
    }
    this.code.i32(this.frameAddress + offset);
    return 0;
  }

  /** Pushes the low 32 bits of a register. */
  pushLow(frame: Frame, reg: number): void {
    if (reg === FRAME_POINTER) this.pushFrame(frame, LIMITS.stackBytes);
    else {
      this.code.get(this.reg(frame, reg));
      this.code.op(OP.i32WrapI64);
    }
  }

  /** Pops into a register. */
  pop(frame: Frame, reg: number): void {
    this.code.set(this.reg(frame, reg));
  }

  /** Pops 32 bits into a register, zero-extended. */
  popLow(frame: Frame, reg: number): void {
    this.code.op(OP.i64ExtendI32U);
    this.code.set(this.reg(frame, reg));
  }

  /** Pushes the address of the exchange block. */
  pushCell(): void {
    this.code.i32(this.links.cell);
  }

  /** Stores r0..r9 of a mask, and the frame pointer, where helpers see them. */
  storeRegs(frame: Frame, mask: RegMask): void {
    for (let reg = 0; reg <= FRAME_POINTER; reg++) {
      if ((mask & (1 << reg)) === 0) continue;
      this.pushCell();
      this.push(frame, reg);
      this.code.memory(OP.i64Store, CELL.regs + 8 * reg);
    }
  }

  /** Loads r0 from where helpers leave it. */
  loadResult(frame: Frame): void {
    this.pushCell();
    this.code.memory(OP.i64Load, CELL.regs);
    this.pop(frame, 0);
  }

  /** Tells the engine which frame runs. */
  storeFrame(frame: Frame): void {
    this.pushCell();
    this.pushFrame(frame);
    this.code.memory(OP.i32Store, CELL.frame);
  }

  /** Clears those of r1..r5 that are read after a node, as the reference engine does in programs without proofs. */
  clearScratch({ frame, taken, fall }: Node): void {
    if (!this.mode.isChecked) return;
    this.clear(frame, (this.liveAt(taken) | this.liveAt(fall)) & SCRATCH_MASK);
  }

  private liveAt(id: number): RegMask {
    return this.graph.nodes[id]?.live ?? 0;
  }

  clear(frame: Frame, mask: RegMask): void {
    for (let reg = 0; reg < FRAME_POINTER; reg++) {
      if ((mask & (1 << reg)) === 0) continue;
      this.code.i64(0, 0);
      this.pop(frame, reg);
    }
  }
}
