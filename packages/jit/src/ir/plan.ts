import type { RegionKind } from "@tsbpf/abi";
import type { RegMask } from "@tsbpf/isa";
import type { LinkedFunc, LinkedProg, Target } from "@tsbpf/runtime";
import { actionsOf } from "./actions.ts";
import { type Block, type Code, cutBlocks } from "./blocks.ts";
import { liveAtBlocks, targetUses } from "./liveness.ts";
import { type Lowered, lowerCall } from "./lowered.ts";

/** Functions of up to this many instructions are inlined into their callers. */
const INLINE_INSNS_MAX = 40;

/** What is known of a function before any code is emitted. */
export interface FuncPlan {
  readonly func: LinkedFunc;
  readonly blocks: readonly Block[];
  readonly insnCount: number;
  /** Functions that it calls directly. */
  readonly callees: readonly number[];
  /** Registers live at the start of each block. */
  live: Uint16Array;
  /** Whether its code needs the address of its frame, or passes it on. */
  needsFrame: boolean;
  /** Whether a tail call may happen before it returns. */
  mayTailCall: boolean;
  /** Whether a run may end inside it, so that its callers' counts must be up to date when it is called. */
  mayLeave: boolean;
  /** Frames on the longest chain of direct calls from it, itself included; infinite for recursion. */
  chain: number;
  readonly isInlinable: boolean;
}

/** A program, decoded and planned. */
export interface Plan extends Code {
  readonly prog: LinkedProg;
  readonly funcs: readonly FuncPlan[];
  /** Helper calls that become code of their own, by slot. */
  readonly lowered: ReadonlyMap<number, Lowered>;
}

/** Registers that a function reads before it writes them. */
export const liveInOf = (plan: FuncPlan): RegMask => plan.live[0] as number;

/** Decodes a program and finds what its functions need. Cost: linear in the slots, times a few rounds for recursion. */
export function makePlan(prog: LinkedProg): Plan {
  const code: Code = { insns: prog.insns, actions: actionsOf(prog.insns) };
  const lowered = new Map<number, Lowered>();
  const funcs = prog.funcs.map((func) => planFunc(prog, code, func, lowered));
  settle(prog, code, funcs);
  return { ...code, prog, funcs, lowered };
}

/** Whether calls of a target need the frame: depth and stack of what it may run are derived from it. */
function needsFrame(target: Target): boolean {
  switch (target.kind) {
    case "helper":
    case "kfunc":
      return target.helper.proto.callsBack;
    case "tail_call":
    case "indirect":
    case "throw":
      return true;
    case "subprog":
    case "missing":
      return false;
  }
}

const FRAME_POINTER = 10;

/** Regions whose accesses the engine looks at even in verified programs. */
const isSpecial = (region: RegionKind | undefined): boolean => region === "btf" || region === "arena";

function planFunc(prog: LinkedProg, code: Code, func: LinkedFunc, lowered: Map<number, Lowered>): FuncPlan {
  const blocks = cutBlocks(code, func);
  const callees = new Set<number>();
  let usesFrame = false;
  let mayTailCall = false;
  let mayLeave = false;
  let insnCount = 0;
  let isSimple = true;
  for (const block of blocks) {
    insnCount += block.count;
    if (block.kind === "may_goto" || block.kind === "gotox") isSimple = false;
    const target = block.kind === "call" ? prog.targets.get(block.last) : undefined;
    const own = target === undefined ? undefined : lowerCall(code, prog, block, target);
    if (own === undefined) continue;
    lowered.set(block.last, own);
    if (own.kind === "loop") callees.add(own.funcIdx);
  }
  for (let slot = func.start; slot < func.end; slot++) {
    const insn = code.insns[slot];
    const action = code.actions[slot];
    if (insn === undefined || action === undefined) continue;
    if (insn.dst === FRAME_POINTER || insn.src === FRAME_POINTER) usesFrame = true;
    if (action.kind === "packet" || action.kind === "gotox") {
      isSimple = false;
      mayLeave = true;
    }
    if (prog.facts?.accessRegion.has(slot) === true)
      mayLeave ||= isSpecial(prog.facts.accessRegion.get(slot));
    const target = action.kind === "call" ? prog.targets.get(slot) : undefined;
    if (target === undefined) continue;
    if (target.kind === "subprog") callees.add(target.funcIdx);
    else mayLeave = true;
    if (target.kind === "tail_call" || target.kind === "indirect") mayTailCall = true;
    if (needsFrame(target)) usesFrame = true;
  }
  const isInlinable = isSimple && !mayTailCall && insnCount <= INLINE_INSNS_MAX && func.idx !== 0;
  const live = new Uint16Array(blocks.length);
  return {
    func,
    blocks,
    insnCount,
    callees: [...callees],
    live,
    needsFrame: usesFrame,
    mayTailCall,
    mayLeave,
    chain: 1,
    isInlinable,
  };
}

/** Spreads facts along calls until nothing changes. */
function settle(prog: LinkedProg, code: Code, funcs: readonly FuncPlan[]): void {
  const liveIn = (idx: number): RegMask => {
    const plan = funcs[idx];
    return plan === undefined ? 0 : liveInOf(plan);
  };
  const callUses = (slot: number): RegMask => {
    const target = prog.targets.get(slot);
    return target === undefined ? 0 : targetUses(target, liveIn);
  };
  const open = new Set<FuncPlan>();
  const done = new Set<FuncPlan>();
  for (const plan of funcs) measureChain(plan, funcs, open, done);
  const dirty = new Set(funcs);
  while (dirty.size > 0) {
    // Callees mostly lie behind their callers, so backwards settles in few rounds.
    for (let i = funcs.length - 1; i >= 0; i--) {
      const plan = funcs[i] as FuncPlan;
      if (!dirty.delete(plan)) continue;
      if (!settleOne(plan, funcs, liveAtBlocks(code, plan.blocks, callUses))) continue;
      for (const caller of funcs) if (caller.callees.includes(i)) dirty.add(caller);
    }
  }
}

/** Measures the longest chain of calls; a program has at most 256 functions, so recursion is fine here. */
function measureChain(
  plan: FuncPlan,
  funcs: readonly FuncPlan[],
  open: Set<FuncPlan>,
  done: Set<FuncPlan>,
): number {
  if (open.has(plan)) return Number.POSITIVE_INFINITY;
  if (done.has(plan)) return plan.chain;
  open.add(plan);
  for (const idx of plan.callees) {
    plan.chain = Math.max(plan.chain, 1 + measureChain(funcs[idx] as FuncPlan, funcs, open, done));
  }
  open.delete(plan);
  done.add(plan);
  return plan.chain;
}

/** Takes over what callees need; returns whether that changed anything for callers. */
function settleOne(plan: FuncPlan, funcs: readonly FuncPlan[], live: Uint16Array): boolean {
  let { needsFrame: frame, mayTailCall: tail, mayLeave: leave } = plan;
  for (const idx of plan.callees) {
    const callee = funcs[idx] as FuncPlan;
    frame ||= callee.needsFrame;
    tail ||= callee.mayTailCall;
    leave ||= callee.mayLeave;
  }
  const isSame =
    frame === plan.needsFrame &&
    tail === plan.mayTailCall &&
    leave === plan.mayLeave &&
    live[0] === plan.live[0];
  plan.live = live;
  plan.needsFrame = frame;
  plan.mayTailCall = tail;
  plan.mayLeave = leave;
  return !isSame;
}
