import type { LinkedProg } from "@tsbpf/runtime";

/** What compiling a program cost. */
export interface CompileReport {
  readonly prog: string;
  /** Bytes of the module. */
  readonly wasmBytes: number;
  readonly slotCount: number;
  /** Milliseconds for writing the module. */
  readonly generateMs: number;
  /** Milliseconds until WebAssembly had accepted it. */
  readonly compileMs: number;
}

/** Milliseconds of a clock that only ever goes forward. */
export type NowMs = () => number;

/** Compiled modules by program and form: a linked program is compiled once for each form that its runs ask for. */
export class ModuleCache {
  private readonly modules = new WeakMap<LinkedProg, Map<number, WebAssembly.Module>>();
  private readonly nowMs: NowMs;
  private readonly onCompile: ((report: CompileReport) => void) | undefined;

  constructor(nowMs: NowMs, onCompile: ((report: CompileReport) => void) | undefined) {
    this.nowMs = nowMs;
    this.onCompile = onCompile;
  }

  compile(prog: LinkedProg, key: number, generate: () => Uint8Array<ArrayBuffer>): WebAssembly.Module {
    let byKey = this.modules.get(prog);
    if (byKey === undefined) {
      byKey = new Map();
      this.modules.set(prog, byKey);
    }
    const known = byKey.get(key);
    if (known !== undefined) return known;
    const start = this.nowMs();
    const bytes = generate();
    const generated = this.nowMs();
    const module = new WebAssembly.Module(bytes);
    byKey.set(key, module);
    this.onCompile?.({
      prog: prog.spec.name,
      wasmBytes: bytes.length,
      slotCount: prog.insns.length,
      generateMs: generated - start,
      compileMs: this.nowMs() - generated,
    });
    return module;
  }
}
