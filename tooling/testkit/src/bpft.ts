import {
  kfuncByName,
  MAP_TYPES,
  type MapSpec,
  type MapTypeName,
  PROG_FLAGS,
  PROG_TYPES,
  type ProgSpec,
  type ProgTypeName,
  protoByName,
} from "@tsbpf/abi";
import { assemble, type PlacedComment } from "@tsbpf/asm";
import { InputError, parseHexBytes } from "@tsbpf/base";
import type { Privilege } from "@tsbpf/verifier";
import { type DeclaredTypes, declareTypes, valueTypeOf } from "./bpft-types.ts";

/**
 * Reads `.bpft` files: programs with what is expected of them beside the very instruction.
 *
 *     == T-60 C-53: r1 is gone after a call
 *     prog: xdp
 *       call f
 *       r0 = r1            ; reject REG_UNINIT R1 !read_ok
 *       exit
 *     f:
 *       r0 = 0
 *       exit
 *
 * A case starts at `==`. Header lines, all optional: `prog:` type (socket_filter), `attach:` number, `maps:` list of
 * `name=type(key, value, entries[, flags[, frozen]])`, `caps: bpf` for no CAP_PERFMON, `flags:` names of PROG_FLAGS,
 * `license:`, `input:` a packet in hex (64 bytes 0, 1, 2, … when omitted), `gap:` why the case is known to fail.
 *
 * `btf:` lines, each a declaration of C as `bpft-types.ts` reads them, give the program types: its functions by the name
 * of their label, `main` at the start, those without a declaration `static int f()`; and maps the type of their values,
 * `m=array(4, 16, 1):val` for `struct val`; `btf_id(val)` in the code is that type's number. A map of maps names one before
 * it that its inner maps are like: `o=array_of_maps(4, 4, 1):m`. `kernel:` lines declare the
 * kernel's own types that we are to know; the running kernel has its own. `target:` names the kernel function or
 * tracepoint that a program of tracing attaches to.
 *
 * `;` starts an expectation, or another one of the same line; `#` and `//` start remarks.
 *
 * - `reject CODE [message]`, of the instruction it stands at, or of the whole program on a line of its own; of a message
 *   of several lines the first
 * - `state r1=[0,255] fp-8=7 | r1=5`, before the instruction: each visit of the walk is one of the alternatives, and each
 *   alternative is met. Values are numbers, `[min,max]`, `w[min,max]` of the low half, `?` for no value, kinds of a
 *   slot's bytes, and the log's text without ids
 * - `trap CODE`: a run ends at the instruction
 * - `log TEXT`, anywhere: what the verifier writes holds the text, here and in the kernel
 * - `accept`, `r0 = N`: on lines of their own
 */

/** What is expected at one instruction, or of a whole program where `slot` is missing. */
export type BpftExpectation =
  | { readonly kind: "reject"; readonly slot?: number; readonly code: string; readonly message: string }
  | { readonly kind: "state"; readonly slot: number; readonly places: readonly BpftPlace[] }
  | { readonly kind: "trap"; readonly slot: number; readonly code: string }
  | { readonly kind: "log"; readonly text: string }
  | { readonly kind: "accept" }
  | { readonly kind: "r0"; readonly value: bigint };

/** What one register or stack slot is to be, as the file writes it. */
export interface BpftPlace {
  /** Register number, or the negative offset of eight bytes from the frame pointer. */
  readonly at: number;
  readonly text: string;
}

/** One program of a file. */
export interface BpftCase {
  readonly title: string;
  readonly line: number;
  readonly spec: ProgSpec;
  readonly privilege: Privilege;
  readonly packet: Uint8Array;
  readonly gap: string | undefined;
  /** Types of the kernel that we are told of. */
  readonly kernelBtf: Uint8Array | undefined;
  readonly expects: readonly BpftExpectation[];
}

const HEADER = /^(prog|attach|maps|caps|flags|license|input|gap|btf|kernel|target):\s*(.*)$/;

/**
 * Parses a file.
 *
 * @throws BPFT_SYNTAX (InputError) with file and line; ASM_… (AsmError) for code that does not assemble.
 */
export function parseBpft(text: string, file: string): BpftCase[] {
  const blocks: { title: string; line: number; lines: string[] }[] = [];
  text.split("\n").forEach((lineText, idx) => {
    if (lineText.startsWith("==")) {
      blocks.push({ title: lineText.slice(2).trim(), line: idx + 1, lines: [] });
    } else if (blocks.length > 0) blocks.at(-1)?.lines.push(lineText);
    else if (!/^\s*(#.*)?$/.test(lineText)) throw fault(file, idx + 1, "text before the first ==");
  });
  return blocks.map((block) => parseCase(block, file));
}

const fault = (file: string, line: number, why: string): InputError =>
  new InputError("BPFT_SYNTAX", `${file}:${line}: ${why}`, { details: { file, line } });

/** The number of a declared struct, in code. */
const BTF_ID = /\bbtf_id\((\w+)\)/g;

function parseCase(
  block: { readonly title: string; readonly line: number; readonly lines: readonly string[] },
  file: string,
): BpftCase {
  const header = new Map<string, string>();
  const declared = { btf: [] as string[], kernel: [] as string[] };
  let codeAt = 0;
  for (const lineText of block.lines) {
    const found = HEADER.exec(lineText);
    if (found === null && !/^\s*(#.*)?$/.test(lineText)) break;
    codeAt++;
    const [, name, value = ""] = found ?? [];
    if (name === "btf" || name === "kernel") declared[name].push(value);
    else if (name !== undefined) header.set(name, value.trim());
  }
  const firstLine = block.line + codeAt;
  const where = (line: number, why: string) => fault(file, firstLine + line, why);
  const fail = (why: string) => where(0, why);
  const ids = declared.btf.length === 0 ? undefined : declareTypes(declared.btf, [], fail).types;
  const code = block.lines
    .slice(codeAt)
    .join("\n")
    .replace(BTF_ID, (_all, name: string) => {
      const id = ids?.get(name);
      if (id === undefined) throw fail(`no type ${name} in btf:`);
      return `${id}`;
    });
  const prog = assemble(code, {
    file,
    entryName: "main",
    symbols: {
      helperIdOf: (name) => protoByName(name)?.id ?? protoByName(`bpf_${name}`)?.id,
      kfuncOf: (name) => (kfuncByName(name) === undefined ? undefined : { btfId: 1 }),
    },
  });
  const names = prog.funcs.map(({ name }) => name);
  const types = declared.btf.length === 0 ? undefined : declareTypes(declared.btf, names, fail);
  const maps = parseMaps(header.get("maps") ?? "", types, fail);
  const target = header.get("target");
  const spec: ProgSpec = {
    name: "case",
    type: parseType(header.get("prog") ?? "socket_filter", fail),
    attachType: Number(header.get("attach") ?? 0),
    flags: parseFlags(header.get("flags") ?? "", fail),
    license: header.get("license") ?? "GPL",
    insns: prog.insns,
    maps,
    mapRefs: prog.mapRefs.map(({ slot, name }) => {
      const mapIdx = maps.findIndex((map) => map.name === name);
      if (mapIdx < 0) throw where(0, `map ${name} is not in the header`);
      return { slot, mapIdx };
    }),
    kernelRefs: prog.kernelRefs.map((ref) => ({ ...ref, isWeak: false })),
    funcs:
      types === undefined ? [] : prog.funcs.map((func) => ({ ...func, ...funcOf(types, func.name, fail) })),
    lines: [],
    ...(types === undefined ? {} : { btf: types.btf }),
    ...(target === undefined ? {} : { attachTarget: target }),
    autoload: true,
  };
  const comments = prog.comments.filter((comment) => comment.mark === ";");
  const expects = comments.flatMap((comment) =>
    comment.text
      .split(NEXT)
      .flatMap((text) => parseExpectation(text, comment, (why) => where(comment.line, why))),
  );
  if (expects.length === 0) throw where(0, "the case expects nothing");
  const input = header.get("input");
  return {
    title: block.title,
    line: block.line,
    spec,
    privilege: header.get("caps") === "bpf" ? "bpf" : "all",
    packet: input === undefined ? Uint8Array.from({ length: 64 }, (_, i) => i) : parseHexBytes(input),
    gap: header.get("gap"),
    kernelBtf: declared.kernel.length === 0 ? undefined : declareTypes(declared.kernel, [], fail).btf,
    expects,
  };
}

type Fault = (why: string) => InputError;

function funcOf({ funcs }: DeclaredTypes, name: string, fail: Fault) {
  const func = funcs.get(name);
  if (func === undefined) throw fail(`function ${name} has no type`);
  return func;
}

function parseType(name: string, fail: Fault): ProgTypeName {
  if (!(name in PROG_TYPES)) throw fail(`no program type ${name}`);
  return name as ProgTypeName;
}

function parseFlags(text: string, fail: Fault): number {
  let flags = 0;
  for (const name of text.split(/[\s,]+/).filter((one) => one !== "")) {
    if (!(name in PROG_FLAGS)) throw fail(`no program flag ${name}, there are: ${Object.keys(PROG_FLAGS)}`);
    flags |= PROG_FLAGS[name as keyof typeof PROG_FLAGS];
  }
  return flags;
}

const MAP = /^(\w+)=(\w+)\(([^)]*)\)(?::(\w+))?$/;

function parseMaps(text: string, types: DeclaredTypes | undefined, fail: Fault): MapSpec[] {
  const maps: MapSpec[] = [];
  for (const one of text.split(/\s*;\s*/).filter((item) => item !== "")) {
    maps.push(parseMap(one, maps, types, fail));
  }
  return maps;
}

function parseMap(
  text: string,
  before: readonly MapSpec[],
  types: DeclaredTypes | undefined,
  fail: Fault,
): MapSpec {
  const [, name, type, list, likeName] = MAP.exec(text) ?? [];
  if (name === undefined || type === undefined || !(type in MAP_TYPES)) throw fail(`no map: ${text}`);
  const items = (list ?? "").split(",").map((item) => item.trim());
  const [keyBytes = 4, valueBytes = 8, maxEntries = 1, flags = 0] = items.slice(0, 4).map(Number);
  const isOfMaps = type.endsWith("_of_maps");
  const inner = isOfMaps ? before.find((map) => map.name === likeName) : undefined;
  if (isOfMaps && inner === undefined) throw fail(`${name} names no map before it that inner maps are like`);
  const valueName = isOfMaps ? undefined : likeName;
  const value = valueName === undefined || types === undefined ? undefined : valueTypeOf(types, valueName);
  if (valueName !== undefined && value?.bytes !== valueBytes) {
    throw fail(`${value?.bytes ?? "no"} bytes are in type ${valueName}, ${valueBytes} in a value of ${name}`);
  }
  const isFrozen = items[4] === "frozen";
  return {
    name,
    type: type as MapTypeName,
    keyBytes,
    valueBytes,
    maxEntries,
    flags,
    ...(inner === undefined ? {} : { inner }),
    ...(value === undefined
      ? {}
      : {
          btfKeyTypeId: types?.types.get("int") ?? 0,
          btfValueTypeId: value.typeId,
          valueFields: value.fields,
        }),
    ...(isFrozen ? { isFrozen, contents: [countingEntry(keyBytes, valueBytes)] } : {}),
  };
}

/** Entry 0 of a frozen map: bytes 1, 2, 3, … */
const countingEntry = (keyBytes: number, valueBytes: number) => ({
  key: new Uint8Array(keyBytes),
  value: Uint8Array.from({ length: valueBytes }, (_, i) => i + 1),
});

/** Where one expectation of a line ends and the next begins. */
const NEXT = /\s*;\s*(?=(?:reject|state|trap|log)\b)/;

function parseExpectation(
  text: string,
  { slot }: Pick<PlacedComment, "slot">,
  fail: Fault,
): BpftExpectation[] {
  const [word = "", code = ""] = text.split(/\s+/);
  const at = slot === undefined ? {} : { slot };
  const isWhole = slot === undefined;
  if (word === "reject" && code !== "") {
    return [{ kind: "reject", ...at, code, message: text.replace(/^reject\s+\S+\s*/, "") }];
  }
  if (word === "log" && code !== "") return [{ kind: "log", text: text.replace(/^log\s+/, "") }];
  if (word === "accept" && isWhole) return [{ kind: "accept" }];
  if (word === "trap" && slot !== undefined && code !== "") return [{ kind: "trap", slot, code }];
  const result = /^r0\s*=\s*(-?\w+)$/.exec(text)?.[1];
  if (result !== undefined && isWhole) return [{ kind: "r0", value: toBig(result) }];
  if (word === "state" && slot !== undefined) {
    const ways = text.replace(/^state\s+/, "").split(/\s+\|\s+/);
    return ways.map((way) => ({ kind: "state", slot, places: parsePlaces(way, fail) }));
  }
  throw fail(`no expectation: ${text}${isWhole ? "" : ", or it needs a line of its own"}`);
}

/** Reads a number of a file, decimal or hex. */
export const toBig = (text: string): bigint => (text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text));

function parsePlaces(text: string, fail: Fault): BpftPlace[] {
  return text.split(/\s+(?=(?:r\d+|fp-\d+)=)/).map((item) => {
    const [, reg, off, value] = /^(?:r(\d+)|fp(-\d+))=(.+)$/.exec(item) ?? [];
    if (value === undefined) throw fail(`no place: ${item}`);
    return { at: Number(reg ?? off), text: value.trim() };
  });
}
