import type { LinkedProg } from "@tsbpf/runtime";
import { SameBytes } from "./same-bytes.ts";

/** What compiling a program cost. */
export interface CompileReport {
  readonly prog: string;
  /** Bytes of the module. */
  readonly wasmBytes: number;
  readonly slotCount: number;
  /** Milliseconds for writing the module; of a compilation in the background, without what ran in between. */
  readonly generateMs: number;
  /** Milliseconds until WebAssembly had accepted it. */
  readonly compileMs: number;
  /** Whether a module of the same bytes was there already, so that nothing was compiled. */
  readonly isReused: boolean;
}

/** Milliseconds of a clock that only ever goes forward. */
export type NowMs = () => number;

type Bytes = Uint8Array<ArrayBuffer>;
type Steps = Generator<void, Bytes>;

/** How to compile beside other work. */
export interface InBackground {
  /** Lets other work run. */
  readonly pause: () => Promise<void>;
  /** Milliseconds after which that happens, as soon as a step is done. */
  readonly sliceMs: number;
}

/**
 * Compiled modules by program and form: a linked program is compiled once for each form that its runs ask for, and
 * what comes out the same for another program, as in VMs that are made alike, is not compiled again.
 */
export class ModuleCache {
  private readonly modules = new WeakMap<LinkedProg, Map<number, WebAssembly.Module>>();
  private readonly reports = new WeakMap<LinkedProg, CompileReport[]>();
  private readonly same = new SameBytes();
  private readonly nowMs: NowMs;
  private readonly onCompile: ((report: CompileReport) => void) | undefined;

  constructor(nowMs: NowMs, onCompile: ((report: CompileReport) => void) | undefined) {
    this.nowMs = nowMs;
    this.onCompile = onCompile;
  }

  /** What compiling a program cost so far, a report for each of its forms. */
  reportsOf(prog: LinkedProg): readonly CompileReport[] {
    return this.reports.get(prog) ?? [];
  }

  compile(prog: LinkedProg, key: number, generate: () => Bytes): WebAssembly.Module {
    const known = this.formsOf(prog).get(key);
    if (known !== undefined) return known;
    const start = this.nowMs();
    const bytes = generate();
    const generateMs = this.nowMs() - start;
    const reused = this.same.find(bytes);
    const module = reused ?? new WebAssembly.Module(bytes);
    const compileMs = this.nowMs() - start - generateMs;
    return this.keep(prog, key, { bytes, module, generateMs, compileMs, isReused: reused !== undefined });
  }

  /** Compiles a form beside other work; when a run compiles it meanwhile, that module is the one that counts. */
  async compileAhead(
    prog: LinkedProg,
    key: number,
    steps: Steps,
    { pause, sliceMs }: InBackground,
  ): Promise<void> {
    if (this.formsOf(prog).has(key)) return;
    let generateMs = 0;
    let bytes: Bytes | undefined;
    while (bytes === undefined) {
      const start = this.nowMs();
      while (bytes === undefined && this.nowMs() - start < sliceMs) {
        const step = steps.next();
        if (step.done === true) bytes = step.value;
      }
      generateMs += this.nowMs() - start;
      await pause();
    }
    const start = this.nowMs();
    const reused = this.same.find(bytes);
    const module = reused ?? (await WebAssembly.compile(bytes));
    if (this.formsOf(prog).has(key)) return;
    const compileMs = this.nowMs() - start;
    this.keep(prog, key, { bytes, module, generateMs, compileMs, isReused: reused !== undefined });
  }

  private formsOf(prog: LinkedProg): Map<number, WebAssembly.Module> {
    let forms = this.modules.get(prog);
    if (forms === undefined) {
      forms = new Map();
      this.modules.set(prog, forms);
    }
    return forms;
  }

  private keep(prog: LinkedProg, key: number, made: Made): WebAssembly.Module {
    const { bytes, module, generateMs, compileMs, isReused } = made;
    if (!isReused) this.same.add(bytes, module);
    this.formsOf(prog).set(key, module);
    const report: CompileReport = {
      prog: prog.spec.name,
      wasmBytes: bytes.length,
      slotCount: prog.insns.length,
      generateMs,
      compileMs,
      isReused,
    };
    const reports = this.reports.get(prog);
    if (reports === undefined) this.reports.set(prog, [report]);
    else reports.push(report);
    this.onCompile?.(report);
    return module;
  }
}

interface Made {
  readonly bytes: Bytes;
  readonly module: WebAssembly.Module;
  readonly generateMs: number;
  readonly compileMs: number;
  readonly isReused: boolean;
}
