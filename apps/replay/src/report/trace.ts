import { InputError, printHex, type TrapError } from "@tsbpf/base";
import type { Machine, MemAccess, RunHooks } from "@tsbpf/runtime";
import { type Call, type CallEnd, CallFollower } from "../calls/follow.ts";
import { nameOf, resultOf, textOf } from "../calls/text.ts";
import { CallTree, printCallTree } from "../calls/tree.ts";
import { registerOf } from "../calls/values.ts";
import { insnTextOf } from "./insn-text.ts";
import { LineBuffer } from "./line-buffer.ts";

/** What is written down: the tree of calls, each instruction, or instructions and memory accesses. */
export type TraceKind = "calls" | "insns" | "mem";

const KINDS: readonly TraceKind[] = ["calls", "insns", "mem"];

/**
 * Reads what a user wants traced; instructions when nothing is said.
 *
 * @throws OPTION_TRACE (InputError) for any other word.
 */
export function traceKind(word: string | true): TraceKind {
  const found = KINDS.find((one) => one === (word === true ? "insns" : word));
  if (found !== undefined) return found;
  throw new InputError("OPTION_TRACE", `--trace ${word} found, one of ${KINDS.join(", ")} needed`);
}

const TEXT_COLUMNS = 44;
const REGS = 11;
/** Lines of one run that are kept. */
export const TRACE_LINES_MAX = 100_000;

/** Writes down what one run executes. */
export class TraceRecorder {
  private readonly steps: StepLines | undefined;
  readonly tree: CallTree | undefined;

  constructor(what: TraceKind, linesMax = TRACE_LINES_MAX) {
    this.steps = what === "calls" ? undefined : new StepLines(what === "mem", linesMax);
    this.tree = what === "calls" ? new CallTree() : undefined;
  }

  /** Listeners for the run; only the interpreter tells of instructions. */
  hooks(): RunHooks {
    return this.steps?.hooks() ?? this.tree?.hooks() ?? {};
  }

  /** Returns the lines when the run is over. @param trap - why it ended early. */
  lines(trap?: TrapError): string[] {
    if (this.steps !== undefined) return this.steps.lines();
    const root = this.tree?.root;
    return root === undefined ? [] : printCallTree(root, trap?.code);
  }
}

/** A line an instruction with the registers it changed, calls between them, indented by the depth of functions. */
class StepLines {
  private readonly buffer: LineBuffer;
  private readonly withMem: boolean;
  private readonly before = new Int32Array(2 * REGS);
  /** The instruction that runs, and what it accesses: printed when it is known what it changed. */
  private pending: string | undefined;
  private accesses: string[] = [];
  /** A helper that runs and has called nothing back. */
  private helper: string | undefined;
  private depth = 0;

  constructor(withMem: boolean, linesMax: number) {
    this.withMem = withMem;
    this.buffer = new LineBuffer(linesMax);
  }

  hooks(): RunHooks {
    const follower = new CallFollower({
      open: (call, machine, regs) => this.open(call, machine, regs),
      close: (call, end, machine, regs) => this.close(call, end, machine, regs),
    }).hooks();
    return {
      ...follower,
      onStep: (machine, prog, slot, regs) => {
        this.flush(regs);
        follower.onStep(machine, prog, slot, regs);
        this.pending = `${String(slot).padStart(4)}: ${insnTextOf(prog, slot)}`;
        this.before.set(regs.subarray(0, 2 * REGS));
      },
      onCall: (machine, event, regs) => {
        this.flush(regs);
        follower.onCall(machine, event, regs);
      },
      onExit: (machine, regs) => {
        this.flush(regs);
        follower.onExit(machine, regs);
      },
      ...(this.withMem ? { onMem: (_machine, access) => void this.accesses.push(printAccess(access)) } : {}),
    };
  }

  lines(): string[] {
    // What trapped has changed nothing.
    if (this.pending !== undefined) this.flush(this.before);
    if (this.helper !== undefined) this.push(`└─ ${this.helper}`);
    this.helper = undefined;
    return this.buffer.lines();
  }

  private push(text: string): void {
    this.buffer.push(`${"│  ".repeat(Math.max(0, this.depth - 1))}${text}`);
  }

  private open(call: Call, machine: Machine, regs: Int32Array): void {
    const text = textOf(call, machine, regs);
    if (call.kind === "helper") {
      this.helper = text;
      return;
    }
    if (this.helper !== undefined) this.push(`├─ ${this.helper}`);
    this.helper = undefined;
    this.push(this.depth === 0 ? text : `├─ ${text}`);
    if (call.kind === "func") this.depth++;
  }

  private close(call: Call, end: CallEnd, machine: Machine, regs: Int32Array): void {
    if (call.kind === "func") this.depth--;
    if (end === "replaced") return;
    const result = resultOf(call, end, {
      machine,
      regs,
      isRoot: call.kind === "func" && call.by === "start",
    });
    const name = this.helper ?? nameOf(call);
    this.helper = undefined;
    this.push(`${this.depth === 0 ? "" : "└─ "}${name}${result === "" ? "" : ` = ${result}`}`);
  }

  private flush(regs: Int32Array): void {
    if (this.pending === undefined) return;
    const changed: string[] = [];
    for (let reg = 0; reg < REGS; reg++) {
      if (regs[2 * reg] !== this.before[2 * reg] || regs[2 * reg + 1] !== this.before[2 * reg + 1]) {
        changed.push(`r${reg}=${printHex(registerOf(regs, reg))}`);
      }
    }
    this.push(
      changed.length === 0 ? this.pending : `${this.pending.padEnd(TEXT_COLUMNS)} ; ${changed.join(" ")}`,
    );
    this.pending = undefined;
    for (const text of this.accesses) this.push(text);
    this.accesses = [];
  }
}

function printAccess({ kind, lo, hi, sizeBytes }: MemAccess): string {
  const address = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
  return `      ${kind} ${sizeBytes} bytes at ${printHex(address)}`;
}
