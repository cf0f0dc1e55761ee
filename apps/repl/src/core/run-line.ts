import { InputError } from "@tsbpf/base";
import { defsOf, type Insn, rowOf } from "@tsbpf/isa";
import { namePointer } from "@tsbpf/runtime";
import { type Prog, prepareProg } from "@tsbpf/vm";
import type { Stop } from "./debuggee.ts";
import { fault } from "./fault.ts";
import type { CompiledLine } from "./lines.ts";
import type { Session } from "./session.ts";
import { printScalar, printValue, readMemory } from "./values.ts";

const FRAME_BYTES = 512;
const SLOTS_SHOWN = 8;

/** Executes an assembled line on the registers and memory of the moment and prints what it changed. */
export async function runLine(line: CompiledLine, session: Session): Promise<void> {
  const { debuggee } = session;
  const prog = prepareLine(line, session);
  debuggee.revive();
  const before = look(session);
  const store = session.isTracing ? undefined : storeTarget(line, session);
  const wasExited = line.spec.insns.slice(0, line.endSlot).some(({ op }) => op === EXIT_OP);
  const stop = await debuggee.runLine(prog.engineProg, line.endSlot, session.lineLimit);
  if (stop.kind !== "breakpoint" && stop.kind !== "exit") throw failure(stop, session);
  const shown = changedRegs(line, before.regs, session);
  if (shown.includes(0) || wasExited) session.last = debuggee.stepper.reg(0);
  const parts = shown.map((n) => session.regsText([n]));
  parts.push(...changedSlots(before.stack, session));
  if (store !== undefined) parts.push(...store());
  session.say(parts.length === 0 ? "nothing changed" : parts.join(" "));
  session.sayEffects();
}

function prepareLine(line: CompiledLine, session: Session): Prog {
  try {
    return prepareProg(session.vm, line.spec, { verify: "off" });
  } catch (error) {
    if (!(error instanceof InputError && error.code === "LINK_JUMP")) throw error;
    throw fault("REPL_LINE", "the jump leaves the line; { and several lines until } run together");
  }
}

const EXIT_OP = 0x95;

function failure(stop: Stop, session: Session): Error {
  if (stop.kind === "trap")
    return new InputError(stop.trap.code, `${stop.trap.message}; the line was undone`);
  if (stop.kind === "limit") {
    return fault("REPL_LINE", `no end within ${session.lineLimit} instructions; the line was undone`);
  }
  if (stop.kind === "until")
    return fault("REPL_LINE", "exit would leave the running function, .finish does; the line was undone");
  return fault("REPL_LINE", "interrupted; the line was undone");
}

interface Look {
  readonly regs: readonly bigint[];
  readonly stack: Uint8Array;
}

function look(session: Session): Look {
  const { stepper } = session.debuggee;
  return { regs: Array.from({ length: 11 }, (_, n) => stepper.reg(n)), stack: stackBytes(session) };
}

function stackBytes({ debuggee, vm }: Session): Uint8Array {
  const top = Number(debuggee.stepper.reg(10));
  return vm.memory.u8.slice(top - FRAME_BYTES, top);
}

/** Registers whose values changed, and those that the line assigned anyway. */
function changedRegs({ spec, endSlot }: CompiledLine, before: readonly bigint[], session: Session): number[] {
  let assigned = 0;
  for (const insn of spec.insns.slice(0, endSlot)) {
    assigned |= rowOf(insn)?.action.kind === "call" ? 1 : defsOf(insn);
  }
  const { stepper } = session.debuggee;
  return before.flatMap((value, n) =>
    stepper.reg(n) !== value || (n < 10 && ((assigned >> n) & 1) !== 0) ? [n] : [],
  );
}

/** Stack slots that changed, as the kernel's logs print them: `fp-8=42`. */
function changedSlots(before: Uint8Array, session: Session): string[] {
  const after = stackBytes(session);
  const parts: string[] = [];
  for (let at = FRAME_BYTES - 8; at >= 0; at -= 8) {
    let isChanged = false;
    for (let i = at; i < at + 8; i++) isChanged ||= before[i] !== after[i];
    if (!isChanged) continue;
    if (parts.length === SLOTS_SHOWN) return [...parts, "…"];
    const value = new DataView(after.buffer).getBigUint64(at, true);
    parts.push(`fp${at - FRAME_BYTES}=${printValue(value, session.debuggee.machine)}`);
  }
  return parts;
}

const STORE_CLASSES: ReadonlySet<number> = new Set([2, 3]);
const SIZE_OF = [4, 2, 1, 8] as const;

/** Where a single store outside the stack goes; the function prints what is there afterwards. */
function storeTarget({ spec, endSlot }: CompiledLine, session: Session): (() => string[]) | undefined {
  const insn: Insn | undefined = spec.insns[0];
  if (endSlot !== 1 || insn === undefined || !STORE_CLASSES.has(insn.op & 7)) return undefined;
  const { stepper, machine } = session.debuggee;
  const address = BigInt.asUintN(64, stepper.reg(insn.dst) + BigInt(insn.off));
  const size = SIZE_OF[(insn.op >> 3) & 3] ?? 4;
  const name = namePointer(address, machine);
  if (name?.startsWith("fp") === true) return undefined;
  return () => {
    const value = readMemory(session.vm.memory, address, size);
    return value === undefined ? [] : [`${name ?? `0x${address.toString(16)}`}=${printScalar(value)}`];
  };
}
