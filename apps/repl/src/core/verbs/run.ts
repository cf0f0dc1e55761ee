import type { StepView } from "@tsbpf/interpreter";
import { defsOf } from "@tsbpf/isa";
import { pushFrame } from "@tsbpf/runtime";
import { prepareProg } from "@tsbpf/vm";
import { parseExprs } from "../expr.ts";
import { fault } from "../fault.ts";
import { assembleText, funcsFor, toSpec } from "../lines.ts";
import { parsePlace } from "../places.ts";
import type { Session } from "../session.ts";
import { printValue } from "../values.ts";
import type { Verb } from "../verb.ts";
import { countArg, usage } from "./args.ts";

const TRACE_LINES_MAX = 10_000;
const TIME_RUNS = 1000;
const TIME_NS_MAX = 500_000_000n;

/** Makes a program of what was typed, so that it can be run, judged and stepped. */
export function openTyped(session: Session) {
  if (!session.isScratch) return;
  if (session.lines.length === 0)
    throw fault("REPL_NO_PROG", "no program: .load one, or type instructions first");
  const made = assembleTyped(session);
  session.openProg(session.prepare(toSpec(made, session.lineContext, "typed")), undefined);
  session.labels = made.labels;
}

/** Assembles all lines that were typed, with an `exit` at the end where there is none. */
export function assembleTyped(session: Session) {
  const lines = session.lines.join("\n");
  const text = /(?:^|[\n;])\s*exit\s*$/.test(lines) ? lines : `${lines}\nexit`;
  const made = assembleText(`${text}\n${funcsFor(text, session.funcs)}`, session.lineContext, "typed");
  if (!made.ok) throw made.error;
  return made.prog;
}

/** Prints every instruction of a command while tracing is on. */
function startTrace(session: Session): () => void {
  if (!session.isTracing) return () => {};
  const { debuggee } = session;
  let pending: { readonly text: string; readonly defs: number; readonly depth: number } | undefined;
  let count = 0;
  const flush = (reg: (n: number) => bigint): void => {
    if (pending === undefined) return;
    const { text, defs } = pending;
    const changed = Array.from({ length: 10 }, (_, n) => n).filter((n) => ((defs >> n) & 1) !== 0);
    const values = changed.map((n) => `R${n}=${printValue(reg(n), debuggee.machine)}`).join(" ");
    session.say(values === "" ? text : `${text.padEnd(44)} ; ${values}`);
    pending = undefined;
  };
  debuggee.onTrace = (view: StepView) => {
    flush((n) => view.reg(n));
    if (count++ >= TRACE_LINES_MAX) {
      if (count === TRACE_LINES_MAX + 1)
        session.say(`… more than ${TRACE_LINES_MAX} instructions, the rest is not shown`);
      return;
    }
    const insn = view.prog.spec.insns[view.slot];
    const isCall = insn !== undefined && (insn.op & 0xf7) === 0x85;
    const indent = "  ".repeat(Math.max(0, view.depth - 1));
    pending = {
      text: `${indent}${String(view.slot).padStart(4)}: ${session.insnText(view.prog, view.slot)}`,
      defs: insn === undefined ? 0 : isCall ? 1 : defsOf(insn),
      depth: view.depth,
    };
  };
  return () => {
    if (!debuggee.stepper.isOver) flush((n) => debuggee.stepper.reg(n));
    else if (pending !== undefined) session.say(pending.text);
    debuggee.onTrace = undefined;
  };
}

async function traced(
  session: Session,
  command: () => Promise<Parameters<Session["reportStop"]>[0]>,
): Promise<void> {
  const stopTrace = startTrace(session);
  const { stepper } = session.debuggee;
  const first = stepper.isOver ? undefined : { prog: stepper.prog, slot: stepper.slot };
  try {
    if (first !== undefined && session.isTracing) traceFirst(session);
    const stop = await command();
    stopTrace();
    session.reportStop(stop);
  } finally {
    session.debuggee.onTrace = undefined;
  }
}

/** The instruction that a command starts with is not shown by the stepper: it stands there already. */
function traceFirst({ debuggee }: Session) {
  const { stepper } = debuggee;
  const { machine, prog, slot, insnCount } = stepper;
  debuggee.onTrace?.({ machine, prog, slot, depth: machine.depth, insnCount, reg: (n) => stepper.reg(n) });
}

function needsRunning(session: Session) {
  openTyped(session);
  if (session.debuggee.stepper.isOver)
    throw fault("REPL_NO_PROG", "the run has ended: .run starts it again, .back goes back");
}

/** Calls a function of the program in a frame of its own; registers are put back afterwards. */
async function callFunction(session: Session, args: string): Promise<void> {
  const found = /^(-s\s+)?([A-Za-z_.$][\w.$]*|\d+)\s*\((.*)\)$/s.exec(args);
  if (found === null) return usage(".call FUNC(ARG, …), .call -s FUNC(…) to stop at its first instruction");
  openTyped(session);
  const { debuggee } = session;
  debuggee.revive();
  const values = parseExprs(found[3] ?? "").map((expr) => expr(session.values()));
  if (values.length > 5) throw fault("REPL_USAGE", `${values.length} arguments found, 5 allowed`);
  const { slot, prog, text } = parsePlace(found[2] ?? "", session);
  if (prog !== debuggee.engineProg)
    throw fault("REPL_PLACE", `${text} belongs to another program, .load it first`);
  if (!prog.prog.funcs.some((func) => func.start === slot))
    throw fault("REPL_PLACE", `no function starts at ${text}`);
  const { stepper, machine } = debuggee;
  const before = debuggee.remember();
  const depth = machine.depth;
  const returnSlot = stepper.slot;
  stepper.edit(() => {
    pushFrame(machine, machine.regs, returnSlot);
    for (let n = 0; n < 10; n++) setReg(machine.regs, n, values[n - 1] ?? 0n);
  });
  stepper.replaceProg(prog, slot);
  if (found[1] !== undefined) return session.reportStop({ kind: "step" });
  const stop = await debuggee.until((view) => view.depth <= depth, CALL_LIMIT);
  if (stop.kind !== "until") {
    if (stop.kind === "limit") session.say(`no end within ${CALL_LIMIT} instructions`);
    return session.reportStop(stop);
  }
  const result = stepper.reg(0);
  session.last = result;
  const saved = before.saved.regs;
  stepper.edit(() => machine.regs.set(saved));
  session.say(`${(found[2] ?? "").trim()}(…) = ${printValue(result, machine)}`);
}

const CALL_LIMIT = 100_000_000;

function setReg(regs: Int32Array, n: number, value: bigint) {
  regs[2 * n] = Number(BigInt.asIntN(32, value));
  regs[2 * n + 1] = Number(BigInt.asIntN(32, value >> 32n));
}

/** Runs the whole program on another engine, away from the debugger; the debugged run starts again afterwards. */
async function runOnJit(session: Session): Promise<void> {
  openTyped(session);
  const { spec } = session.prog.linked;
  const prog = prepareProg(session.vm, spec, { engine: "jit", verify: "warn" });
  session.debuggee.release();
  try {
    const result = prog.run(session.runInput);
    if (result.trap !== undefined) session.say(`trap: ${result.trap.message} [${result.trap.code}]`);
    else {
      session.sayEffects(result.effects);
      session.say(`jit: R0=${result.retval}  ${result.verdict}  (${result.insnCount} instructions)`);
    }
  } finally {
    session.restart();
  }
}

function timeEngines(session: Session, runs: number) {
  openTyped(session);
  const { spec } = session.prog.linked;
  session.debuggee.release();
  try {
    for (const engine of ["interpreter", "jit"] as const) {
      const prog = prepareProg(session.vm, spec, { engine, verify: "warn" });
      let result = prog.execute(session.runInput);
      const started = session.host.nowNs();
      let done = 0;
      while (done < runs && session.host.nowNs() - started < TIME_NS_MAX) {
        result = prog.execute(session.runInput);
        done++;
      }
      const each = done === 0 ? 0 : Number(session.host.nowNs() - started) / done;
      session.say(
        `${engine.padEnd(12)} ${each.toFixed(0)} ns a run, ${result.insnCount} instructions, ${done} runs${result.trap === undefined ? "" : ", each a trap"}`,
      );
    }
  } finally {
    session.restart();
  }
}

export const RUN_VERBS: readonly Verb[] = [
  {
    name: "run",
    words: ["r", "run"],
    group: "run",
    summary: "run the program from its start until a break- or watchpoint, or its end",
    isSaved: true,
    async run(session) {
      if (session.isScratch) openTyped(session);
      else session.restart();
      await traced(session, async () => {
        const { debuggee } = session;
        const { stepper } = debuggee;
        const here = debuggee.points.all.find(
          ({ what, condition }) =>
            what.kind === "break" &&
            what.slot === 0 &&
            condition === undefined &&
            what.progName === stepper.prog.spec.name,
        );
        if (here === undefined) return debuggee.continue();
        here.hits++;
        session.say(`breakpoint ${here.id} at ${here.text}`);
        return { kind: "step" };
      });
    },
  },
  {
    name: "start",
    aliases: ["restart"],
    words: ["start", "starti"],
    group: "run",
    summary: "stand before the first instruction, with the input in place",
    isSaved: true,
    run(session) {
      if (session.isScratch) openTyped(session);
      else session.restart();
      session.reportStop({ kind: "step" });
    },
  },
  {
    name: "step",
    words: ["s", "si", "step", "stepi"],
    group: "run",
    args: "[N]",
    summary: "execute one instruction, or N, into calls, callbacks and tail calls",
    isSaved: true,
    isRepeated: true,
    async run(session, args) {
      needsRunning(session);
      const count = countArg(args, session, 1);
      await traced(session, () => session.debuggee.step(count));
    },
  },
  {
    name: "next",
    words: ["n", "ni", "next", "nexti"],
    group: "run",
    args: "[N]",
    summary: "execute one instruction, or N, with all that it calls",
    isSaved: true,
    isRepeated: true,
    async run(session, args) {
      needsRunning(session);
      const count = Math.max(1, countArg(args, session, 1));
      await traced(session, async () => {
        let stop = await session.debuggee.stepOver();
        for (let i = 1; i < count && (stop.kind === "until" || stop.kind === "step"); i++)
          stop = await session.debuggee.stepOver();
        return stop;
      });
    },
  },
  {
    name: "finish",
    aliases: ["out"],
    words: ["fin", "finish"],
    group: "run",
    summary: "execute until the running function has returned; out of a callback comes the next round",
    isSaved: true,
    isRepeated: true,
    async run(session) {
      needsRunning(session);
      const { debuggee } = session;
      await traced(session, async () => {
        const { stop, returned } = await debuggee.stepOut();
        if (returned !== undefined) {
          session.last = returned;
          session.say(`returned ${printValue(session.last, debuggee.machine)}`);
        }
        return stop;
      });
    },
  },
  {
    name: "cont",
    aliases: ["continue"],
    words: ["c", "cont", "continue"],
    group: "run",
    args: "[N]",
    summary: "go on until a break- or watchpoint, or the end; at most N instructions",
    isSaved: true,
    isRepeated: true,
    async run(session, args) {
      needsRunning(session);
      const limit = args === "" ? undefined : countArg(args, session, 0);
      await traced(session, () => session.debuggee.continue(limit));
    },
  },
  {
    name: "until",
    words: ["u", "until", "advance"],
    group: "run",
    args: "PC|FUNC|FILE:LINE",
    summary: "go on until an instruction is reached",
    completes: "func",
    isSaved: true,
    async run(session, args) {
      if (args === "") usage(".until PC|FUNC|FILE:LINE");
      needsRunning(session);
      const { prog, slot } = parsePlace(args, session);
      await traced(session, () => session.debuggee.untilSlot(prog, slot));
    },
  },
  {
    name: "call",
    group: "run",
    args: "[-s] FUNC(ARG, …)",
    summary: "call a function of the program with arguments; registers are put back, memory stays changed",
    examples: [".call rotate(0x80000001, 4)", ".call -s summarize(ctx, fp - 64)"],
    completes: "func",
    isSaved: true,
    run: callFunction,
  },
  {
    name: "jit",
    group: "run",
    summary: "run the whole program on the compiling engine; the debugger then stands at the start",
    isSaved: true,
    run: runOnJit,
  },
  {
    name: "time",
    group: "run",
    args: "[RUNS]",
    summary: "measure runs of the program on both engines; the debugger then stands at the start",
    run: (session, args) => timeEngines(session, countArg(args, session, TIME_RUNS)),
  },
  {
    name: "fuel",
    group: "run",
    args: "[N]",
    summary: "show or set how many instructions a run may execute before it traps",
    isSaved: true,
    run(session, args) {
      const { debuggee } = session;
      if (args !== "") {
        debuggee.fuel = Math.max(1, countArg(args, session, 1));
        if (!debuggee.stepper.isOver && !debuggee.stepper.isInCallback) {
          const left = Math.max(0, debuggee.fuel - debuggee.stepper.insnCount);
          debuggee.edit(() => {
            debuggee.machine.budgetLeft = left;
          });
        }
      }
      session.say(`${debuggee.fuel} instructions`);
    },
  },
  {
    name: "trace",
    group: "run",
    args: "[on|off]",
    summary: "print every instruction that runs, with what it changes",
    isSaved: true,
    run(session, args) {
      if (args !== "" && args !== "on" && args !== "off") usage(".trace on|off");
      session.isTracing = args === "" ? !session.isTracing : args === "on";
      session.say(`tracing is ${session.isTracing ? "on" : "off"}`);
    },
  },
];
