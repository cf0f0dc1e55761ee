import { type Insn, isWide, rowOf, targetSlotOf } from "@tsbpf/isa";
import { printKernelInsn } from "./kernel.ts";
import { bpftoolPrintOptions } from "./listing.ts";
import type { PrintSymbols } from "./symbols.ts";

export interface GraphOptions {
  readonly symbols?: PrintSymbols;
  /** Names of functions by their first slot; `func_0` and so on where there is none. */
  readonly funcName?: (slot: number) => string | undefined;
}

/** A stretch of code that is entered at its first slot and left after its last. */
interface Block {
  readonly head: number;
  readonly end: number;
}

/** Numbers of the two blocks of every function that hold no code. */
const ENTRY = 0;
const EXIT = 1;
const FIRST_BLOCK = 2;

const escapeRecord = (text: string): string => text.replace(/[<>|&{}"\\]/g, "\\$&");
const escapeLabel = (text: string): string => text.replace(/["\\]/g, "\\$&");

/** Where the functions of a program start: slot 0, and whatever is called or referred to. */
function funcStarts(insns: readonly Insn[]): number[] {
  const starts = new Set(insns.length > 0 ? [0] : []);
  insns.forEach((insn, slot) => {
    const kind = rowOf(insn)?.action.kind;
    if (kind !== "call" && kind !== "wide") return;
    const target = targetSlotOf(insn, slot);
    if (target !== undefined && target >= 0 && target < insns.length) starts.add(target);
  });
  return [...starts].sort((a, b) => a - b);
}

/** Where a slot leads besides the next one, and whether it leads there too. */
function leavesOf(
  insn: Insn,
  slot: number,
): { readonly target?: number; readonly falls: boolean; readonly exits: boolean } {
  const kind = rowOf(insn)?.action.kind;
  const target = targetSlotOf(insn, slot);
  if (kind === "exit") return { falls: false, exits: true };
  if (target === undefined || kind === "call" || kind === "wide") {
    return { falls: kind !== "gotox", exits: false };
  }
  return { target, falls: kind !== "ja", exits: false };
}

/** Cuts a function at the targets of its jumps and behind them. */
function blocksOf(insns: readonly Insn[], start: number, end: number): Block[] {
  const heads = new Set([start]);
  for (let slot = start; slot < end; slot++) {
    const insn = insns[slot];
    if (insn === undefined) continue;
    const { target, falls, exits } = leavesOf(insn, slot);
    if (target !== undefined && target >= start && target < end) heads.add(target);
    if ((target !== undefined || exits || !falls) && slot + 1 < end) heads.add(slot + 1);
    if (isWide(insn)) slot++;
  }
  const sorted = [...heads].sort((a, b) => a - b);
  return sorted.map((head, k) => ({ head, end: sorted[k + 1] ?? end }));
}

/** The last slot of a block at which an instruction starts. */
function tailOf(insns: readonly Insn[], { head, end }: Block): number {
  let tail = head;
  for (let slot = head; slot < end; slot++) {
    tail = slot;
    const insn = insns[slot];
    if (insn !== undefined && isWide(insn)) slot++;
  }
  return tail;
}

interface Cluster {
  readonly insns: readonly Insn[];
  readonly idx: number;
  readonly start: number;
  readonly blocks: readonly Block[];
  /** Numbers of the blocks by their first slot. */
  readonly numberOf: ReadonlyMap<number, number>;
  readonly print: (slot: number) => string;
}

const nodeName = ({ idx }: Cluster, block: number): string => `fn_${idx}_bb_${block}`;

/** Prints the box of a block; slots count from the function's start, as in bpftool. */
function blockLines(cluster: Cluster, block: Block, number: number): string[] {
  const { insns, start, print } = cluster;
  const rows: string[] = [];
  for (let slot = block.head; slot < block.end; slot++) {
    const insn = insns[slot];
    rows.push(`${`${slot - start}`.padStart(4)}: ${escapeRecord(print(slot))}\\l\\`);
    if (insn !== undefined && isWide(insn)) slot++;
  }
  const [first = "", ...rest] = rows;
  const name = nodeName(cluster, number);
  return [
    `\t${name} [shape=record,style=filled,label="{${first}`,
    ...rest.map((row) => ` | ${row}`),
    '}"];',
    "",
  ];
}

function edgeLine(cluster: Cluster, from: number, to: number): string {
  const style = 'style="solid,bold", color=black, weight=10, constraint=true';
  return `\t${nodeName(cluster, from)}:s -> ${nodeName(cluster, to)}:n [${style}];`;
}

/** Prints the edges out of a block: to the next one first, then the jump. */
function edgeLines(cluster: Cluster, block: Block, number: number): string[] {
  const { insns, blocks, numberOf } = cluster;
  const tail = tailOf(insns, block);
  const insn = insns[tail];
  if (insn === undefined) return [];
  const { target, falls, exits } = leavesOf(insn, tail);
  const next = number + 1 < FIRST_BLOCK + blocks.length ? number + 1 : EXIT;
  const lines: string[] = [];
  if (exits) lines.push(edgeLine(cluster, number, EXIT));
  if (falls) lines.push(edgeLine(cluster, number, next));
  if (target === undefined) return lines;
  const to = numberOf.get(target);
  lines.push(
    to === undefined
      ? `\t// slot ${tail} leads to slot ${target}, outside its function`
      : edgeLine(cluster, number, to),
  );
  return lines;
}

function clusterLines(cluster: Cluster, label: string): string[] {
  const box = (block: number, text: string): string[] => [
    `\t${nodeName(cluster, block)} [shape=Mdiamond,style=filled,label="${text}"];`,
    "",
  ];
  return [
    `subgraph "cluster_${cluster.idx}" {`,
    '\tstyle="dashed";',
    '\tcolor="black";',
    `\tlabel="${escapeLabel(label)} ()";`,
    ...box(ENTRY, "ENTRY"),
    ...cluster.blocks.flatMap((block, k) => blockLines(cluster, block, FIRST_BLOCK + k)),
    ...box(EXIT, "EXIT"),
    edgeLine(cluster, ENTRY, FIRST_BLOCK),
    ...cluster.blocks.flatMap((block, k) => edgeLines(cluster, block, FIRST_BLOCK + k)),
    `\t${nodeName(cluster, ENTRY)}:s -> ${nodeName(cluster, EXIT)}:n [style="invis", constraint=true];`,
    "}",
  ];
}

/**
 * Prints the control flow of a program in DOT, as `bpftool prog dump xlated … visual` does.
 *
 * Differs from bpftool where that draws what does not happen: an `exit` leads to EXIT and ends its block, `gotol`
 * leads to its target, and functions that are only referred to are functions of their own.
 *
 * @source bpftool-prog(8) "visual"
 */
export function printGraph(insns: readonly Insn[], options: GraphOptions = {}): string {
  const kernelOptions = bpftoolPrintOptions(insns, options.symbols ?? {});
  const print = (slot: number): string => printKernelInsn(insns, slot, kernelOptions);
  const starts = funcStarts(insns);
  const clusters = starts.flatMap((start, idx) => {
    const blocks = blocksOf(insns, start, starts[idx + 1] ?? insns.length);
    const numberOf = new Map(blocks.map(({ head }, k) => [head, FIRST_BLOCK + k]));
    const label = options.funcName?.(start) ?? `func_${idx}`;
    return clusterLines({ insns, idx, start, blocks, numberOf, print }, label);
  });
  const lines = ['digraph "DOT graph for eBPF program" {', ...clusters, "}"];
  return lines.map((line) => `${line}\n`).join("");
}
