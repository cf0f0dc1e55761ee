import type { ProgSpec } from "@tsbpf/abi";
import { PROG_FLAGS } from "@tsbpf/abi";
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
  const judged = progs.map((prog) => ({ prog, verdict: judge(prog, options, types) }));
  if (options.json === true) {
    const documents = judged.map(({ prog, verdict }) => toDocument(prog, verdict, options));
    printJson(documents.length === 1 ? documents[0] : documents, options.pretty);
  } else {
    for (const { prog, verdict } of judged) printVerdict(prog, verdict, options);
  }
  return judged.every(({ verdict }) => verdict.isAccepted) ? EXIT.ok : EXIT.negative;
}

const judge = (prog: ProgSpec, options: VerifyWords, types: Btf | undefined): Verdict =>
  verifyProg(prog, {
    logLevel: options.logLevel,
    flags: options.strictAlignment === true ? PROG_FLAGS.strictAlignment : 0,
    ...(types === undefined ? {} : { kernelBtf: types }),
  });

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
