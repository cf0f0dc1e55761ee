import { printHex } from "@tsbpf/base";
import { rowOf } from "@tsbpf/isa";
import type { LinkedProg, Machine, MemAccess, RunHooks } from "@tsbpf/runtime";
import type { Execution } from "@tsbpf/vm";
import { registerOf } from "../calls/values.ts";
import type { ByteSink } from "../io.ts";
import { insnTextOf } from "./insn-text.ts";
import { TRACE_LINES_MAX } from "./trace.ts";

const REGS = 11;
const FLUSH_BYTES = 1 << 18;

/** An instruction that is about to run; its accesses come after it. */
interface Step {
  readonly packet: number;
  readonly prog: string;
  readonly pc: number;
  readonly op: number;
  readonly opName: string;
  readonly insn: string;
  readonly regs: readonly string[];
  readonly depth: number;
  mem?: { kind: MemAccess["kind"]; addr: string; bytes: number }[];
}

/**
 * Writes a JSON object a line for each instruction of each run, with the registers before it, then one that ends the
 * run. Of one run as many instructions are written as traces show; the end says how many there were.
 */
export class StepLog {
  private readonly sink: ByteSink;
  private readonly encoder = new TextEncoder();
  private parts: string[] = [];
  private pendingBytes = 0;
  private pending: Step | undefined;
  private packet = 0;
  private steps = 0;

  constructor(sink: ByteSink) {
    this.sink = sink;
  }

  /** Prepares for the run of a packet. @param packet - its number, from 1. */
  begin(packet: number): void {
    this.packet = packet;
    this.steps = 0;
    this.pending = undefined;
  }

  hooks(): RunHooks {
    return {
      onStep: (machine, prog, slot, regs) => this.step(machine, prog, slot, regs),
      onMem: (_machine, { kind, lo, hi, sizeBytes }) => {
        const { pending } = this;
        if (pending === undefined) return;
        const addr = printHex((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0));
        pending.mem = [...(pending.mem ?? []), { kind, addr, bytes: sizeBytes }];
      },
    };
  }

  /** Ends the run of a packet. */
  async end({ r0, verdict, trap }: Execution): Promise<void> {
    this.flushStep();
    this.push({
      packet: this.packet,
      r0: printHex(r0),
      verdict,
      steps: this.steps,
      ...(this.steps > TRACE_LINES_MAX ? { leftOut: this.steps - TRACE_LINES_MAX } : {}),
      ...(trap === undefined ? {} : { error: trap.code }),
    });
    if (this.pendingBytes >= FLUSH_BYTES) await this.write();
  }

  async close(): Promise<void> {
    await this.write();
    await this.sink.close();
  }

  private step(machine: Machine, prog: LinkedProg, slot: number, regs: Int32Array): void {
    this.flushStep();
    this.steps += 1;
    const insn = prog.spec.insns[slot];
    if (this.steps > TRACE_LINES_MAX || insn === undefined) return;
    this.pending = {
      packet: this.packet,
      prog: prog.spec.name,
      pc: slot,
      op: insn.op,
      opName: rowOf(insn)?.id ?? printHex(insn.op),
      insn: insnTextOf(prog, slot),
      regs: Array.from({ length: REGS }, (_, reg) => printHex(registerOf(regs, reg))),
      depth: machine.depth,
    };
  }

  private flushStep(): void {
    if (this.pending !== undefined) this.push(this.pending);
    this.pending = undefined;
  }

  private push(value: object): void {
    const line = `${JSON.stringify(value)}\n`;
    this.parts.push(line);
    this.pendingBytes += line.length;
  }

  private async write(): Promise<void> {
    const bytes = this.encoder.encode(this.parts.join(""));
    this.parts = [];
    this.pendingBytes = 0;
    await this.sink.write(bytes);
  }
}
