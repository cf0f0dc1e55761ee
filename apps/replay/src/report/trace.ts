import { printKernelInsn } from "@tsbpf/asm";
import { printHex } from "@tsbpf/base";
import type { LinkedProg, Machine, RunHooks, Target } from "@tsbpf/runtime";

const TEXT_COLUMNS = 44;

const registerOf = (regs: Int32Array, reg: number): bigint =>
  (BigInt((regs[2 * reg + 1] ?? 0) >>> 0) << 32n) | BigInt((regs[2 * reg] ?? 0) >>> 0);

function targetName(target: Target): string {
  switch (target.kind) {
    case "helper":
    case "kfunc":
    case "tail_call":
      return target.helper.proto.name;
    case "subprog":
      return `function at ${target.slot}`;
    case "indirect":
      return `r${target.reg}`;
    case "missing":
      return target.name;
    default:
      return "call";
  }
}

/** Writes down what a run executes: each instruction with the registers it changed, and calls as a tree. */
export class TraceRecorder {
  readonly lines: string[] = [];
  private readonly before = new Int32Array(22);
  private pending: string | undefined;
  private readonly what: "calls" | "insns" | "mem";

  constructor(what: "calls" | "insns" | "mem") {
    this.what = what;
  }

  hooks(): RunHooks {
    const calls: RunHooks = {
      onCall: (machine, event, regs) => {
        this.flush(regs);
        const args = [1, 2, 3, 4, 5].map((reg) => printHex(registerOf(regs, reg))).join(", ");
        this.lines.push(
          `${"│  ".repeat(Math.max(0, machine.depth - 1))}├─ ${targetName(event.target)}(${args})`,
        );
      },
      onReturn: (machine, event, regs) => {
        const indent = "│  ".repeat(Math.max(0, machine.depth - 1));
        this.lines.push(`${indent}└─ ${targetName(event.target)} = ${printHex(registerOf(regs, 0))}`);
      },
    };
    if (this.what === "calls") return calls;
    return {
      ...calls,
      onStep: (_machine: Machine, prog: LinkedProg, slot: number, regs: Int32Array) => {
        this.flush(regs);
        this.pending = `${String(slot).padStart(4)}: ${printKernelInsn(prog.spec.insns, slot)}`;
        this.before.set(regs.subarray(0, 22));
      },
      onExit: (_machine, regs) => this.flush(regs),
      ...(this.what === "mem"
        ? {
            onMem: (_machine, access) => {
              const address = (BigInt(access.hi >>> 0) << 32n) | BigInt(access.lo >>> 0);
              this.lines.push(`      ${access.kind} ${access.sizeBytes} bytes at ${printHex(address)}`);
            },
          }
        : {}),
    };
  }

  private flush(regs: Int32Array): void {
    if (this.pending === undefined) return;
    const changed: string[] = [];
    for (let reg = 0; reg < 11; reg++) {
      if (regs[2 * reg] !== this.before[2 * reg] || regs[2 * reg + 1] !== this.before[2 * reg + 1]) {
        changed.push(`r${reg}=${printHex(registerOf(regs, reg))}`);
      }
    }
    const text =
      changed.length === 0 ? this.pending : `${this.pending.padEnd(TEXT_COLUMNS)} ; ${changed.join(" ")}`;
    this.lines.push(text);
    this.pending = undefined;
  }
}
