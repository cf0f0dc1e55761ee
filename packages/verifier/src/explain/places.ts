import { classifyCall, defsOf, type Insn, type InsnRow, targetSlotOf } from "@tsbpf/isa";
import type { Env } from "../env.ts";
import type { PathStep } from "./path.ts";

/** A register or eight bytes of the stack whose value matters, in a frame. */
export interface Place {
  readonly depth: number;
  readonly kind: "reg" | "slot";
  /** Register number, or offset from the frame pointer, a multiple of 8. */
  readonly at: number;
}

const SLOT_BYTES = 8;
const FRAME_POINTER = 10;
const ARGS_LAST = 5;

/** Offset of the eight bytes that a byte of the stack belongs to. */
export const slotAt = (off: number): number => Math.floor(off / SLOT_BYTES) * SLOT_BYTES;

/**
 * The registers and stack slots that a refusal depends on, followed back along its path.
 *
 * Assumes that steps come newest first. A step that shaped a place replaces it by what the step read.
 */
export class Places {
  private readonly env: Env;
  private list: Place[];
  private depth: number;
  /** Where a place came from: the last of these is the oldest. */
  readonly origins: number[] = [];

  constructor(env: Env, depth: number, start: readonly Place[]) {
    this.env = env;
    this.depth = depth;
    this.list = [...start];
  }

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  /** Says whether the step shaped or compared one of the places, and goes on with what it read. */
  follow(step: PathStep): boolean {
    const { env } = this;
    const insn = env.insns[step.slot];
    const row = env.rows[step.slot];
    if (insn === undefined || row === undefined) return false;
    const { kind } = row.action;
    if (kind === "exit") return this.enterCallee(step);
    if (kind === "call" && step.next !== step.slot + 1) return this.leaveCallee(insn, step);
    if (kind === "branch") return this.isCompared(insn, row);
    if (kind === "store" || (kind === "atomic" && insn.dst === FRAME_POINTER))
      return this.store(insn, row, step);
    return this.define(insn, row, step);
  }

  private has(kind: Place["kind"], at: number): boolean {
    return this.list.some((one) => one.depth === this.depth && one.kind === kind && one.at === at);
  }

  private drop(kind: Place["kind"], at: number): void {
    this.list = this.list.filter((one) => one.depth !== this.depth || one.kind !== kind || one.at !== at);
  }

  private add(kind: Place["kind"], at: number, depth = this.depth): void {
    if (kind === "reg" && at === FRAME_POINTER) return;
    if (!this.list.some((one) => one.depth === depth && one.kind === kind && one.at === at))
      this.list.push({ depth, kind, at });
  }

  private isCompared(insn: Insn, row: InsnRow): boolean {
    const readsSrc = row.action.kind === "branch" && row.action.source === "x";
    return this.has("reg", insn.dst) || (readsSrc && this.has("reg", insn.src));
  }

  /** Back over an exit: what follows was done in a deeper frame. */
  private enterCallee(step: PathStep): boolean {
    const isResult = this.has("reg", 0) && this.env.rows[step.next - 1]?.action.kind === "call";
    if (isResult) this.drop("reg", 0);
    this.depth += 1;
    if (isResult) this.add("reg", 0);
    return false;
  }

  /** Back over the call that led into the frame: its arguments were the caller's. */
  private leaveCallee(insn: Insn, step: PathStep): boolean {
    const own = this.list.filter((one) => one.depth === this.depth && one.kind === "reg");
    const isDirect = classifyCall(insn)?.kind === "subprog" && targetSlotOf(insn, step.slot) === step.next;
    this.list = this.list.filter((one) => one.depth < this.depth);
    this.depth -= 1;
    const lost = this.list.filter(
      (one) => one.depth === this.depth && one.kind === "reg" && one.at <= ARGS_LAST,
    );
    this.list = this.list.filter((one) => !lost.includes(one));
    const args = isDirect ? own.filter((one) => one.at >= 1 && one.at <= ARGS_LAST) : [];
    for (const one of args) this.add("reg", one.at);
    if (own.length > args.length || lost.length > 0) this.origins.push(step.slot);
    return own.length > 0 || lost.length > 0;
  }

  private store(insn: Insn, row: InsnRow, step: PathStep): boolean {
    const size = row.action.kind === "store" || row.action.kind === "atomic" ? row.action.size : SLOT_BYTES;
    const at = this.stackPlace(insn.dst, insn.off, step);
    if (at === undefined) return row.action.kind === "atomic" && this.define(insn, row, step);
    const depth = this.depth;
    this.depth = at.depth;
    const isShaped = this.has("slot", at.at);
    const isWhole = size === SLOT_BYTES && row.action.kind === "store";
    if (isShaped && isWhole) this.drop("slot", at.at);
    this.depth = depth;
    if (isShaped && row.action.kind === "store" && row.action.source === "x") this.add("reg", insn.src);
    else if (isShaped) this.origins.push(step.slot);
    return isShaped;
  }

  /** The slot that an access through a register touches, if it is the stack's. */
  private stackPlace(base: number, off: number, step: PathStep): Place | undefined {
    if (base === FRAME_POINTER) return { depth: this.depth, kind: "slot", at: slotAt(off) };
    const note = step.note;
    if (note === undefined || note.spi < 0) return undefined;
    return { depth: note.frameno, kind: "slot", at: -SLOT_BYTES * (note.spi + 1) };
  }

  private define(insn: Insn, row: InsnRow, step: PathStep): boolean {
    const defs = defsOf(insn);
    const hit = this.list.filter(
      (one) => one.depth === this.depth && one.kind === "reg" && ((defs >> one.at) & 1) === 1,
    );
    if (hit.length === 0) return false;
    const { action } = row;
    if (action.kind === "alu" && action.aluOp !== "mov" && !action.aluOp.startsWith("movsx")) {
      if (action.source === "x") this.add("reg", insn.src);
      return true;
    }
    if (action.kind === "end" || action.kind === "addr_cast") return true;
    for (const one of hit) this.drop("reg", one.at);
    if (action.kind === "alu" && action.source === "x") {
      this.add("reg", insn.src);
      return true;
    }
    const from = action.kind === "load" ? this.stackPlace(insn.src, insn.off, step) : undefined;
    if (from !== undefined) this.add("slot", from.at, from.depth);
    else this.origins.push(step.slot);
    return true;
  }
}
