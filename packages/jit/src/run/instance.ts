import { printHex } from "@tsbpf/base";
import { type Insn, slotsOf } from "@tsbpf/isa";
import { FUNC_POINTER_HI, funcAt, type Machine, trap } from "@tsbpf/runtime";
import { EXPORT, IMPORT, isOutside } from "../emit/generate.ts";
import type { Mode } from "../emit/mode.ts";
import { NAMESPACE } from "../wasm/module.ts";
import { checkAccess } from "./access.ts";
import type { MachineState } from "./machine-state.ts";
import { makeOutside, placeError } from "./outside.ts";
import { findPacketBytes } from "./packet.ts";
import type { JitProg } from "./prog.ts";

type Main = (ctx: number, frame: number) => number;
type Wrapper = (frame: number) => number;
type RepeatLoop = (ctx: number, frame: number, times: number) => number;
type BatchLoop = (ctx: number, frame: number, first: number, end: number) => void;

/** A program's module on one machine. */
export interface Instance {
  readonly state: MachineState;
  readonly machine: Machine;
  readonly mode: Mode;
  /** What runs from the entry compare to see that they need this form; -1 until one does. */
  entryKey: number;
  readonly main: Main;
  readonly funcs: readonly Wrapper[];
  readonly exact: readonly Main[];
  /** Runs the program several times; undefined where something must happen outside between two runs. */
  readonly repeat: RepeatLoop | undefined;
  /** Runs the program once, on a context of its own and with a count of its own; undefined where `repeat` is. */
  readonly enter: (() => number) | undefined;
  /** Runs packets of a batch; undefined where the program cannot. */
  readonly batch: BatchLoop | undefined;
  /** Place of `main` in the machine's table; -1 until a tail call reaches it. */
  tableIdx: number;
}

/** Instantiates a module for a machine, and where it is to be entered without arguments, for a context. */
export function makeInstance(
  prog: JitProg,
  module: WebAssembly.Module,
  mode: Mode,
  state: MachineState,
  ctxAddress = 0,
): Instance {
  const imports = makeImports(prog, mode, state);
  imports[IMPORT.ctx] = ctxAddress | 0;
  imports[IMPORT.stack] = state.machine.stackBase | 0;
  const { exports } = new WebAssembly.Instance(module, { [NAMESPACE]: imports });
  const { funcs } = prog.plan;
  return {
    state,
    machine: state.machine,
    mode,
    entryKey: -1,
    main: exports[EXPORT.main] as Main,
    funcs: funcs.map((_, idx) => exports[EXPORT.func(idx)] as Wrapper),
    exact: mode.isExact ? funcs.map((_, idx) => exports[EXPORT.exact(idx)] as Main) : [],
    repeat: exports[EXPORT.repeat] as RepeatLoop | undefined,
    enter: exports[EXPORT.enter] as (() => number) | undefined,
    batch: exports[EXPORT.batch] as BatchLoop | undefined,
    tableIdx: -1,
  };
}

function makeImports(
  prog: JitProg,
  mode: Mode,
  state: MachineState,
): Record<string, WebAssembly.ImportValue> {
  const { machine } = state;
  const { isChecked } = mode;
  const imports: Record<string, WebAssembly.ImportValue> = {
    [IMPORT.memory]: machine.env.memory.wasm,
    [IMPORT.table]: state.table,
    [IMPORT.checkAccess]: (lo: number, hi: number, slot: number, idx: number) => {
      try {
        return checkAccess(state, prog.plan, slot, { lo, hi, isChecked, idx });
      } catch (thrown) {
        state.accessTrapCount = state.getCountAtAccess();
        throw placeError(prog, slot, thrown);
      }
    },
    [IMPORT.tooDeep]: (slot: number) => {
      throw placeError(prog, slot, trap("RUN_DEPTH", "call would open frame 9, 8 allowed", { depth: 8 }));
    },
    [IMPORT.noBudget]: (slot: number) => {
      const text = `${prog.executed(state)} instructions executed, the budget allows no more`;
      throw placeError(prog, slot, trap("RUN_BUDGET", text, { insnCount: prog.executed(state) }));
    },
    [IMPORT.goExact]: (func: number, node: number, frame: number) => {
      prog.exactInstance(state, mode).exact[func]?.(node, frame);
    },
    [IMPORT.findPacket]: (lo: number, hi: number, offset: number, slot: number) => {
      if (hi !== 0 || lo >>> 0 !== machine.env.ctxAddress) {
        throw placeError(
          prog,
          slot,
          trap("RUN_ARGUMENT", "packet load whose r6 does not hold the context", { reg: 6 }),
        );
      }
      const action = prog.plan.actions[slot];
      return findPacketBytes(machine, offset, action?.kind === "packet" ? action.size : 1);
    },
    [IMPORT.checkJump]: (lo: number, hi: number, slot: number) => {
      checkJump(prog, slot, lo, hi);
      return lo;
    },
  };
  for (const [slot, target] of prog.prog.targets) {
    if (isOutside(target)) imports[IMPORT.call(slot)] = makeOutside(prog, { state, mode, slot }, target);
  }
  if (!mode.isHooked) addLowered(imports, prog, state);
  return imports;
}

/** Adds what lowered calls need: functions of words, and the maps themselves. */
function addLowered(
  imports: Record<string, WebAssembly.ImportValue>,
  { plan }: JitProg,
  { machine }: MachineState,
): void {
  const { env } = machine;
  const { cpu } = machine;
  for (const [slot, lowered] of plan.lowered) {
    if (lowered.kind === "words" && lowered.helper.wasm?.kind === "words") {
      imports[IMPORT.call(slot)] = lowered.helper.wasm.bind(env);
    } else if (lowered.kind === "update") {
      const { map } = lowered;
      imports[IMPORT.mapCall(slot)] = (key: number, value: number, lo: number, hi: number) =>
        map.update(key >>> 0, value >>> 0, hi === 0 ? lo >>> 0 : (hi >>> 0) * TWO_32 + (lo >>> 0), cpu);
    } else if (lowered.kind === "lookup") {
      const { map } = lowered;
      imports[IMPORT.mapCall(slot)] = (key: number) => map.lookup(key >>> 0, cpu);
    } else if (lowered.kind === "delete") {
      const { map } = lowered;
      imports[IMPORT.mapCall(slot)] = (key: number) => map.delete(key >>> 0, cpu);
    }
  }
}

const TWO_32 = 2 ** 32;

/** Checks that a jump through a register leads to an instruction of its function (ISA-92). */
function checkJump(prog: JitProg, slot: number, lo: number, hi: number): void {
  const { insns } = prog.prog;
  const func = funcAt(prog.prog, slot);
  const isInside = func !== undefined && lo >= func.start && lo < func.end;
  if (hi === FUNC_POINTER_HI && isInside && insns[lo]?.op !== 0 && slotsOf(insns[lo] as Insn) > 0) return;
  const reg = insns[slot]?.dst ?? 0;
  const text = `jump through r${reg}, which holds no slot of the function`;
  throw placeError(
    prog,
    slot,
    trap("RUN_CODE_ADDRESS", text, { lo: printHex(lo >>> 0), hi: printHex(hi >>> 0) }),
  );
}
