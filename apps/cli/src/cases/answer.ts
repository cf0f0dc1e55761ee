import { errnoName, type ProgTypeName } from "@tsbpf/abi";
import { InputError, printHexBytes, RejectError, TsbpfError } from "@tsbpf/base";
import type { Btf } from "@tsbpf/btf";
import { createServices } from "@tsbpf/helpers";
import { toPlain } from "@tsbpf/replay";
import type { Verdict } from "@tsbpf/verifier";
import { verifyProg } from "@tsbpf/verifier";
import { createVm, type EngineName, type Prog, prepareProg, type Vm } from "@tsbpf/vm";
import { runningKernelTypes } from "../kernel-types.ts";
import type { Case, CaseMap, CaseRun } from "./case.ts";
import { dumpMap, fillMap } from "./maps.ts";

/** An answer of the protocol: plain JSON. */
export type Answer = Record<string, unknown>;

export interface AnswerOptions {
  readonly engine: EngineName;
  /** Whether a program that the verifier refuses still counts as loaded. */
  readonly verify: boolean;
  readonly withLog: boolean;
  /** Takes the program when it is ready to run. */
  readonly onProg?: (prog: Prog) => void;
}

const BUDGET = 200_000_000;

/** Answers one case; never throws. */
export function answerCase(one: Case, options: AnswerOptions): Answer {
  const answer: Answer = { name: one.name, loaded: false, errno: 0, engine: options.engine };
  try {
    const vm = createVm({
      isTestRun: true,
      // The kernel's test run has perf readers only where a case puts them.
      services: createServices({ perfReaders: "slots" }),
      maxPacketBytes: 1 << 17,
      memory: { initialBytes: 4 << 20 },
      budget: BUDGET,
    });
    const prog = loadCase(vm, one, options, answer);
    if (prog !== undefined && one.runs !== undefined) runCase(vm, prog, one, answer);
  } catch (error) {
    Object.assign(answer, failure(error));
  }
  return answer;
}

/** Describes what failed before there was a verdict. */
export function failure(error: unknown): Answer {
  if (!(error instanceof TsbpfError))
    return { error: `BUG_UNEXPECTED: ${String(error)}`, code: "BUG_UNEXPECTED" };
  const { errno } = error.details;
  return {
    error: error.message,
    code: error.code,
    ...(typeof errno === "number" ? { errno, errname: errnoName(errno) } : {}),
  };
}

function loadCase(vm: Vm, one: Case, options: AnswerOptions, answer: Answer): Prog | undefined {
  const live = one.maps.map((map) => vm.createMap(map.spec.name, { ...map.spec, isFrozen: false }));
  one.maps.forEach((map, idx) => {
    const target = live[idx];
    if (target !== undefined) fillMap(vm, map, target, live, (sub) => prepare(vm, sub, options));
  });
  const verdict = options.verify ? verifyCase(one, options) : undefined;
  if (verdict !== undefined) addVerdict(answer, verdict, options);
  if (verdict?.isAccepted === false) return undefined;
  try {
    const prog = prepare(vm, one, options, verdict);
    answer.loaded = true;
    return prog;
  } catch (error) {
    // Without the verifier the structural checks of linking are the verdict.
    if (verdict !== undefined) {
      answer.loaded = true;
      Object.assign(answer, { run_error: (error as Error).message, code: (error as TsbpfError).code });
      return undefined;
    }
    Object.assign(answer, { errno: 22, errname: "EINVAL", ...failureOfLink(error) });
    return undefined;
  }
}

const failureOfLink = (error: unknown): Answer =>
  error instanceof InputError || error instanceof RejectError
    ? { errline: error.message, code: error.code }
    : failure(error);

function verifyCase(one: Case, options: AnswerOptions): Verdict {
  // The log is the price of comparing words; counts and verdict come without it.
  return verifyProg(one.prog, {
    logLevel: options.withLog ? one.logLevel : one.logLevel === 0 ? 0 : 4,
    mapBtf: one.maps.map((map) => map.btf),
    ...(looksIntoKernel(one) ? kernelBtf() : {}),
  });
}

/** Program types whose context is made of the kernel's own types. */
const KERNEL_CONTEXT: ReadonlySet<ProgTypeName> = new Set([
  "tracing",
  "lsm",
  "struct_ops",
  "ext",
  "raw_tracepoint",
  "netfilter",
]);

/** Whether judging the program takes the kernel's types; they cost some time to read. */
const looksIntoKernel = ({ prog }: Case): boolean =>
  prog.kernelRefs.length > 0 || prog.attachTarget !== undefined || KERNEL_CONTEXT.has(prog.type);

function kernelBtf(): { readonly kernelBtf?: Btf } {
  const types = runningKernelTypes();
  return types === undefined ? {} : { kernelBtf: types };
}

function addVerdict(answer: Answer, verdict: Verdict, options: AnswerOptions): void {
  answer.loaded = verdict.isAccepted;
  answer.errno = verdict.errno;
  answer.processed_insns = verdict.stats.processedInsns;
  if (verdict.isAccepted) answer.verified_insns = verdict.stats.processedInsns;
  else {
    answer.errname = verdict.errnoName;
    answer.errline = verdict.message;
    answer.code = verdict.code;
  }
  if (options.withLog) answer.log = verdict.log;
}

function prepare(vm: Vm, one: Case, options: AnswerOptions, verdict?: Verdict): Prog {
  const prog = prepareProg(vm, one.prog, {
    engine: options.engine,
    verify: "off",
    ...(verdict === undefined ? {} : { verdict }),
  });
  options.onProg?.(prog);
  return prog;
}

function runCase(vm: Vm, prog: Prog, one: Case, answer: Answer): void {
  const outcomes: Answer[] = [];
  for (const run of one.runs ?? []) {
    for (let i = 0; i < run.times; i++) outcomes.push(runOnce(prog, run));
  }
  answer.runs = outcomes;
  const first = outcomes[0];
  if (first !== undefined) {
    answer.run_errno = first.errno;
    const { errno: _errno, errname: _errname, ...rest } = first;
    Object.assign(answer, first.errno === 0 ? rest : { code: first.code });
  }
  answer.maps = one.maps.map((map: CaseMap) => dumpMap(map, vm.maps.get(map.spec.name), prog.machine().cpu));
}

function runOnce(prog: Prog, run: CaseRun): Answer {
  const input = {
    ...(run.data === undefined ? {} : { packet: run.data }),
    ...(run.ctx === undefined ? {} : { ctx: run.ctx }),
  };
  try {
    let result = prog.run(input);
    const started = process.hrtime.bigint();
    // As in the kernel, repeats go on with the packet and context that the run before left.
    if (run.repeat > 1 && result.trap === undefined) result = prog.runAgain({ repeat: run.repeat - 1 });
    const durationNs = Number(process.hrtime.bigint() - started) / Math.max(1, run.repeat - 1);
    if (result.trap !== undefined) {
      return { errno: 0, trap: result.trap.message, code: result.trap.code, insn_count: result.insnCount };
    }
    return {
      errno: 0,
      retval: result.retval,
      duration_ns: run.repeat > 1 ? Math.round(durationNs) : 0,
      ...(run.data === undefined ? {} : { data_out: printHexBytes(result.packet) }),
      ...(run.ctx === undefined ? {} : { ctx_out: printHexBytes(result.ctx) }),
      insn_count: result.insnCount,
      ...(result.effects.length === 0 ? {} : { effects: toPlain(result.effects) }),
    };
  } catch (error) {
    const answer = failure(error);
    return { errno: 22, errname: "EINVAL", ...answer };
  }
}
