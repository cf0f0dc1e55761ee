import { invariant } from "@tsbpf/base";
import type { CodeWriter } from "./code.ts";
import { TYPE, type ValueType } from "./opcodes.ts";
import { ByteWriter } from "./writer.ts";

const SECTION = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const KIND = { func: 0, table: 1, memory: 2, global: 3 } as const;
const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const SHARED_LIMITS = 0x03;
const MAX_PAGES = 65_536;

/** Name of the one namespace from which modules import. */
export const NAMESPACE = "e";

/**
 * Builds a module: types without doubles, imports before functions, one imported memory.
 *
 * @source WebAssembly core specification §5.5
 */
export class ModuleBuilder {
  private readonly types = new ByteWriter(256);
  private typeCount = 0;
  private readonly typeIds = new Map<string, number>();
  private readonly imports = new ByteWriter(512);
  private importCount = 0;
  private readonly functions = new ByteWriter(128);
  private functionCount = 0;
  private importedFunctionCount = 0;
  private tableCount = 0;
  private globalCount = 0;
  private readonly exports = new ByteWriter(128);
  private exportCount = 0;
  private readonly code: ByteWriter;
  private bodyCount = 0;

  constructor(capacity = 8192) {
    this.code = new ByteWriter(capacity);
  }

  type(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params.join()}>${results.join()}`;
    const known = this.typeIds.get(key);
    if (known !== undefined) return known;
    const idx = this.typeCount++;
    this.typeIds.set(key, idx);
    this.types.u8(0x60);
    this.types.u32(params.length);
    for (const one of params) this.types.u8(one);
    this.types.u32(results.length);
    for (const one of results) this.types.u8(one);
    return idx;
  }

  importMemory(name: string, isShared: boolean): void {
    this.openImport(name, KIND.memory);
    this.imports.u8(isShared ? SHARED_LIMITS : 0);
    this.imports.u32(1);
    if (isShared) this.imports.u32(MAX_PAGES);
  }

  importTable(name: string): number {
    this.openImport(name, KIND.table);
    this.imports.u8(TYPE.funcref);
    this.imports.u8(0);
    this.imports.u32(0);
    return this.tableCount++;
  }

  /** Imports a word that never changes. */
  importWord(name: string): number {
    this.openImport(name, KIND.global);
    this.imports.u8(TYPE.i32);
    this.imports.u8(0);
    return this.globalCount++;
  }

  /** Imports a function; all imports come before the first declared function. */
  importFunction(name: string, params: readonly ValueType[], results: readonly ValueType[]): number {
    invariant(this.functionCount === 0, "imports come before functions", { name });
    const type = this.type(params, results);
    this.openImport(name, KIND.func);
    this.imports.u32(type);
    return this.importedFunctionCount++;
  }

  /** Declares a function; bodies follow in the same order. */
  declare(type: number): number {
    this.functions.u32(type);
    return this.importedFunctionCount + this.functionCount++;
  }

  exportFunction(name: string, index: number): void {
    this.exportCount++;
    this.exports.name(name);
    this.exports.u8(KIND.func);
    this.exports.u32(index);
  }

  /** Adds a body: how many locals of each type follow the parameters, and the code without its last `end`. */
  body(locals: readonly (readonly [count: number, type: ValueType])[], code: CodeWriter): void {
    this.bodyCount++;
    const size = this.code.openSize();
    this.code.u32(locals.length);
    for (const [count, type] of locals) {
      this.code.u32(count);
      this.code.u8(type);
    }
    this.code.append(code);
    this.code.u8(0x0b);
    this.code.closeSize(size);
  }

  finish(): Uint8Array<ArrayBuffer> {
    invariant(this.bodyCount === this.functionCount, "every function has a body");
    const out = new ByteWriter(this.code.length + this.imports.length + 512);
    for (const byte of MAGIC) out.u8(byte);
    section(out, SECTION.type, this.typeCount, this.types);
    section(out, SECTION.import, this.importCount, this.imports);
    section(out, SECTION.function, this.functionCount, this.functions);
    section(out, SECTION.export, this.exportCount, this.exports);
    section(out, SECTION.code, this.bodyCount, this.code);
    return out.finish();
  }

  private openImport(name: string, kind: number): void {
    this.importCount++;
    this.imports.name(NAMESPACE);
    this.imports.name(name);
    this.imports.u8(kind);
  }
}

function section(out: ByteWriter, id: number, count: number, content: ByteWriter): void {
  out.u8(id);
  const size = out.openSize();
  out.u32(count);
  out.append(content);
  out.closeSize(size);
}
