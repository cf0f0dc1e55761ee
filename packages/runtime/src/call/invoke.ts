import { protoFor } from "@tsbpf/abi";
import { LIMITS } from "@tsbpf/base";
import type { HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { toEngineProg } from "../engine.ts";
import type { CallEvent } from "../hooks.ts";
import { isFuncStart, type LinkedProg } from "../linked-prog.ts";
import type { Machine } from "../machine.ts";
import { isFuncPointer, type Target } from "../target.ts";
import { helperThrew, trap } from "../trap.ts";
import { type ArgCheck, makeArgChecks } from "./check-args.ts";
import { FRAME, framePointerOf, LEAVE, pushFrame, replaceProg } from "./frames.ts";
import { makeTypedCall, type TypedCall } from "./marshal.ts";

/** What an engine does after a call: the results of an {@link Invoker}. */
export const AFTER_CALL = {
  /** Go on at the next slot; the result is in r0. */
  next: 0,
  /** A frame was opened: go on at `entry.slot` of the same program. */
  enter: 1,
  /** The running frame belongs to another program now: go on at slot 0 of `machine.current`. */
  replace: 2,
  /**
   * All frames of the program but its first are gone: it exits with r0, or goes on at `entry.slot` when that is not
   * negative.
   */
  unwind: 3,
} as const;

/** Acts on one call site; `regs` is the live register file. */
export type Invoker = (machine: Machine, regs: Int32Array) => number;

/** Where the last call that opened a frame goes on. */
export const entry = { slot: 0 };

/** A call site that is to be made ready. */
export interface InvokerSite {
  readonly prog: LinkedProg;
  readonly slot: number;
  readonly target: Target;
  /** Whether arguments are checked and scratch registers cleared: for programs without proofs. */
  readonly isChecked: boolean;
}

/**
 * Makes what acts on a call site: the only code that knows what each kind of target does.
 *
 * Frames, the depth limit, tail calls and the hooks for calls are handled here for every engine. An engine may
 * inline a pseudo call when it opens the frame as `pushFrame` does.
 */
export function makeInvoker(site: InvokerSite): Invoker {
  const { prog, slot, target } = site;
  const act = makeAction(site);
  const event: CallEvent = { prog, slot, target };
  const actHooked: Invoker = (machine, regs) => {
    machine.hooks?.onCall?.(machine, event, regs);
    const after = act(machine, regs);
    if (after === AFTER_CALL.next) machine.hooks?.onReturn?.(machine, event, regs);
    return after;
  };
  if (target.kind === "helper" && target.helper.raw !== undefined && !site.isChecked) {
    return makeRawCall(target.helper.raw, target.helper.proto.name, actHooked);
  }
  return (machine, regs) => (machine.hooks === undefined ? act(machine, regs) : actHooked(machine, regs));
}

/** The way of most helper calls of programs with proofs: as few steps as possible. */
function makeRawCall(raw: RawHelper, name: string, actHooked: Invoker): Invoker {
  return (machine, regs) => {
    if (machine.hooks !== undefined) return actHooked(machine, regs);
    try {
      raw(regs, machine.env);
    } catch (thrown) {
      throw helperThrew(thrown, name);
    }
    return AFTER_CALL.next;
  };
}

function makeAction(site: InvokerSite): Invoker {
  const { target } = site;
  switch (target.kind) {
    case "helper":
    case "kfunc":
      return makeHelperCall(site, target.helper);
    case "tail_call":
      return makeTailCall(site, target.helper);
    case "subprog":
      return makeSubprogCall(site, target.slot);
    case "indirect":
      return makeIndirectCall(site, target.reg);
    case "throw":
      return makeThrow(target.callbackSlot);
    case "missing":
      return () => {
        throw trap("RUN_HELPER_MISSING", `call of ${target.name}, which is not implemented here`, {
          name: target.name,
        });
      };
  }
}

const R1 = 2;
const R6 = 12;
const R10 = 20;

/** Clears r1..r5, which hold nothing after a call (ISA-86). */
function clearScratch(regs: Int32Array): void {
  for (let i = R1; i < R6; i++) regs[i] = 0;
}

/** Clears r0 and r6..r9, which hold nothing when a function starts. */
function clearEntry(regs: Int32Array): void {
  regs[0] = 0;
  regs[1] = 0;
  for (let i = R6; i < R10; i++) regs[i] = 0;
}

function checksOf({ prog, isChecked }: InvokerSite, helper: HelperPlugin): readonly ArgCheck[] {
  return isChecked ? makeArgChecks(protoFor(helper.proto.id, prog.spec.type) ?? helper.proto) : [];
}

function makeHelperCall(site: InvokerSite, helper: HelperPlugin): Invoker {
  const { raw, proto } = helper;
  const body: TypedCall =
    raw === undefined ? makeTypedCall(helper) : (machine, regs) => raw(regs, machine.env);
  const checks = checksOf(site, helper);
  const { isChecked } = site;
  return (machine, regs) => {
    try {
      for (let i = 0; i < checks.length; i++) checks[i]?.(machine, regs);
      body(machine, regs);
    } catch (thrown) {
      throw helperThrew(thrown, proto.name);
    }
    if (isChecked) clearScratch(regs);
    return AFTER_CALL.next;
  };
}

function makeSubprogCall({ slot, isChecked }: InvokerSite, target: number): Invoker {
  return (machine, regs) => enter(machine, regs, { from: slot, to: target, isChecked });
}

function enter(
  machine: Machine,
  regs: Int32Array,
  { from, to, isChecked }: { from: number; to: number; isChecked: boolean },
): number {
  pushFrame(machine, regs, from + 1);
  if (isChecked) clearEntry(regs);
  entry.slot = to;
  return AFTER_CALL.enter;
}

/**
 * Calls through a register: a function pointer opens a frame, a small number is the id of a helper, as userspace
 * machines define it (ISA-91).
 */
function makeIndirectCall(site: InvokerSite, reg: number): Invoker {
  const { prog, slot, isChecked } = site;
  const helpers = new Map<number, Invoker>();
  return (machine, regs) => {
    const lo = regs[2 * reg] as number;
    const hi = regs[2 * reg + 1] as number;
    if (isFuncPointer(hi) && isFuncStart(prog, lo))
      return enter(machine, regs, { from: slot, to: lo, isChecked });
    const helper = hi === 0 ? prog.helpersById.get(lo) : undefined;
    if (helper === undefined) {
      throw trap("RUN_CODE_ADDRESS", `call through r${reg}, which holds no function and no helper id`, {
        lo: lo >>> 0,
        hi: hi >>> 0,
      });
    }
    let invoker = helpers.get(lo);
    if (invoker === undefined) {
      invoker =
        helper.proto.name === TAIL_CALL_NAME ? makeTailCall(site, helper) : makeHelperCall(site, helper);
      helpers.set(lo, invoker);
    }
    return invoker(machine, regs);
  };
}

const TAIL_CALL_NAME = "bpf_tail_call";

/**
 * Tail call: the target takes over the running frame, and its exit returns to that frame's caller (C-167). It falls
 * through when the index is out of range, the slot empty, or 33 have succeeded in the run (C-166, ISA-90).
 */
function makeTailCall(site: InvokerSite, helper: HelperPlugin): Invoker {
  const checks = checksOf(site, helper);
  return (machine, regs) => {
    for (let i = 0; i < checks.length; i++) checks[i]?.(machine, regs);
    const { env } = machine;
    const map = env.mapAt((regs[4] as number) >>> 0);
    const index = (regs[6] as number) >>> 0;
    const stored =
      machine.tailCallCount < LIMITS.tailCalls && map?.progSlots !== undefined && index < map.spec.maxEntries
        ? map.progSlots.progAt(index)
        : undefined;
    const next = toEngineProg(stored);
    if (map === undefined || next === undefined) {
      if (site.isChecked) clearFailedTailCall(regs);
      return AFTER_CALL.next;
    }
    machine.tailCallCount++;
    if (env.effects.isOn) {
      env.effects.record({ kind: "tail_call", map: map.spec.name, index, prog: next.prog.spec.name });
    }
    replaceProg(machine, next);
    clearEntry(regs);
    for (let i = R1 + 2; i < R6; i++) regs[i] = 0;
    return AFTER_CALL.replace;
  };
}

/** A tail call that failed leaves nothing in r0..r5. */
function clearFailedTailCall(regs: Int32Array): void {
  regs[0] = 0;
  regs[1] = 0;
  clearScratch(regs);
}

/**
 * `bpf_throw`: every frame of the program but its first is dropped, r0 is the cookie, or what the exception callback
 * makes of it (C-150, C-152, ISA-142).
 */
function makeThrow(callbackSlot: number | undefined): Invoker {
  return (machine, regs) => {
    if (isInCallback(machine)) throw trap("RUN_OPCODE", "bpf_throw inside a callback");
    machine.depth = machine.progBase;
    regs[R10] = framePointerOf(machine, machine.depth);
    regs[R10 + 1] = 0;
    entry.slot = callbackSlot ?? -1;
    const lo = regs[R1] as number;
    const hi = regs[R1 + 1] as number;
    clearEntry(regs);
    clearScratch(regs);
    const to = callbackSlot === undefined ? 0 : R1;
    regs[to] = lo;
    regs[to + 1] = hi;
    return AFTER_CALL.unwind;
  };
}

/** Says whether a helper waits for one of the frames of the running program. */
function isInCallback({ depth, progBase, frames }: Machine): boolean {
  for (let idx = progBase; idx < depth; idx++) {
    if (((frames.words[idx * FRAME.words + FRAME.leave] as number) & LEAVE.outside) !== 0) return true;
  }
  return false;
}
