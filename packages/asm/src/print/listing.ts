import { encodeInsns, type Insn, isWide, SLOT_BYTES } from "@tsbpf/isa";
import { type KernelPrintOptions, printKernelInsn } from "./kernel.ts";
import type { PrintSymbols } from "./symbols.ts";

/** The source line that a slot was compiled from. */
export interface ListingSource {
  readonly slot: number;
  readonly text: string;
  readonly fileName: string;
  readonly line: number;
  readonly column: number;
}

export interface ListingOptions {
  /** Prints the bytes of every instruction below it. */
  readonly opcodes?: boolean;
  /** Prints file, line and column after every source line. */
  readonly linum?: boolean;
  /** Source lines in order of slots; each is printed before the instruction that starts there. */
  readonly sources?: readonly ListingSource[];
  /** Prototypes such as `int prog(void * ctx)`, in order of slots; none is printed without type information. */
  readonly protos?: readonly { readonly slot: number; readonly text: string }[];
  readonly symbols?: PrintSymbols;
}

/** One instruction of a listing as bpftool's JSON has it. */
export interface ListingEntry {
  readonly proto?: string;
  readonly src?: string;
  readonly file?: string;
  readonly line_num?: number;
  readonly line_col?: number;
  readonly disasm: string;
  readonly opcodes?: ListingOpcodes;
}

/** The fields of an instruction as hex strings, `off` and `imm` byte by byte. */
export interface ListingOpcodes {
  readonly code: string;
  readonly src_reg: string;
  readonly dst_reg: string;
  readonly off: readonly string[];
  readonly imm: readonly string[];
}

/** The sources of wide loads that bpftool prints as something else than a number. */
const WIDE_SOURCE = { mapFd: 1, mapValue: 2, func: 4, mapIdxValue: 6 } as const;

/** Names a wide load's value as bpftool does; a known map's name takes the place of its id. */
function wideTextOf(insns: readonly Insn[], symbols: PrintSymbols) {
  return ({ src, imm }: Insn, _value: bigint, slot: number): string | undefined => {
    const offset = (insns[slot + 1]?.imm ?? 0) >>> 0;
    const map = symbols.mapName?.(slot) ?? `id:${imm >>> 0}`;
    if (src === WIDE_SOURCE.mapFd) return `map[${map}]`;
    if (src === WIDE_SOURCE.mapValue) return `map[${map}][0]+${offset}`;
    if (src === WIDE_SOURCE.mapIdxValue) return `map[idx:${imm >>> 0}]+${offset}`;
    if (src === WIDE_SOURCE.func) return `subprog[${imm < 0 ? "" : "+"}${imm}]`;
    return undefined;
  };
}

/** Options that make the kernel's printer print what bpftool prints. */
export function bpftoolPrintOptions(insns: readonly Insn[], symbols: PrintSymbols): KernelPrintOptions {
  return {
    ...(symbols.helperName === undefined ? {} : { helperName: symbols.helperName }),
    ...(symbols.kfuncName === undefined ? {} : { kfuncName: symbols.kfuncName }),
    wideText: wideTextOf(insns, symbols),
    calleeText: ({ imm }, slot) => {
      const name = symbols.labelName?.(slot + 1 + imm);
      return name === undefined ? undefined : `${imm < 0 ? "" : "+"}${imm}#${name}`;
    },
  };
}

const hexPairs = (bytes: Uint8Array): string[] =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"));

/** The bytes of an instruction, both slots of a wide load. */
const bytesOf = (insns: readonly Insn[], slot: number, slots: number): Uint8Array =>
  encodeInsns(insns.slice(slot, slot + slots));

function opcodesOf(insns: readonly Insn[], slot: number, slots: number): ListingOpcodes {
  const bytes = hexPairs(bytesOf(insns, slot, slots)).map((pair) => `0x${pair}`);
  const { src = 0, dst = 0 } = insns[slot] ?? {};
  return {
    code: bytes[0] ?? "0x00",
    src_reg: `0x${src.toString(16)}`,
    dst_reg: `0x${dst.toString(16)}`,
    off: bytes.slice(2, 4),
    // The twelve bytes of a wide load run on into its second slot, as in bpftool.
    imm: bytes.slice(4, slots === 2 ? SLOT_BYTES * 2 : SLOT_BYTES),
  };
}

/** Texts by slot, the first of several. */
function bySlot<Item extends { readonly slot: number }>(items: readonly Item[]): ReadonlyMap<number, Item> {
  const map = new Map<number, Item>();
  for (const item of items) if (!map.has(item.slot)) map.set(item.slot, item);
  return map;
}

function sourceFields(source: ListingSource | undefined, linum: boolean): Partial<ListingEntry> {
  if (source === undefined) return {};
  const src = { src: source.text.trimStart() };
  if (!linum) return src;
  return {
    ...src,
    file: source.fileName,
    ...(source.line === 0 ? {} : { line_num: source.line }),
    ...(source.column === 0 ? {} : { line_col: source.column }),
  };
}

/** Walks a program as bpftool does: slot by slot, but not into the second half of a wide load. */
function* walk(insns: readonly Insn[]): Generator<{ slot: number; slots: 1 | 2 }> {
  for (let slot = 0; slot < insns.length; slot++) {
    const insn = insns[slot];
    const slots = insn !== undefined && isWide(insn) && slot + 1 < insns.length ? 2 : 1;
    yield { slot, slots };
    slot += slots - 1;
  }
}

/** Lists a program as `bpftool -j prog dump xlated` does: one object an instruction. */
export function listProg(insns: readonly Insn[], options: ListingOptions = {}): ListingEntry[] {
  const print = bpftoolPrintOptions(insns, options.symbols ?? {});
  const sources = bySlot(options.sources ?? []);
  const protos = bySlot(options.protos ?? []);
  return Array.from(walk(insns), ({ slot, slots }) => {
    const proto = protos.get(slot);
    return {
      ...(proto === undefined ? {} : { proto: proto.text }),
      ...sourceFields(sources.get(slot), options.linum ?? false),
      disasm: printKernelInsn(insns, slot, print),
      ...(options.opcodes === true ? { opcodes: opcodesOf(insns, slot, slots) } : {}),
    };
  });
}

/**
 * Lists a program byte for byte as `bpftool prog dump xlated` does, with its `opcodes` and `linum` forms.
 *
 * Named maps print their name where bpftool prints an id, named functions follow the distance of a call.
 *
 * @source bpftool-prog(8) "prog dump xlated"
 */
export function printListing(insns: readonly Insn[], options: ListingOptions = {}): string {
  const print = bpftoolPrintOptions(insns, options.symbols ?? {});
  const sources = bySlot(options.sources ?? []);
  const protos = bySlot(options.protos ?? []);
  const lines: string[] = [];
  for (const { slot, slots } of walk(insns)) {
    const proto = protos.get(slot);
    if (proto !== undefined) lines.push(`${proto.text}:`);
    const source = sources.get(slot);
    if (source !== undefined) {
      const place = ` [file:${source.fileName} line_num:${source.line} line_col:${source.column}]`;
      lines.push(`; ${source.text.trimStart()}${options.linum === true ? place : ""}`);
    }
    lines.push(`${`${slot}`.padStart(4)}: ${printKernelInsn(insns, slot, print)}`);
    if (options.opcodes === true) lines.push(`       ${hexPairs(bytesOf(insns, slot, slots)).join(" ")}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}
