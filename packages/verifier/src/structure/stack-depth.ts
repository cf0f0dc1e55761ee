import { LIMITS } from "@tsbpf/base";
import { targetSlotOf } from "@tsbpf/isa";
import type { Env, Subprog } from "../env.ts";
import { reject, rejectUnterminated } from "../reject.ts";
import { subprogAt } from "./subprogs.ts";

/** Bytes above a function that contains a tail call. */
const TAIL_CALL_ABOVE = 256;

const roundDepth = (bytes: number): number => Math.ceil(bytes / 16) * 16;

interface CallSite {
  readonly subprog: Subprog;
  readonly slot: number;
}

/** Calls of a function in order of its code: pseudo calls, and references to synchronous callbacks (C-102). */
function callsOf(env: Env, subprog: Subprog): readonly CallSite[] {
  const calls: CallSite[] = [];
  for (let slot = subprog.start; slot < subprog.end; slot++) {
    const action = env.rows[slot]?.action;
    const isCall = action?.kind === "call" && action.callKind === "subprog";
    const isFunc = action?.kind === "wide" && action.wideKind === "func";
    if (!isCall && !isFunc) continue;
    const insn = env.insns[slot];
    const target = insn === undefined ? undefined : targetSlotOf(insn, slot);
    const callee = target === undefined ? undefined : subprogAt(env, target);
    if (callee === undefined || (isFunc && callee.isAsyncCallback)) continue;
    calls.push({ subprog: callee, slot });
  }
  return calls;
}

/** Private stacks: program types whose functions get a stack of their own where it is large (C-107). */
const PRIVATE_STACK_TYPES: ReadonlySet<string> = new Set([
  "kprobe",
  "tracepoint",
  "perf_event",
  "raw_tracepoint",
]);
const PRIVATE_STACK_MIN = 64;

/** Sums stack bytes along every call chain, and counts frames (C-100..C-109). */
export function checkStackDepth(env: Env): void {
  const calls = env.subprogs.map((subprog) => callsOf(env, subprog));
  const hasTailCall = env.subprogs.some((subprog) => subprog.hasTailCall);
  const hasPrivate = PRIVATE_STACK_TYPES.has(env.spec.type) && !hasTailCall;
  const inAsync = hasPrivate ? reachableFromAsync(env, calls) : new Set<number>();
  const isPrivate = (subprog: Subprog): boolean =>
    hasPrivate && !inAsync.has(subprog.idx) && roundDepth(subprog.stackBytes) >= PRIVATE_STACK_MIN;
  for (let idx = env.subprogs.length - 1; idx >= 0; idx--) {
    const root = env.subprogs[idx] as Subprog;
    if (idx !== 0 && !root.isAsyncCallback && !root.isExceptionCallback) continue;
    walkChain(env, root, calls, isPrivate);
  }
}

function reachableFromAsync(env: Env, calls: readonly (readonly CallSite[])[]): Set<number> {
  const found = new Set<number>();
  const todo = env.subprogs.filter((subprog) => subprog.isAsyncCallback).map((subprog) => subprog.idx);
  while (todo.length > 0) {
    const idx = todo.pop() as number;
    if (found.has(idx)) continue;
    found.add(idx);
    for (const call of calls[idx] ?? []) todo.push(call.subprog.idx);
  }
  return found;
}

interface Level {
  readonly subprog: Subprog;
  readonly depth: number;
  next: number;
  /** Whether a callback was entered on the way. */
  readonly inCallback: boolean;
}

function walkChain(
  env: Env,
  root: Subprog,
  calls: readonly (readonly CallSite[])[],
  isPrivate: (subprog: Subprog) => boolean,
): void {
  const chain: Level[] = [];
  // A function that was entered as deep, below as many bytes, has nothing new to say; chains alone may be countless.
  const entered = new Set<string>();
  const enter = (subprog: Subprog, above: number): void => {
    const parent = chain[chain.length - 1];
    if (parent !== undefined && subprog.hasTailCall && above >= TAIL_CALL_ABOVE) {
      reject(
        env,
        "LIMIT_TAIL_CALL_STACK",
        "EACCES",
        `tail_calls are not allowed when call stack of previous frames is ${above} bytes. Too large`,
      );
    }
    const own = roundDepth(subprog.stackBytes);
    if (isPrivate(subprog)) {
      if (own > LIMITS.stackBytes) {
        reject(env, "LIMIT_STACK", "EACCES", `stack size of subprog ${subprog.idx} is ${own}. Too large`);
      }
    } else if (above + own > LIMITS.stackBytes) {
      reject(
        env,
        "LIMIT_STACK",
        "EACCES",
        `combined stack size of ${chain.length + 1} calls is ${above + own}. Too large`,
      );
    }
    const depth = isPrivate(subprog) ? above : above + own;
    const inCallback = (parent?.inCallback ?? false) || subprog.isCallback;
    checkThrows(env, subprog, inCallback);
    const key = `${subprog.idx} ${chain.length} ${above} ${inCallback}`;
    if (entered.has(key)) return;
    entered.add(key);
    chain.push({ subprog, depth, next: 0, inCallback });
  };
  enter(root, 0);
  while (chain.length > 0) {
    const top = chain[chain.length - 1] as Level;
    const call = calls[top.subprog.idx]?.[top.next++];
    if (call === undefined) {
      chain.pop();
      continue;
    }
    if (chain.length >= LIMITS.callFrames) {
      reject(env, "LIMIT_FRAMES", "E2BIG", `the call stack of ${chain.length} frames is too deep !`);
    }
    const isDirect = env.insns[call.slot]?.op === 0x85;
    if (isDirect && call.subprog.isExceptionCallback) {
      rejectUnterminated(
        env,
        "CALL_EXCEPTION",
        "EINVAL",
        `insn ${call.slot} cannot call exception cb directly`,
      );
    }
    enter(call.subprog, top.depth);
  }
}

/** bpf_throw may not run inside a callback (C-109). */
function checkThrows(env: Env, subprog: Subprog, inCallback: boolean): void {
  if (!inCallback && !subprog.isExceptionCallback) return;
  for (let slot = subprog.start; slot < subprog.end; slot++) {
    if (env.kfuncOfSlot.get(slot) !== "bpf_throw") continue;
    reject(
      env,
      "CALL_THROW",
      "EINVAL",
      `bpf_throw kfunc (insn ${slot}) cannot be called from callback subprog ${subprog.idx}`,
    );
  }
}
