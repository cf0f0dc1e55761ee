import { LIMITS } from "@tsbpf/base";
import { type Action, defsOf, type Insn, SCRATCH_MASK, slotsOf } from "@tsbpf/isa";
import { PERM } from "@tsbpf/memory";
import { type ContextFacts, isAllowed } from "./allowed.ts";
import { Entries } from "./entries.ts";
import type { Graph, Node } from "./graph.ts";
import { computedNumber, isAbove, maxOf, shownBy, small } from "./numbers.ts";
import type { FuncPlan, Plan } from "./plan.ts";
import { addSpan, copyFacts, type Facts, moveValue, type Value } from "./value.ts";

/** What the analysis says of an access: it needs no check, or which bounds to compare first. */
export type AccessKind = "free" | "packet" | "other";

/** Answers for every load, store and atomic of a graph. */
export interface Accesses {
  kindAt(node: Node, slot: number): AccessKind;
}

const KINDS: readonly AccessKind[] = ["other", "packet", "free"];
const OTHER = 0;
const PACKET = 1;
const FREE = 2;

/** Graphs larger than this are not looked at: every access is then checked by itself. */
const NODES_MAX = 3000;
const ROUNDS_MAX = 20;

const FP = 10;
/** Register in which a `bpf_loop` is given what each round gets. */
const LOOP_CONTEXT = 3;
const SAVED_FIRST = 6;
const SAVED_COUNT = 4;

/**
 * Finds accesses of a program without proofs that need no check.
 *
 * Computes: for each register whether it holds an address in the frame, the context, a map's value, or a number plus
 * a constant; and which bytes after such a number earlier accesses have shown to be allowed. Assumes: registers of
 * the graph's own function start unknown, but r1 of a main function is the context where the mode gives rights on all
 * of it. Guarantees: an access is `free` only where the memory would allow it, on every way to it. Cost:
 * linear in nodes and registers, times a few rounds for loops.
 */
export function findAccesses(plan: Plan, graph: Graph, options: AccessOptions): Accesses {
  if (graph.hasGotox || graph.nodes.length > NODES_MAX) return { kindAt: () => "other" };
  return new Analysis(plan, graph, options).run();
}

export interface AccessOptions {
  /** Whether r1 is the context at the entry. */
  readonly isMain: boolean;
  /** What may be done with all of the context; see `Mode`. */
  readonly ctxPerm: number;
}

type LoadAction = Extract<Action, { kind: "load" }>;
/** What is known of an unknown number. */
type Origin = Pick<Extract<Value, { kind: "sym" }>, "isPacket" | "isAbove" | "max">;

class Analysis implements Accesses {
  private readonly plan: Plan;
  private readonly graph: Graph;
  private readonly options: AccessOptions;
  private readonly entries: Entries;
  private readonly answers: (Uint8Array | undefined)[];
  private readonly context: ContextFacts;
  private readonly regCount: number;
  /** Index, in the facts, of what a `bpf_loop` of the outermost level gives to its rounds. */
  private readonly firstGiven: number;
  /** Slots of the longest node, so that numbers made by instructions have different ids. */
  private readonly stride: number;
  /** Whether what the context says of the packet is true: only the host writes it. */
  private readonly readsTruth: boolean;
  private isRecording = false;

  constructor(plan: Plan, graph: Graph, options: AccessOptions) {
    this.plan = plan;
    this.graph = graph;
    this.options = options;
    this.answers = new Array(graph.nodes.length).fill(undefined);
    this.stride = graph.nodes.reduce((most, { block }) => Math.max(most, block.end - block.start), 1);
    const { ctx } = plan.prog.progType;
    this.context = { ctxBytes: ctx.sizeBytes, ctxPerm: options.ctxPerm };
    this.readsTruth = options.ctxPerm === PERM.read && ctx.struct === "xdp_md";
    this.firstGiven = SAVED_FIRST + SAVED_COUNT * (graph.levels + 1);
    this.regCount = this.firstGiven + (graph.hasRounds ? graph.levels + 1 : 0);
    this.entries = new Entries(graph.order.isLoop, this.regCount);
  }

  run(): Accesses {
    const start: Facts = { regs: new Array(this.regCount).fill(undefined), spans: new Map() };
    if (this.options.isMain && this.options.ctxPerm !== 0) start.regs[1] = { kind: "ctx", off: 0 };
    this.entries.begin(0, start);
    let isStable = false;
    for (let round = 0; !isStable && round < ROUNDS_MAX; round++) {
      isStable = true;
      for (const id of this.graph.order.nodes) if (this.visit(id)) isStable = false;
    }
    // Facts that have not settled are no facts.
    if (!isStable) return { kindAt: () => "other" };
    this.isRecording = true;
    for (const id of this.graph.order.nodes) this.visit(id);
    return this;
  }

  kindAt(node: Node, slot: number): AccessKind {
    return KINDS[this.answers[node.id]?.[slot - node.block.start] ?? OTHER] as AccessKind;
  }

  /** Runs a node on what holds at its entry; returns whether a successor learned something. */
  private visit(id: number): boolean {
    const at = this.entries.at(id);
    if (at === undefined) return false;
    const node = this.graph.nodes[id] as Node;
    const facts = copyFacts(at);
    this.through(node, facts);
    if (this.isRecording) return false;
    let isChanged = false;
    const { taken, fall } = node;
    if (taken >= 0 && this.entries.flow(taken, this.refined(node, facts, true))) isChanged = true;
    if (fall >= 0 && this.entries.flow(fall, this.refined(node, facts, false))) isChanged = true;
    return isChanged;
  }

  /** Index of a register in the facts; -1 for r10. */
  private index(node: Node, reg: number): number {
    if (reg === FP) return -1;
    return reg < SAVED_FIRST ? reg : reg + SAVED_COUNT * node.frame.level;
  }

  private valueOf(node: Node, facts: Facts, reg: number): Value | undefined {
    if (reg === FP) return { kind: "frame", level: node.frame.level, off: LIMITS.stackBytes };
    return facts.regs[this.index(node, reg)];
  }

  private through(node: Node, facts: Facts): void {
    const { insns } = this.plan;
    for (let slot = node.block.start; slot < node.block.end; slot += slotsOf(insns[slot] as Insn)) {
      this.step(node, facts, slot);
    }
    if (node.block.kind === "call" || node.block.kind === "lookup") this.call(node, facts);
    else this.rounds(node, facts);
  }

  private step(node: Node, facts: Facts, slot: number): void {
    const insn = this.plan.insns[slot] as Insn;
    const action = this.plan.actions[slot];
    switch (action?.kind) {
      case "load":
        this.access(node, facts, slot, { base: insn.src, off: insn.off, size: action.size, perm: PERM.read });
        this.define(node, facts, insn.dst, this.loaded(node, facts, slot, action));
        return;
      case "store":
        this.access(node, facts, slot, {
          base: insn.dst,
          off: insn.off,
          size: action.size,
          perm: PERM.write,
        });
        return;
      case "atomic": {
        const isLoad = action.atomicOp === "load_acquire";
        const perm = isLoad ? PERM.read : action.atomicOp === "store_release" ? PERM.write : PERM.readWrite;
        const base = isLoad ? insn.src : insn.dst;
        this.access(node, facts, slot, { base, off: insn.off, size: action.size, perm });
        this.forget(node, facts, defsOf(insn));
        return;
      }
      case "alu":
        this.define(node, facts, insn.dst, this.computed(node, facts, slot, insn));
        return;
      case "end":
        this.define(node, facts, insn.dst, action.bits === 64 ? undefined : small(2 ** action.bits - 1));
        return;
      case "addr_cast":
      case "wide":
        this.define(node, facts, insn.dst, undefined);
        return;
      default:
        return;
    }
  }

  private forget(node: Node, facts: Facts, mask: number): void {
    for (let reg = 0; reg < FP; reg++)
      if ((mask & (1 << reg)) !== 0) this.define(node, facts, reg, undefined);
  }

  private define(node: Node, facts: Facts, reg: number, value: Value | undefined): void {
    const at = this.index(node, reg);
    if (at < 0) return;
    facts.regs[at] = value;
  }

  /** Makes a number that only this place gives; what held the number that it gave before is forgotten. */
  private fresh(facts: Facts, id: number, origin: Origin): Value {
    for (const [i, value] of facts.regs.entries()) {
      if (value?.kind === "sym" && value.id === id) facts.regs[i] = undefined;
    }
    facts.spans.delete(id);
    return { kind: "sym", id, off: 0, ...origin };
  }

  /** Id of the number that an instruction of a node makes. */
  private idAt(node: Node, slot: number): number {
    return (node.id + 1) * this.stride + (slot - node.block.start);
  }

  private loaded(node: Node, facts: Facts, slot: number, load: LoadAction): Value | undefined {
    const { size, isSigned } = load;
    if (size < 4) return isSigned ? undefined : small(2 ** (8 * size) - 1);
    const insn = this.plan.insns[slot] as Insn;
    const base = this.valueOf(node, facts, insn.src);
    const at = base?.kind === "ctx" ? base.off + insn.off : -1;
    const holds = this.plan.prog.progType.ctx.fields.find(({ offset }) => offset === at)?.holds;
    const isTrue = this.readsTruth && size === 4 && !isSigned;
    if (isTrue && holds === "packet_end") return { kind: "end", off: 0 };
    return this.fresh(facts, this.idAt(node, slot), {
      isPacket: holds?.startsWith("packet") === true,
      isAbove: isTrue && holds === "packet",
      max: size === 4 && !isSigned ? 2 ** 32 - 1 : Number.POSITIVE_INFINITY,
    });
  }

  private computed(node: Node, facts: Facts, slot: number, insn: Insn): Value | undefined {
    const action = this.plan.actions[slot];
    if (action?.kind !== "alu") return undefined;
    const { aluOp, source, width } = action;
    const before = this.valueOf(node, facts, insn.dst);
    if (width === 64 && aluOp === "mov" && source === "x") return this.valueOf(node, facts, insn.src);
    if (width === 64 && (aluOp === "add" || aluOp === "sub")) {
      return source === "k"
        ? moveValue(before, aluOp === "add" ? insn.imm : -insn.imm)
        : this.sum(
            node,
            facts,
            slot,
            before,
            aluOp === "add" ? this.valueOf(node, facts, insn.src) : undefined,
          );
    }
    return computedNumber(action, insn, before);
  }

  /** Returns the sum of two registers; of a difference the second is not given. */
  private sum(
    node: Node,
    facts: Facts,
    slot: number,
    one: Value | undefined,
    other: Value | undefined,
  ): Value | undefined {
    const max = maxOf(one) + maxOf(other);
    if (one?.kind === "small" && other?.kind === "small") return small(max);
    return this.fresh(facts, this.idAt(node, slot), {
      isPacket: (one?.kind === "sym" && one.isPacket) || (other?.kind === "sym" && other.isPacket),
      isAbove:
        (isAbove(one) && Number.isFinite(maxOf(other))) || (isAbove(other) && Number.isFinite(maxOf(one))),
      max: max <= 2 ** 32 ? max : Number.POSITIVE_INFINITY,
    });
  }

  private access(
    node: Node,
    facts: Facts,
    slot: number,
    { base, off, size, perm }: { base: number; off: number; size: number; perm: number },
  ): void {
    const value = this.valueOf(node, facts, base);
    if (value === undefined) return;
    const lo = value.off + off;
    const isFree = isAllowed(facts, value, { lo, hi: lo + size, perm }, this.context);
    if (this.isRecording)
      this.record(node, slot, isFree ? FREE : value.kind === "sym" && value.isPacket ? PACKET : OTHER);
    if (!isFree && value.kind === "sym") {
      facts.spans.set(value.id, addSpan(facts.spans.get(value.id), lo, lo + size, perm));
    }
  }

  private record(node: Node, slot: number, kind: number): void {
    let answers = this.answers[node.id];
    if (answers === undefined) {
      answers = new Uint8Array(node.block.end - node.block.start);
      this.answers[node.id] = answers;
    }
    answers[slot - node.block.start] = kind;
  }

  /** What a call leaves: its result, and of the spans those of regions that it cannot have changed. */
  private call(node: Node, facts: Facts): void {
    const slot = node.block.last;
    if (node.inlined !== undefined) {
      // The callee's frame starts empty; its r1..r5 are the caller's.
      this.define(node, facts, 0, undefined);
      this.enterFrame(node, facts);
      return;
    }
    const target = this.plan.prog.targets.get(slot);
    const lowered = this.plan.lowered.get(slot);
    const isQuiet =
      lowered?.kind === "lookup" ||
      lowered?.kind === "update" ||
      lowered?.kind === "delete" ||
      lowered?.kind === "cpu" ||
      (target?.kind === "subprog" && !(this.plan.funcs[target.funcIdx] as FuncPlan).mayLeave);
    if (!isQuiet) this.loseRegions(facts);
    this.forget(node, facts, SCRATCH_MASK);
    const isLookup = lowered?.kind === "lookup";
    this.define(
      node,
      facts,
      0,
      isLookup ? { kind: "value", map: lowered.map, off: 0, isNullable: true } : undefined,
    );
  }

  /** Forgets what held of regions that a call may have moved. */
  private loseRegions(facts: Facts): void {
    facts.spans.clear();
    for (const [i, value] of facts.regs.entries()) {
      if (value?.kind === "end") facts.regs[i] = undefined;
      else if (value?.kind === "sym" && value.isAbove) facts.regs[i] = { ...value, isAbove: false };
    }
  }

  /** What the parts of an unfolded loop leave. */
  private rounds(node: Node, facts: Facts): void {
    const given = this.firstGiven + node.frame.level;
    switch (node.block.kind) {
      case "loop_start":
        facts.regs[given] = this.valueOf(node, facts, LOOP_CONTEXT);
        this.forget(node, facts, SCRATCH_MASK | 1);
        return;
      case "loop_head":
        this.forget(node, facts, SCRATCH_MASK | 1);
        this.define(node, facts, 2, facts.regs[given]);
        this.enterFrame(node, facts);
        return;
      case "loop_end":
        this.forget(node, facts, SCRATCH_MASK | 1);
        return;
      default:
        return;
    }
  }

  /** The frame of what is inlined at a node starts empty. */
  private enterFrame(node: Node, facts: Facts): void {
    for (let i = 0; i < SAVED_COUNT; i++) {
      facts.regs[SAVED_FIRST + i + SAVED_COUNT * (node.frame.level + 1)] = undefined;
    }
  }

  /** What holds on an edge: a comparison with 0 says whether a looked-up value is there. */
  private refined(node: Node, facts: Facts, isTaken: boolean): Facts {
    const { block } = node;
    const leaving = block.kind === "exit";
    const next = copyFacts(facts);
    if (leaving) this.forget(node, next, SCRATCH_MASK);
    const slot = block.kind === "branch" ? block.last : node.test;
    const action = this.plan.actions[slot];
    const insn = this.plan.insns[slot] as Insn;
    if (action?.kind !== "branch" || action.width !== 64) return next;
    if (action.source === "x") {
      const a = this.valueOf(node, next, insn.dst);
      const shown = shownBy(action.jmpOp, isTaken, a, this.valueOf(node, next, insn.src));
      if (shown === undefined) return next;
      const { id, bytes } = shown;
      next.spans.set(id, addSpan(next.spans.get(id), 0, bytes, PERM.readWrite));
      return next;
    }
    const isNonNull =
      insn.imm === 0 &&
      (action.jmpOp === "jne") === isTaken &&
      (action.jmpOp === "jne" || action.jmpOp === "jeq");
    const at = this.index(node, insn.dst);
    const value = facts.regs[at];
    if (!isNonNull || value?.kind !== "value" || value.off !== 0) return next;
    next.regs[at] = { ...value, isNullable: false };
    return next;
  }
}
