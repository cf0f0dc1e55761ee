import { existsSync } from "node:fs";
import type { ProgSpec } from "@tsbpf/abi";
import { PROG_FLAGS } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import type { Btf } from "@tsbpf/btf";
import { printExplanation, type Verdict, verifyProg } from "@tsbpf/verifier";
import { chooseProg, createVm } from "@tsbpf/vm";
import { EXIT } from "../exit.ts";
import { readKernelTypes } from "../kernel-types.ts";
import { printJson, progTypeOption, readSource } from "./input.ts";

interface VerifyWords {
  readonly prog?: string;
  readonly type: string;
  readonly logLevel: number;
  readonly explain?: boolean;
  readonly kernelBtf?: string;
  readonly target?: string;
  readonly strictAlignment?: boolean;
  readonly json?: boolean;
  readonly pretty?: boolean;
}

/** Says of each program whether Linux would load it; 1 when one would be refused. */
export async function runVerifyVerb(path: string, options: VerifyWords): Promise<number> {
  const vm = createVm();
  const spec = vm.readSource(await readSource(path), {
    name: path.split("/").at(-1) ?? path,
    progType: progTypeOption(options.type),
  });
  const progs = options.prog === undefined ? spec.progs : [chooseProg(spec.progs, options.prog)];
  const types = await readKernelTypes(options.kernelBtf);
  const target = options.target === undefined ? undefined : await readTarget(options.target);
  const judged = progs.map((prog) => ({ prog, verdict: judge(prog, options, types, target) }));
  if (options.json === true) {
    const documents = judged.map(({ prog, verdict }) => toDocument(prog, verdict, options));
    printJson(documents.length === 1 ? documents[0] : documents, options.pretty);
  } else {
    for (const { prog, verdict } of judged) printVerdict(prog, verdict, options);
  }
  return judged.every(({ verdict }) => verdict.isAccepted) ? EXIT.ok : EXIT.negative;
}

/** Programs that extensions may be for, and the function that they replace where their section names none. */
interface Target {
  readonly progs: readonly ProgSpec[];
  readonly func: string | undefined;
}

/** Reads `OBJ[:FUNC]`; a file of the whole name goes first. */
async function readTarget(word: string): Promise<Target> {
  const at = existsSync(word) ? -1 : word.lastIndexOf(":");
  const path = at < 0 ? word : word.slice(0, at);
  const { progs } = createVm().readSource(await readSource(path), { name: path.split("/").at(-1) ?? path });
  return { progs, func: at < 0 ? undefined : word.slice(at + 1) };
}

/** The program whose function an extension replaces: the first that has one of the name. */
function targetOf(
  prog: ProgSpec,
  { progs, func }: Target,
): { readonly prog: ProgSpec; readonly func: string } {
  const wanted = func ?? prog.attachTarget;
  const found = progs.find((one) => one.funcs.some(({ name }) => name === wanted));
  if (wanted !== undefined && found !== undefined) return { prog: found, func: wanted };
  const names = [...new Set(progs.flatMap((one) => one.funcs.map(({ name }) => name)))];
  throw new InputError(
    "OPTION_TARGET",
    wanted === undefined
      ? `${prog.name} names no function to replace: say --target OBJ:FUNC`
      : `the target has no function ${wanted}; it has ${names.join(", ") || "none with types"}`,
  );
}

function judge(
  given: ProgSpec,
  options: VerifyWords,
  types: Btf | undefined,
  target: Target | undefined,
): Verdict {
  const extended = given.type === "ext" && target !== undefined ? targetOf(given, target) : undefined;
  const prog = extended === undefined ? given : { ...given, attachTarget: extended.func };
  return verifyProg(prog, {
    logLevel: options.logLevel,
    flags: options.strictAlignment === true ? PROG_FLAGS.strictAlignment : 0,
    ...(types === undefined ? {} : { kernelBtf: types }),
    ...(extended === undefined ? {} : { targetProg: extended.prog }),
  });
}

function toDocument(prog: ProgSpec, verdict: Verdict, options: VerifyWords): unknown {
  const {
    isAccepted,
    errno,
    errnoName,
    code,
    message,
    summary,
    category,
    reason,
    suggestion,
    insnIdx,
    history,
    stats,
    log,
  } = verdict;
  const stack = {
    processed_insns: stats.processedInsns,
    max_states_per_insn: stats.maxStatesPerInsn,
    total_states: stats.totalStates,
    peak_states: stats.peakStates,
    stack_bytes: stats.stackBytes,
  };
  return {
    prog: prog.name,
    type: prog.type,
    accepted: isAccepted,
    ...(isAccepted
      ? {}
      : {
          errno,
          errname: errnoName,
          code,
          message,
          summary,
          category,
          reason,
          suggestion,
          slot: insnIdx,
          history,
        }),
    stats: stack,
    ...(options.logLevel === 0 ? {} : { log }),
  };
}

function printVerdict(prog: ProgSpec, verdict: Verdict, options: VerifyWords): void {
  if (options.logLevel !== 0)
    process.stdout.write(verdict.log.endsWith("\n") ? verdict.log : `${verdict.log}\n`);
  if (verdict.isAccepted) {
    process.stdout.write(
      `${prog.name} (${prog.type}): accepted, ${verdict.stats.processedInsns} instructions verified\n`,
    );
    return;
  }
  process.stdout.write(`${prog.name} (${prog.type}): refused (${verdict.errnoName}) [${verdict.code}]\n`);
  if (options.explain === true) process.stdout.write(printExplanation(verdict));
  // The kernel's own last line stands last, on standard error, where people grep for it.
  process.stderr.write(`${verdict.message}\n`);
}
