import type { HelperPlugin } from "@tsbpf/plugin";
import {
  type CallEvent,
  funcAt,
  isFuncPointer,
  type LinkedFunc,
  type LinkedProg,
  type Machine,
  type RunHooks,
} from "@tsbpf/runtime";

/** Something that was called and has not returned. */
export type Call =
  | {
      readonly kind: "func";
      readonly prog: LinkedProg;
      readonly func: LinkedFunc;
      /** How it was reached. */
      readonly by: "start" | "call" | "callback" | "tail_call";
    }
  /** `helper` is undefined where there is no implementation. */
  | { readonly kind: "helper"; readonly name: string; readonly helper: HelperPlugin | undefined }
  | { readonly kind: "tail_call"; readonly helper: HelperPlugin }
  | { readonly kind: "throw" };

/** How a call ended. */
export type CallEnd =
  | "returned"
  /** A tail call that found no program. */
  | "failed"
  /** A tail call whose program has ended. */
  | "replaced"
  /** Its frame was dropped by `bpf_throw`. */
  | "unwound";

/** Told of the calls of a run, in order: each `open` has its `close`, unless the run ends by a trap. */
export interface CallListener {
  open(call: Call, machine: Machine, regs: Int32Array): void;
  close(call: Call, end: CallEnd, machine: Machine, regs: Int32Array): void;
}

interface OpenCall {
  readonly call: Call;
  /** `machine.depth` while the call's frame is the innermost; helpers have none. */
  readonly depth: number;
}

/**
 * Makes calls of a run's hooks: of functions, callbacks, helpers and tail calls. Frames are known by the machine's
 * depth, so it works wherever an engine honours `onStep`.
 */
export class CallFollower {
  private readonly open: OpenCall[] = [];
  private readonly listener: CallListener;
  /** Depth of the innermost function that is open. */
  private depth = 0;
  private awaitsTail = false;

  constructor(listener: CallListener) {
    this.listener = listener;
  }

  hooks(): RunHooks & Required<Pick<RunHooks, "onStep" | "onCall" | "onReturn" | "onExit">> {
    return {
      onStep: (machine, prog, slot, regs) => this.step(machine, prog, slot, regs),
      onCall: (machine, event, regs) => this.call(machine, event, regs),
      onReturn: (machine, _event, regs) => this.returned(machine, regs),
      onExit: (machine, regs) => this.exit(machine, regs),
    };
  }

  private step(machine: Machine, prog: LinkedProg, slot: number, regs: Int32Array): void {
    if (machine.depth === this.depth && !this.awaitsTail) return;
    if (machine.depth < this.depth) this.unwind(machine, regs);
    const func = funcAt(prog, slot);
    if (func === undefined || (machine.depth === this.depth && !this.awaitsTail)) return;
    const by = this.awaitsTail
      ? "tail_call"
      : this.open.length === 0
        ? "start"
        : this.open.at(-1)?.call.kind === "helper"
          ? "callback"
          : "call";
    this.awaitsTail = false;
    this.depth = machine.depth;
    this.begin({ kind: "func", prog, func, by }, machine, regs);
  }

  private begin(call: Call, machine: Machine, regs: Int32Array): void {
    this.open.push({ call, depth: call.kind === "func" ? machine.depth : 0 });
    this.listener.open(call, machine, regs);
  }

  private call(machine: Machine, { prog, target }: CallEvent, regs: Int32Array): void {
    switch (target.kind) {
      case "helper":
      case "kfunc":
        this.begin({ kind: "helper", name: target.helper.proto.name, helper: target.helper }, machine, regs);
        return;
      case "missing":
        this.begin({ kind: "helper", name: target.name, helper: undefined }, machine, regs);
        return;
      case "tail_call":
        this.begin({ kind: "tail_call", helper: target.helper }, machine, regs);
        this.awaitsTail = true;
        return;
      case "throw":
        this.begin({ kind: "throw" }, machine, regs);
        // An exception callback takes over the first frame, as the program of a tail call does.
        this.awaitsTail = true;
        return;
      case "indirect":
        this.indirect(machine, prog, target.reg, regs);
        return;
      case "subprog":
        return;
    }
  }

  /** A call through a register is one of a function, which shows when its frame is there, or of a helper by its id. */
  private indirect(machine: Machine, prog: LinkedProg, reg: number, regs: Int32Array): void {
    const lo = regs[2 * reg] ?? 0;
    const hi = regs[2 * reg + 1] ?? 0;
    if (isFuncPointer(hi)) return;
    const helper = hi === 0 ? prog.helpersById.get(lo) : undefined;
    if (helper?.proto.name === "bpf_tail_call") {
      this.begin({ kind: "tail_call", helper }, machine, regs);
      this.awaitsTail = true;
      return;
    }
    this.begin({ kind: "helper", name: helper?.proto.name ?? `r${reg}`, helper }, machine, regs);
  }

  private returned(machine: Machine, regs: Int32Array): void {
    const top = this.open.at(-1);
    if (top === undefined || top.call.kind === "func") return;
    this.awaitsTail = false;
    this.open.pop();
    this.listener.close(top.call, top.call.kind === "tail_call" ? "failed" : "returned", machine, regs);
  }

  /** The function at the machine's depth ends, and with it those that tail-called their way to it. */
  private exit(machine: Machine, regs: Int32Array): void {
    if (machine.depth < this.depth) this.unwind(machine, regs);
    this.awaitsTail = false;
    let end: CallEnd = "returned";
    for (let top = this.open.at(-1); top !== undefined; top = this.open.at(-1)) {
      if (top.call.kind === "func" && top.depth !== machine.depth) break;
      // What stands open between two functions of one depth is a tail call.
      if (top.call.kind !== "func" && !this.isTailOf(machine.depth)) break;
      this.open.pop();
      this.listener.close(top.call, end, machine, regs);
      if (top.call.kind !== "throw") end = "replaced";
    }
    this.depth = this.open.findLast(({ call }) => call.kind === "func")?.depth ?? 0;
  }

  private isTailOf(depth: number): boolean {
    const top = this.open.at(-1);
    const below = this.open.at(-2);
    return (
      (top?.call.kind === "tail_call" || top?.call.kind === "throw") &&
      below?.call.kind === "func" &&
      below.depth === depth
    );
  }

  /** Closes what `bpf_throw` dropped. */
  private unwind(machine: Machine, regs: Int32Array): void {
    for (let top = this.open.at(-1); top !== undefined; top = this.open.at(-1)) {
      if (top.call.kind === "func" && top.depth <= machine.depth) break;
      this.open.pop();
      this.listener.close(top.call, top.call.kind === "throw" ? "returned" : "unwound", machine, regs);
    }
    this.depth = machine.depth;
  }
}
