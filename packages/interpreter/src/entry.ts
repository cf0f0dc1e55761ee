import { rowOf } from "@tsbpf/isa";
import { type EngineProg, framePointerOf, helperThrew, type Machine, type ProgEntry } from "@tsbpf/runtime";
import { advance, type Cursor, depthOf, helperName, QUOTA, slowStep } from "./execute.ts";
import { loop, registers as r, startRegisters, stopped, WHY } from "./loop.gen.ts";
import { bindMapCall } from "./map-calls.ts";
import { placeCode } from "./placement.ts";
import type { Prepared } from "./prepared.ts";
import { countTowardsPriming, quotaUntilPrimed } from "./prime.ts";
import { active, endOfRun } from "./running.ts";

/** Where a run of an entry is that throws: in the loop, beyond it, or inside a helper of another run. */
type Phase = "loop" | "long" | "inside";

/** Whether nothing outside the loop needs to know of a run: proofs, and calls of own functions and known maps alone. */
function isSealed({ prog, code }: Prepared): boolean {
  if (code.isChecked) return false;
  for (const [slot, target] of prog.targets) {
    if (target.kind !== "subprog" && bindMapCall(prog, slot, target) === undefined) return false;
  }
  return prog.insns.every((insn) => rowOf(insn)?.action.kind !== "packet");
}

/**
 * Makes a way to run a program that touches nothing of the machine but its frames and the memory while the run stays
 * in the loop; undefined for programs that need more.
 */
export function makeEntry(
  prog: Prepared & EngineProg,
  machine: Machine,
  ctxAddress: number,
): ProgEntry | undefined {
  if (!isSealed(prog)) return undefined;
  const { env, frames } = machine;
  const { memory } = env;
  const { bounds, code } = prog;
  const { raws } = code;
  const { words } = frames;
  const cursor: Cursor = { prog, p: 0 };
  const framePointer = framePointerOf(machine, 1);
  /** Instructions of the last run. */
  let count = 0;
  let phase: Phase = "loop";
  let quota = QUOTA;
  let isPrimed = false;

  const run = (): number => {
    if (active.runs !== 0) return runInside();
    active.runs = 1;
    startRegisters(ctxAddress, framePointer);
    frames.reset();
    bounds.refresh(memory);
    const { u8, view, top } = bounds;
    const base = placeCode(code);
    if (!isPrimed) {
      quota = quotaUntilPrimed(QUOTA, false);
      isPrimed = quota === QUOTA;
    }
    const why = loop(base, base, quota, 0, u8, view, bounds.words, top, words, raws, env);
    count = quota - stopped.left;
    if (!isPrimed) countTowardsPriming(count, false);
    if (why !== WHY.exit) goOn(why);
    active.runs = 0;
    return r[0] as number;
  };

  /** Makes the machine know of the run as it stands. */
  const tell = (): void => {
    machine.current = prog;
    machine.progBase = 1;
    machine.tailCallCount = 0;
    machine.hooks = undefined;
    machine.depth = depthOf(stopped.sp);
    machine.insnCount = quota - stopped.left;
    machine.budgetLeft = Number.MAX_SAFE_INTEGER - machine.insnCount;
    cursor.p = stopped.p;
  };

  /** Ends a run that the loop came back from before its end. */
  const goOn = (why: number): void => {
    tell();
    phase = "long";
    if (why === WHY.quota || slowStep(machine, cursor, 1) === undefined) advance(machine, cursor, 1, false);
    phase = "loop";
    machine.depth = 0;
    count = machine.insnCount;
  };

  /** Runs while another run waits for a helper. */
  const runInside = (): number => {
    frames.reset();
    stopped.sp = 0;
    stopped.left = quota;
    tell();
    phase = "inside";
    prog.run(machine, ctxAddress);
    phase = "loop";
    machine.depth = 0;
    count = machine.insnCount;
    return machine.regs[0] as number;
  };

  const endOf = (thrown: unknown): unknown => {
    let end = thrown;
    if (phase === "loop") {
      tell();
      end = helperThrew(thrown, helperName(cursor));
    }
    if (phase !== "inside") {
      active.runs = 0;
      end = endOfRun(machine, cursor, end);
    }
    phase = "loop";
    machine.depth = 0;
    count = machine.insnCount;
    return end;
  };

  return { run, endOf, count: () => count };
}
