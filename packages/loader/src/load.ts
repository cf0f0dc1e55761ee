import type { ObjectSpec, ProgSpec } from "@tsbpf/abi";
import type { Btf, BtfExt } from "@tsbpf/btf";
import { type Assembled, createAssembler } from "./code/assemble.ts";
import { type CoreReport, type RelocatedCode, relocateCore } from "./code/core-relocations.ts";
import { type CodeFunction, hiddenSubprogs, type ObjectCode, readCode } from "./code/functions.ts";
import { buildRecords, type RecordTable } from "./code/records.ts";
import type { ElfFile } from "./elf/elf.ts";
import { objectName } from "./maps/data-maps.ts";
import { buildMaps, type MapTable } from "./maps/map-table.ts";
import { collectExterns, type Externs } from "./object/externs.ts";
import { fixBtf } from "./object/fix-btf.ts";
import { type KconfigValues, type KernelVersion, virtualValues } from "./object/kconfig.ts";
import { type ObjectParts, takeApart } from "./object/parts.ts";
import { structOpsKey, structOpsTargets } from "./object/struct-ops.ts";
import { isNewerSection, sectionMeaning } from "./section-names.ts";

/** How to load an object. */
export interface LoadOptions {
  /** File name; names the object and, as in libbpf, its data maps. Default "object". */
  readonly name?: string;
  /** Values of kernel configuration options that the object asks for. Default none. */
  readonly kconfig?: KconfigValues;
  /**
   * Types of the kernel that CO-RE relocations are answered for. Without it the object's own types stand for
   * themselves: fields lie where the compiler put them, everything that is asked for exists.
   */
  readonly targetBtf?: Btf;
  /** Release that `LINUX_KERNEL_VERSION` reads. Default 6.18.0. */
  readonly kernelVersion?: KernelVersion;
}

const DEFAULT_KERNEL: KernelVersion = [6, 18, 0];

/**
 * Loads a compiled BPF object: one spec for each program, with the functions it needs, and one for each map.
 *
 * The result depends on the bytes and the options alone, and shares no memory with `bytes`.
 *
 * @throws ELF_… and BTF_… (InputError) for malformed objects, naming section and offset; UnsupportedError for
 *   valid ones that need something this version does not have.
 * @source linux tools/lib/bpf/libbpf.c bpf_object__open_mem, bpf_object__relocate
 */
export const loadObject = (bytes: Uint8Array, options: LoadOptions = {}): ObjectSpec =>
  inspectObject(bytes, options).spec;

/** Everything the loader finds in an object, for tools that show it. */
export interface ObjectInspection {
  readonly spec: ObjectSpec;
  readonly elf: ElfFile;
  /** The object's types as they are in the file. */
  readonly btf: Btf | undefined;
  readonly ext: BtfExt | undefined;
  readonly coreReport: readonly CoreReport[];
}

/**
 * Loads an object as {@link loadObject} does and also returns what it was made from.
 *
 * @throws as loadObject
 */
export function inspectObject(bytes: Uint8Array, options: LoadOptions = {}): ObjectInspection {
  // A plain copy: the spec must not change with the caller's bytes, and a Node Buffer's slices would share them.
  const parts = takeApart(new Uint8Array(bytes));
  const name = objectName(options.name ?? "object");
  const code = readCode(parts);
  const externs = collectExterns(
    parts.elf,
    parts.btf,
    {
      kconfig: options.kconfig ?? {},
      virtual: virtualValues(options.kernelVersion ?? DEFAULT_KERNEL),
      target: options.targetBtf,
    },
    parts.warnings,
  );
  const btf =
    parts.btf === undefined ? undefined : fixBtf(parts.btf, parts.elf, externs.kconfig, hiddenSubprogs(code));
  const maps = buildMaps(name, parts, btf, externs);
  if (parts.elf.endian === "big") {
    parts.warnings.push(
      "the object is big-endian: its code can be read, but runs only on little-endian data",
    );
  }
  const core =
    parts.btf === undefined || parts.ext === undefined
      ? WITHOUT_CORE
      : relocateCore(parts.btf, parts.ext, options.targetBtf, code.sections.values());
  const btfBytes = btf === undefined ? undefined : btf.bytes.slice();
  const progs = buildProgs({ parts, code, externs, btf, btfBytes, maps, core });
  const spec = {
    name,
    license: parts.license,
    progs,
    maps: maps.maps,
    ...(btfBytes === undefined ? {} : { btf: btfBytes }),
    warnings: parts.warnings,
  };
  return { spec, elf: parts.elf, btf: parts.btf, ext: parts.ext, coreReport: core.report };
}

const WITHOUT_CORE: RelocatedCode = {
  insnsOf: (section) => section.insns,
  defectsOf: () => new Map(),
  report: [],
};

interface Build {
  readonly parts: ObjectParts;
  readonly code: ObjectCode;
  readonly externs: Externs;
  readonly btf: Btf | undefined;
  readonly btfBytes: Uint8Array | undefined;
  readonly maps: MapTable;
  readonly core: RelocatedCode;
}

function buildProgs(build: Build): ProgSpec[] {
  const { parts, code, externs, maps } = build;
  const callbacks = exceptionCallbacks(build);
  const assembler = createAssembler({
    link: { code, maps, externs, sectionName: (index) => parts.elf.sections[index]?.name ?? String(index) },
    relocationsOf: (section) => parts.elf.relocationsOf(section.section),
    core: build.core,
    exceptionCallbackOf: (entry) => callbacks.get(entry.name),
  });
  const records = recordsOf(build);
  const members = structOpsTargets(parts.elf, build.btf);
  return code.entries.map((entry) => {
    const prog = buildProg(build, entry, assembler.assemble(entry), records);
    const member = prog.type === "struct_ops" ? members.get(structOpsKey(entry)) : undefined;
    return member === undefined ? prog : { ...prog, attachTarget: member };
  });
}

function recordsOf({ parts, btf }: Build): RecordTable | undefined {
  if (parts.btf === undefined || parts.ext === undefined || btf === undefined) return undefined;
  return buildRecords(btf, parts.ext);
}

const EXCEPTION_CALLBACK = "exception_callback:";

/** Returns for each function name that has one the function that its declaration tag names (L-43). */
function exceptionCallbacks({ btf, code, parts }: Build): ReadonlyMap<string, CodeFunction> {
  const found = new Map<string, CodeFunction>();
  const text = parts.text === undefined ? undefined : code.sections.get(parts.text.index);
  if (btf === undefined || text === undefined) return found;
  const byName = new Map([...text.functions.values()].map((func) => [func.name, func]));
  for (let id = btf.firstId; id < btf.endId; id++) {
    const tag = btf.kindOf(id) === "decl_tag" ? btf.typeOfKind(id, "decl_tag") : undefined;
    if (tag === undefined || tag.component !== -1 || !tag.name.startsWith(EXCEPTION_CALLBACK)) continue;
    const callback = byName.get(tag.name.slice(EXCEPTION_CALLBACK.length));
    if (callback !== undefined) found.set(btf.type(tag.type).name, callback);
  }
  return found;
}

function buildProg(
  { parts, btfBytes }: Build,
  entry: CodeFunction,
  assembled: Assembled,
  records: RecordTable | undefined,
): ProgSpec {
  const section = entry.section.section.name;
  const meaning = sectionMeaning(section);
  if (meaning.type === "unspec") {
    const why = isNewerSection(section) ? "which needs Linux 7" : "give its type when loading it";
    parts.warnings.push(`prog ${entry.name}: section ${section} names no program type, ${why}`);
  }
  const funcs = records?.funcsOf(assembled.layout);
  const lines = records?.linesOf(assembled.layout);
  if (records !== undefined && funcs === undefined) {
    parts.warnings.push(
      `prog ${entry.name}: function info does not cover all of its functions and is left out`,
    );
  }
  return {
    name: entry.name,
    type: meaning.type,
    attachType: meaning.attachType,
    flags: meaning.flags,
    license: parts.license,
    insns: assembled.insns,
    maps: assembled.maps,
    mapRefs: assembled.mapRefs,
    kernelRefs: assembled.kernelRefs,
    funcs: funcs?.specs ?? [],
    lines: lines?.specs ?? [],
    ...(funcs === undefined ? {} : { funcInfo: funcs.raw }),
    // The kernel takes line records only with function records.
    ...(funcs === undefined || lines?.raw === undefined ? {} : { lineInfo: lines.raw }),
    ...(btfBytes === undefined ? {} : { btf: btfBytes }),
    ...(meaning.attachTarget === undefined ? {} : { attachTarget: meaning.attachTarget }),
    section,
    autoload: meaning.autoload,
    ...(assembled.defect === undefined ? {} : { defect: assembled.defect }),
  };
}
