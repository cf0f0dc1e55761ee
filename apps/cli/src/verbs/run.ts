import { writeFile } from "node:fs/promises";
import { InputError } from "@tsbpf/base";
import { kernelHelpers, kernelKfuncs } from "@tsbpf/helpers";
import { kernelMapTypes } from "@tsbpf/maps";
import { kernelProgTypes } from "@tsbpf/progs";
import {
  compilationOf,
  loadPlugins,
  onLinkHeaders,
  printCompilation,
  printEffectLine,
  printMaps,
  TraceRecorder,
  toPlain,
  traceKind,
} from "@tsbpf/replay";
import {
  chooseProg,
  createVm,
  type EngineName,
  type LiveObject,
  type Prog,
  type RunResult,
  type VerifyMode,
} from "@tsbpf/vm";
import { EXIT } from "../exit.ts";
import { fileError, readInput } from "../io.ts";
import { readKernelTypes } from "../kernel-types.ts";
import { namesOption, printJson, progTypeOption, readSourceFile } from "./input.ts";
import { createNodeIo } from "./node-io.ts";
import { runTimes } from "./run-times.ts";

interface RunWords {
  readonly prog?: string;
  readonly type: string;
  readonly dataIn?: string;
  readonly dataOut?: string;
  readonly ctxIn?: string;
  readonly ctxOut?: string;
  readonly repeat?: number;
  readonly plugin: string[];
  readonly maps?: string | true;
  readonly trace?: string | true;
  readonly fuel?: number;
  readonly verbose?: boolean;
  readonly exitR0?: boolean;
  readonly json?: boolean;
  readonly pretty?: boolean;
  readonly engine: EngineName;
  readonly verify: VerifyMode;
  readonly kernelBtf?: string;
}

const BPFTOOL_WORDS: Readonly<Record<string, keyof RunWords>> = {
  data_in: "dataIn",
  data_out: "dataOut",
  ctx_in: "ctxIn",
  ctx_out: "ctxOut",
  repeat: "repeat",
};

/** Reads bpftool's bare words into the options of the same meaning. */
function withBpftoolWords(options: RunWords, words: readonly string[]): RunWords {
  const merged: Record<string, unknown> = { ...options };
  for (let i = 0; i < words.length; i += 2) {
    const key = BPFTOOL_WORDS[words[i] ?? ""];
    const value = words[i + 1];
    if (key === undefined || value === undefined) {
      throw new InputError(
        "OPTION_WORD",
        `${words[i]} found, one of ${Object.keys(BPFTOOL_WORDS).join(", ")} and its value needed`,
      );
    }
    if (key === "repeat" && !/^\d+$/.test(value))
      throw new InputError("OPTION_WORD", `repeat ${value} found, a whole number needed`);
    merged[key] = key === "repeat" ? Number(value) : value;
  }
  return merged as unknown as RunWords;
}

async function writeOutput(path: string, bytes: Uint8Array): Promise<void> {
  if (path === "-") {
    process.stdout.write(bytes);
    return;
  }
  try {
    await writeFile(path, bytes);
  } catch (error) {
    throw fileError(path, error);
  }
}

/** Only the interpreter tells of each instruction. */
function engineOf({ engine, trace }: RunWords): EngineName {
  if (trace === undefined || engine === "interpreter") return engine;
  if (engine === "auto") return "interpreter";
  process.stderr.write(
    `note: --trace needs every instruction, which only the interpreter tells of: it runs the program, not the ${engine}\n`,
  );
  return "interpreter";
}

/** Runs `tsbpf run`: bpftool's `prog run`, with its text and its JSON keys. */
export async function runRunVerb(path: string, words: readonly string[], given: RunWords): Promise<number> {
  const options = withBpftoolWords(given, words);
  const io = createNodeIo();
  const plugins = await loadPlugins(options.plugin, io);
  const { source, isClassic } = await readSourceFile(path);
  const kernelBtf = await readKernelTypes(options.kernelBtf);
  const vm = createVm({
    helpers: [...kernelHelpers, ...plugins.helpers],
    kfuncs: [...kernelKfuncs, ...(plugins.kfuncs ?? [])],
    ...(kernelBtf === undefined ? {} : { kernelBtf }),
    mapTypes: [...kernelMapTypes, ...plugins.mapTypes],
    progTypes: [...(isClassic ? onLinkHeaders(kernelProgTypes) : kernelProgTypes), ...plugins.progTypes],
    ...(options.fuel === undefined ? {} : { budget: options.fuel }),
  });
  const object = vm.loadObject(source, {
    name: path.split("/").at(-1) ?? path,
    progType: progTypeOption(options.type),
    engine: engineOf(options),
    verify: options.verify,
  });
  const prog = object.prog(chooseProg(object.spec.progs, options.prog).name);
  const packet = options.dataIn === undefined ? undefined : await readInput(options.dataIn);
  const ctx = options.ctxIn === undefined ? undefined : await readInput(options.ctxIn);
  const recorder = options.trace === undefined ? undefined : new TraceRecorder(traceKind(options.trace));
  const runOptions = recorder === undefined ? {} : { hooks: recorder.hooks() };
  const repeat = Math.max(1, options.repeat ?? 1);
  const input = { ...(packet === undefined ? {} : { packet }), ...(ctx === undefined ? {} : { ctx }) };
  const { result, durationNs } = await runTimes(prog, input, { ...runOptions, repeat });
  const trace = recorder?.lines(result.trap) ?? [];
  if (options.json !== true) for (const line of trace) process.stdout.write(`${line}\n`);
  if (options.dataOut !== undefined) await writeOutput(options.dataOut, result.packet);
  if (options.ctxOut !== undefined) await writeOutput(options.ctxOut, result.ctx);
  printResult(result, { durationNs, repeat, options, prog, object, trace });
  if (result.trap !== undefined) return EXIT.negative;
  return options.exitR0 === true ? result.retval & 0xff : EXIT.ok;
}

interface Printing {
  readonly durationNs: number;
  readonly repeat: number;
  readonly options: RunWords;
  readonly prog: Prog;
  readonly object: LiveObject;
  readonly trace: readonly string[];
}

function printResult(result: RunResult, printing: Printing): void {
  const { durationNs, repeat, options, prog, object, trace } = printing;
  const names = namesOption(options.maps);
  if (options.json === true) {
    const compilation = compilationOf(prog);
    const trap = result.trap === undefined ? {} : { error: result.trap.message, code: result.trap.code };
    printJson(
      {
        retval: result.retval,
        duration: durationNs,
        verdict: result.verdict,
        insns: result.insnCount,
        effects: toPlain(result.effects),
        ...(compilation === undefined ? {} : { compilation }),
        ...trap,
        ...(trace.length === 0 ? {} : { trace }),
      },
      options.pretty,
    );
    if (names !== undefined)
      process.stdout.write(printMaps(object, names, { json: true, pretty: options.pretty ?? false }));
    return;
  }
  if (result.trap !== undefined) {
    process.stderr.write(
      `error: ${result.trap.message} [${result.trap.code}], after ${result.insnCount} instructions\n`,
    );
  } else {
    const average = repeat > 1 ? " (average)" : "";
    process.stdout.write(`Return value: ${result.retval}, duration${average}: ${durationNs}ns\n`);
  }
  for (const effect of result.effects) process.stdout.write(`${printEffectLine(effect)}\n`);
  if (names !== undefined) process.stdout.write(printMaps(object, names, { json: false, pretty: false }));
  if (options.verbose === true) process.stderr.write(printCompilation(prog));
}
