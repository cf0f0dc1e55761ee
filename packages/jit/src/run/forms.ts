import { LIMITS } from "@tsbpf/base";
import type { Machine } from "@tsbpf/runtime";
import { generate, generateInSteps, type Surroundings } from "../emit/generate.ts";
import { type Mode, modeKey } from "../emit/mode.ts";
import type { CompileReport, InBackground, ModuleCache } from "./cache.ts";
import { type Instance, makeInstance } from "./instance.ts";
import { type MachineState, stateOf } from "./machine-state.ts";
import type { JitProg } from "./prog.ts";

/** More than any key of a mode; see `modeKey`. */
const MODES = 2048;

/** The forms in which a program was asked for: a module for each mode, an instance for each machine. */
export class Forms {
  private readonly prog: JitProg;
  private readonly cache: ModuleCache;
  private readonly instances = new Map<number, Map<MachineState, Instance>>();

  constructor(prog: JitProg, cache: ModuleCache) {
    this.prog = prog;
    this.cache = cache;
  }

  /** Says what a function must do that runs at a depth of a machine as it stands. */
  modeFor(machine: Machine, depth: number, funcIdx: number): Mode {
    const { plan, isChecked, ctxBytes } = this.prog;
    const chain = plan.funcs[funcIdx]?.chain ?? 1;
    return {
      isChecked,
      hasFuel: machine.budgetLeft < Number.MAX_SAFE_INTEGER,
      isExact: false,
      isDeep: depth - machine.progBase + chain > LIMITS.callFrames,
      isHooked: machine.hooks !== undefined,
      isBatch: false,
      isMoved: false,
      ctxPerm: isChecked ? stateOf(machine).ctxPerm(ctxBytes) : 0,
      isShared: machine.env.memory.isShared,
    };
  }

  instanceOf(state: MachineState, mode: Mode): Instance {
    const key = modeKey(mode);
    let byState = this.instances.get(key);
    if (byState === undefined) {
      byState = new Map();
      this.instances.set(key, byState);
    }
    let instance = byState.get(state);
    if (instance === undefined) {
      instance = makeInstance(this.prog, this.moduleOf(state, mode), mode, state);
      byState.set(state, instance);
    }
    return instance;
  }

  moduleOf(state: MachineState, mode: Mode): WebAssembly.Module {
    const { prog, plan } = this.prog;
    return this.cache.compile(prog, keyOf(state, mode), () => generate(plan, mode, around(state)));
  }

  /** Compiles a form beside other work. */
  async compileAhead(state: MachineState, mode: Mode, how: InBackground): Promise<void> {
    const { prog, plan } = this.prog;
    const steps = generateInSteps(plan, mode, around(state));
    await this.cache.compileAhead(prog, keyOf(state, mode), steps, how);
  }

  /** What compiling the forms cost. */
  reports(): readonly CompileReport[] {
    return this.cache.reportsOf(this.prog.prog);
  }
}

const keyOf = (state: MachineState, mode: Mode): number => modeKey(mode) + state.cell * MODES;

/** What a module for a machine knows of it. */
function around({ cell, machine }: MachineState): Surroundings {
  const { effects, memory } = machine.env;
  return {
    cell,
    isRecording: effects.isOn,
    stackBase: machine.stackBase,
    readWord: (address) => memory.view.getUint32(address, true),
  };
}
