import { LIMITS } from "@tsbpf/base";
import type { Marks } from "./marks.ts";
import { NOT_INIT, pointerReg, REG, type Reg } from "./reg.ts";
import { EMPTY_SLOT, type Slot } from "./slot.ts";

/** One call frame: registers and stack; owned by exactly one state. */
export interface Frame {
  regs: Reg[];
  /** Slot k holds bytes [-8(k+1), -8k); trailing empty slots may be missing. */
  stack: Slot[];
  readonly callsite: number;
  readonly frameno: number;
  readonly subprog: number;
  inCallback: boolean;
  inAsyncCallback: boolean;
  inExceptionCallback: boolean;
  /** Accepted values of r0 at the end of a callback. */
  retRange: RetRange;
  callbackDepth: number;
  asyncEntryCnt: number;
  /** Marks of what its slots are read and written by; null until they are asked for. */
  marks: Marks | null;
}

export interface RetRange {
  readonly min: bigint;
  readonly max: bigint;
  readonly is32: boolean;
}
export const RET_0_1: RetRange = { min: 0n, max: 1n, is32: false };
export const RET_0_0: RetRange = { min: 0n, max: 0n, is32: false };

/** Something that must be given back before the program ends. */
export interface Ref {
  readonly kind: "ptr" | "irq" | "lock" | "res_lock" | "res_lock_irq";
  readonly id: number;
  readonly insnIdx: number;
  /** Identity of the locked object. */
  readonly owner?: unknown;
}

/** A step that left straight line, or whose stack access precision needs to know. */
export interface HistoryEntry {
  readonly idx: number;
  readonly prevIdx: number;
  /** The step before on this path, since its last checkpoint; paths that parted share what lies before. */
  readonly before: HistoryEntry | null;
  /** Steps up to this one. */
  readonly count: number;
  /** Frame and slot of a stack access; -1 when none. */
  frameno: number;
  spi: number;
  /** Registers and slots that a jump refined together: groups of {frameno, reg or spi}. */
  linked: readonly LinkedPlace[] | null;
  /** Operands of a jump that are stack pointers. */
  isDstStack: boolean;
  isSrcStack: boolean;
}
export interface LinkedPlace {
  readonly frameno: number;
  readonly isReg: boolean;
  readonly index: number;
}

/** The abstract state of a path. `frames` is owned; everything else is replaced, never changed in place. */
export interface State {
  frames: Frame[];
  refs: readonly Ref[];
  activeLocks: number;
  activeLockId: number;
  activeLockOwner: unknown;
  isRcu: boolean;
  preemptLocks: number;
  activeIrqId: number;
  isSpeculative: boolean;
  inSleepable: boolean;
  /** Paths below a checkpoint that are not finished. */
  branches: number;
  parent: State | null;
  firstIdx: number;
  lastIdx: number;
  insnIdx: number;
  dfsDepth: number;
  callbackUnrollDepth: number;
  mayGotoDepth: number;
  /** The last step since the last checkpoint. */
  history: HistoryEntry | null;
  /** For a loop's closing edge: the checkpoint it equals. */
  equalState: State | null;
  /** Name of the loop that a checkpoint lies in, once it was asked for; null before. */
  loopChain: string | undefined | null;
  isCleaned: boolean;
}

/** r10 of each frame. */
const FRAME_POINTERS: readonly Reg[] = Array.from({ length: LIMITS.callFrames }, (_, frameno) =>
  pointerReg(REG.stack, { x: { frameno } }),
);

export function makeFrame(callsite: number, frameno: number, subprog: number): Frame {
  const regs = new Array<Reg>(11).fill(NOT_INIT);
  regs[10] = FRAME_POINTERS[frameno] as Reg;
  return {
    regs,
    stack: [],
    callsite,
    frameno,
    subprog,
    inCallback: false,
    inAsyncCallback: false,
    inExceptionCallback: false,
    retRange: RET_0_1,
    callbackDepth: 0,
    asyncEntryCnt: 0,
    marks: null,
  };
}

export function makeState(frame: Frame): State {
  return {
    frames: [frame],
    refs: [],
    activeLocks: 0,
    activeLockId: 0,
    activeLockOwner: undefined,
    isRcu: false,
    preemptLocks: 0,
    activeIrqId: 0,
    isSpeculative: false,
    inSleepable: false,
    branches: 1,
    parent: null,
    firstIdx: 0,
    lastIdx: 0,
    insnIdx: 0,
    dfsDepth: 0,
    callbackUnrollDepth: 0,
    mayGotoDepth: 0,
    history: null,
    equalState: null,
    loopChain: null,
    isCleaned: false,
  };
}

const copyFrame = (frame: Frame): Frame => ({
  regs: frame.regs.slice(),
  stack: frame.stack.slice(),
  callsite: frame.callsite,
  frameno: frame.frameno,
  subprog: frame.subprog,
  inCallback: frame.inCallback,
  inAsyncCallback: frame.inAsyncCallback,
  inExceptionCallback: frame.inExceptionCallback,
  retRange: frame.retRange,
  callbackDepth: frame.callbackDepth,
  asyncEntryCnt: frame.asyncEntryCnt,
  marks: frame.marks,
});

/** Copies a state. */
export const copyState = (state: State): State => ({
  frames: state.frames.map(copyFrame),
  refs: state.refs,
  activeLocks: state.activeLocks,
  activeLockId: state.activeLockId,
  activeLockOwner: state.activeLockOwner,
  isRcu: state.isRcu,
  preemptLocks: state.preemptLocks,
  activeIrqId: state.activeIrqId,
  isSpeculative: state.isSpeculative,
  inSleepable: state.inSleepable,
  branches: state.branches,
  parent: state.parent,
  firstIdx: state.firstIdx,
  lastIdx: state.lastIdx,
  insnIdx: state.insnIdx,
  dfsDepth: state.dfsDepth,
  callbackUnrollDepth: state.callbackUnrollDepth,
  mayGotoDepth: state.mayGotoDepth,
  history: state.history,
  equalState: null,
  loopChain: null,
  isCleaned: false,
});

export const curFrameno = (state: State): number => state.frames.length - 1;
export const curFrame = (state: State): Frame => state.frames[state.frames.length - 1] as Frame;
export const frameAt = (state: State, frameno: number): Frame => state.frames[frameno] as Frame;
export const slotAt = (frame: Frame, spi: number): Slot => frame.stack[spi] ?? EMPTY_SLOT;

/** Makes all slots up to `spi` exist. */
export function growStack(frame: Frame, spi: number): void {
  while (frame.stack.length <= spi) frame.stack.push(EMPTY_SLOT);
}

/** Calls back for every register and spilled register of a state; a result other than the given one replaces it. */
export function mapRegs(state: State, change: (reg: Reg) => Reg): void {
  for (const frame of state.frames) {
    for (let i = 0; i < 11; i++) {
      const reg = frame.regs[i] as Reg;
      const next = change(reg);
      if (next !== reg) frame.regs[i] = next;
    }
    for (let spi = 0; spi < frame.stack.length; spi++) {
      const slot = frame.stack[spi] as Slot;
      if (slot.reg === null || slot.kinds[7] !== "r") continue;
      const next = change(slot.reg);
      if (next !== slot.reg) frame.stack[spi] = { kinds: slot.kinds, reg: next };
    }
  }
}
