import { ATTACH_TYPES, PROG_TYPES, type ProgSpec } from "@tsbpf/abi";
import { checkExtension } from "./btf/extension.ts";
import { fieldsOfMap } from "./btf/fields.ts";
import { checkLsmHook } from "./btf/lsm-hooks.ts";
import { bindFuncs, openBtf } from "./btf/open.ts";
import { checkFuncRecords, checkLineRecords } from "./btf/records.ts";
import { acquireOwnedArgs, checkStructOps } from "./btf/struct-ops.ts";
import type { BtfView } from "./btf-view.ts";
import { setEntryArgs } from "./calls/global-args.ts";
import { checkTailCallMaps } from "./calls/tail-call.ts";
import { createEnv, type Env, type JudgedTarget, type Subprog } from "./env.ts";
import { LOG_STATS } from "./log/log.ts";
import { scratchAll } from "./log/print-state.ts";
import { makeMapInfo } from "./maps.ts";
import type { VerifyOptions } from "./options.ts";
import { Rejection, reject } from "./reject.ts";
import { pointerReg, REG } from "./state/reg.ts";
import { makeFrame, makeState } from "./state/state.ts";
import { checkCfg } from "./structure/cfg.ts";
import { registerKfuncs } from "./structure/kfuncs.ts";
import { checkAbnormalReturns, checkLayout } from "./structure/layout.ts";
import { computeLiveRegs } from "./structure/live-regs.ts";
import { resolveWideLoads } from "./structure/resolve.ts";
import { checkStackDepth } from "./structure/stack-depth.ts";
import { findSubprogs } from "./structure/subprogs.ts";
import { computeLoops, computePostorder } from "./structure/successors.ts";
import type { Verdict } from "./verdict.ts";
import { toVerdict } from "./verdict-of.ts";
import { walkAll } from "./walk/walk.ts";

/**
 * Decides whether Linux would load a program, in Linux's words.
 *
 * Verdict, error number, log and instruction counts are those of the profile's kernel. Nothing is thrown for a
 * program that is refused: the verdict says so.
 *
 * @throws BTF_… (InputError) when the program's BTF cannot be read.
 * @source linux 6.18; reference/calls.md, state.md, access.md, helpers_check.md, exploration.md
 */
export function verifyProg(spec: ProgSpec, options: VerifyOptions = {}): Verdict {
  const btf = openBtf(spec);
  const env = createEnv(spec, options, btf, spec.type === "ext" ? judgeTarget(options) : undefined);
  const refusal = runPasses(env, btf);
  if (env.log.isOn) logStats(env);
  return toVerdict(env, refusal);
}

/** Judges the program that an extension is for, without a log. */
function judgeTarget(options: VerifyOptions): JudgedTarget | undefined {
  const { targetProg, mapBtf: _maps, onState: _onState, ...rest } = options;
  if (targetProg === undefined) return undefined;
  const btf = openBtf(targetProg);
  const env = createEnv(targetProg, { ...rest, logLevel: 0 }, btf);
  return { env, refusal: runPasses(env, btf) };
}

function runPasses(env: Env, btf: BtfView | undefined): Rejection | undefined {
  try {
    prepare(env, btf);
    checkFuncRecords(env);
    const exceptionCallbackSlot = bindFuncs.exceptionCallbackSlot(env);
    registerKfuncs(env);
    findSubprogs(env, exceptionCallbackSlot);
    checkLayout(env);
    bindFuncs.bind(env);
    checkAbnormalReturns(env, bindFuncs.returnsInt(env));
    checkLineRecords(env);
    resolveWideLoads(env);
    checkCfg(env);
    computePostorder(env);
    checkSleepable(env);
    if (env.isExtension) checkExtension(env);
    else checkStructOps(env);
    checkLsmHook(env);
    computeLoops(env);
    computeLiveRegs(env);
    walkMain(env);
    walkGlobals(env);
    checkStackDepth(env);
    if (!env.isPerfmon) checkTailCallMaps(env);
    if (env.deadKfunc) {
      reject(env, "CALL_KFUNC", "EINVAL", "invalid kernel function call not eliminated in verifier pass");
    }
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Rejection) return thrown;
    throw thrown;
  }
}

const MAX_SLOTS = 1_000_000;
const PERFMON_TYPES: ReadonlySet<string> = new Set([
  "kprobe",
  "tracepoint",
  "perf_event",
  "raw_tracepoint",
  "raw_tracepoint_writable",
  "tracing",
  "lsm",
  "struct_ops",
  "ext",
]);

/** What the system call refuses before the verifier runs. */
function prepare(env: Env, btf: BtfView | undefined): void {
  env.spec.maps.forEach((map, idx) => {
    const own = env.options.mapBtf?.[idx];
    env.maps.push(makeMapInfo(map, idx, (one) => fieldsOfMap(one, own, btf)));
  });
  const type = env.isExtension ? "ext" : env.spec.type;
  if (!env.isPerfmon && PERFMON_TYPES.has(type)) {
    reject(env, "CALL_PRIVILEGE", "EPERM", `program type ${type} needs CAP_PERFMON`);
  }
  if (env.len === 0 || env.len > MAX_SLOTS) {
    reject(env, "LIMIT_SLOTS", "E2BIG", `program of ${env.len} slots, 1..${MAX_SLOTS} allowed`);
  }
}

/** Checks that the program type may sleep, or must (H-88). */
function checkSleepable(env: Env): void {
  const isSyscall = env.progType === PROG_TYPES.syscall && !env.isExtension;
  if (isSyscall && !env.isSleepable) {
    reject(env, "CALL_SLEEPABLE", "EINVAL", "Syscall programs can only be sleepable");
  }
  if (env.isSleepable && !maySleep(env)) {
    reject(
      env,
      "CALL_SLEEPABLE",
      "EINVAL",
      "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable",
    );
  }
}

const SLEEPABLE_TYPES: ReadonlySet<number> = new Set([
  PROG_TYPES.lsm,
  PROG_TYPES.kprobe,
  PROG_TYPES.struct_ops,
  PROG_TYPES.syscall,
]);
const SLEEPABLE_TRACING: ReadonlySet<number> = new Set([
  ATTACH_TYPES.trace_fentry,
  ATTACH_TYPES.trace_fexit,
  ATTACH_TYPES.modify_return,
  ATTACH_TYPES.trace_iter,
]);

/** Whether programs of this type may run where sleeping is allowed (H-88). */
const maySleep = (env: Env): boolean =>
  !env.isExtension &&
  (env.progType === PROG_TYPES.tracing
    ? SLEEPABLE_TRACING.has(env.attachType)
    : SLEEPABLE_TYPES.has(env.progType));

function startState(env: Env, subprog: Subprog): void {
  const frame = makeFrame(-1, 0, subprog.idx);
  const state = makeState(frame);
  state.firstIdx = subprog.start;
  state.lastIdx = -1;
  state.inSleepable = env.isSleepable;
  env.cur = state;
  env.insnIdx = subprog.start;
  env.prevLine = -1;
  scratchAll(env);
}

/** Rewinds a level 1 log after success. */
function finishWalk(env: Env): void {
  if (!env.log.isVerbose) env.log.rewind(0);
  env.explored.clear();
  env.loopVisits.clear();
  env.freeList.clear();
}

function walkMain(env: Env): void {
  const main = env.subprogs[0] as Subprog;
  startState(env, main);
  const frame = env.cur.frames[0];
  if (env.isExtension) {
    if (env.log.showsInsns) env.log.write(`Validating ${main.name}() func#0...\n`);
    if (frame !== undefined) setEntryArgs(env, main, frame);
  } else {
    bindFuncs.checkMain(env, main);
    acquireOwnedArgs(env);
    if (frame !== undefined) frame.regs[1] = pointerReg(REG.ctx);
  }
  walkAll(env);
  finishWalk(env);
}

/** Verifies global functions that something called, until no new one is called (C-84). */
function walkGlobals(env: Env): void {
  const exceptionCallback = env.subprogs[env.exceptionCallback];
  if (exceptionCallback !== undefined) exceptionCallback.isCalled = true;
  for (let hasNew = true; hasNew; ) {
    hasNew = false;
    for (const subprog of env.subprogs.slice(1)) {
      if (subprog.linkage !== "global" || !subprog.isCalled || subprog.isVerified) continue;
      startState(env, subprog);
      if (env.log.showsInsns) env.log.write(`Validating ${subprog.name}() func#${subprog.idx}...\n`);
      const frame = env.cur.frames[0];
      if (frame !== undefined) {
        if (subprog.isExceptionCallback) frame.inExceptionCallback = true;
        setEntryArgs(env, subprog, frame);
      }
      walkAll(env);
      finishWalk(env);
      if (env.log.showsInsns) {
        env.log.write(
          `Func#${subprog.idx} ('${subprog.name}') is safe for any args that match its prototype\n`,
        );
      }
      subprog.isVerified = true;
      hasNew = true;
    }
  }
}

function logStats(env: Env): void {
  const log = env.log;
  if ((log.level & LOG_STATS) !== 0) {
    const depths = env.subprogs.map((subprog) => subprog.stackBytes).join("+");
    log.write(`verification time 0 usec\nstack depth ${depths}\n`);
  }
  log.write(
    `processed ${env.processed} insns (limit 1000000) max_states_per_insn ${env.maxStatesPerInsn} total_states ${env.totalStates} peak_states ${env.peakStates} mark_read 0\n`,
  );
}
