import { invariant } from "@tsbpf/base";
import { type Insn, type InsnRow, isWide, rowOf, targetSlotOf } from "@tsbpf/isa";
import { WASM_PAGE_BYTES } from "@tsbpf/memory";
import { funcAt, type Invoker, type LinkedProg, makeInvoker } from "@tsbpf/runtime";
import { ENTRY } from "./bounds.ts";
import { keptCounts, shortName } from "./kept.ts";
import type { RawHelper } from "./loop.gen.ts";
import { bindMapCall } from "./map-calls.ts";
import { OP, type OpName } from "./ops.gen.ts";

/** Words of one slot in predecoded code. */
export const SLOT_WORDS = 4;
/** Shift from a slot to its first word. */
export const SLOT_SHIFT = 2;

/** Places of the words of a slot. */
export const WORD = {
  /** Case number, destination and source as word indices into the registers. */
  op: 0,
  /** The immediate, or the index of a call's invoker. */
  imm: 1,
  /**
   * The offset of an access, less the page that is never touched; the distance of a jump or call in words, from the
   * next instruction; or the high half of a wide load.
   */
  off: 2,
  /** The entry of the bounds that the access met last. */
  entry: 3,
} as const;

const DST_SHIFT = 8;
const SRC_SHIFT = 16;
/** Bits of the case number in the first word. */
export const OP_MASK = 0xff;

/** Reads the register fields of a first word, as word indices. */
export const dstOf = (word: number): number => (word >> DST_SHIFT) & 30;
export const srcOf = (word: number): number => (word >> SRC_SHIFT) & 30;

/** A program as the loop takes it. */
export interface Code {
  readonly linked: LinkedProg;
  readonly isChecked: boolean;
  /** Change it through `patchCode` alone. */
  readonly words: Int32Array;
  /** Where the loop finds a copy if that is of the right epoch; `placement.ts` alone changes and reads them. */
  placedAt: number;
  placedIn: number;
  /** What acts on the calls, by the immediate of their slots. */
  readonly invokers: Invoker[];
  /** The implementation of each call that the loop makes itself, with the same index as its invoker. */
  readonly raws: readonly RawHelper[];
}

/**
 * Turns a linked program into words: four a slot, so slots and word indices differ by a shift only.
 *
 * Needs time linear in the slots.
 */
export function predecode(linked: LinkedProg, isChecked: boolean): Code {
  const { insns } = linked;
  const words = new Int32Array(insns.length * SLOT_WORDS);
  const invokers: Invoker[] = [];
  const raws: RawHelper[] = [];
  const kept = isChecked ? [] : keptCounts(linked);
  for (let slot = 0; slot < insns.length; slot++) {
    const insn = insns[slot] as Insn;
    const row = rowOf(insn);
    invariant(row !== undefined, "a linked program has only known instructions", { slot });
    const at = slot * SLOT_WORDS;
    words[at + WORD.op] = firstWord(opNameOf(insn, row, linked, isChecked), insn);
    words[at + WORD.imm] = insn.imm;
    words[at + WORD.off] = insn.off;
    words[at + WORD.entry] = isChecked ? ENTRY.never : ENTRY.open;
    const kind = row.action.kind;
    if (kind === "branch" || kind === "ja" || kind === "may_goto") {
      words[at + WORD.off] = distance(slot, targetSlotOf(insn, slot) as number);
    } else if (kind === "call") {
      placeCall(words, at, { linked, slot, invokers, raws, isChecked, kept });
    } else if (kind === "load" || kind === "store" || kind === "atomic") {
      words[at + WORD.off] = insn.off - WASM_PAGE_BYTES;
    } else if (kind === "alu") {
      placeAlu(words, at, insn, row);
    } else if (kind === "addr_cast") {
      words[at + WORD.imm] = linked.arenaUserHi;
    } else if (kind === "exit") {
      const func = funcAt(linked, slot);
      if (!isChecked) words[at + WORD.op] = firstWord(shortName("exit", kept[func?.idx ?? 0]), insn);
    } else if (isWide(insn)) {
      words[at + WORD.off] = (insns[slot + 1] as Insn).imm;
      words[at + SLOT_WORDS] = firstWord("bad", insn);
      slot++;
    }
  }
  return { linked, isChecked, words, placedAt: 0, placedIn: 0, invokers, raws };
}

const distance = (slot: number, target: number): number => (target - slot - 1) << SLOT_SHIFT;

const firstWord = (name: OpName, insn: Insn): number =>
  OP[name] | ((2 * insn.dst) << DST_SHIFT) | ((2 * insn.src) << SRC_SHIFT);

const SHIFT_MASK = 31;
const WIDE_SHIFT_MASK = 63;

/** Whether an instruction shifts 64 bits by a constant of 32 or more, where the halves change roles. */
const isHighShift = (insn: Insn): boolean => (insn.imm & WIDE_SHIFT_MASK) > SHIFT_MASK;

const isShift = (aluOp: string): boolean => aluOp === "lsh" || aluOp === "rsh" || aluOp === "arsh";

/** Names the case of an instruction; the row's own id where it has exactly one. */
function opNameOf(insn: Insn, row: InsnRow, linked: LinkedProg, isChecked: boolean): OpName {
  const { action } = row;
  switch (action.kind) {
    case "alu": {
      const isSplit =
        action.width === 64 && action.source === "k" && isShift(action.aluOp) && isHighShift(insn);
      return (isSplit ? `${row.id}.high` : row.id) as OpName;
    }
    case "addr_cast":
      return insn.imm === 1 || linked.arenaUserHi === 0 ? "addr_space_cast" : "addr_space_cast.user";
    case "wide":
      return "wide";
    case "packet":
      return "packet";
    case "ja":
      return "ja";
    case "atomic": {
      const isOrdered = action.atomicOp === "load_acquire" || action.atomicOp === "store_release";
      return isOrdered ? "atomic.ordered" : (row.id as OpName);
    }
    case "call":
      // `placeCall` knows the target.
      return "call";
    case "exit":
      return isChecked ? "exit.checked" : "exit";
    case "load":
    case "store":
      return (isChecked ? row.id : `${row.id}.open`) as OpName;
    case "end":
    case "branch":
    case "may_goto":
    case "gotox":
      return row.id as OpName;
  }
}

function placeAlu(words: Int32Array, at: number, insn: Insn, { action }: InsnRow): void {
  if (action.kind === "alu" && action.source === "k" && isShift(action.aluOp)) {
    words[at + WORD.imm] = insn.imm & SHIFT_MASK;
  }
}

interface CallPlace {
  readonly linked: LinkedProg;
  readonly slot: number;
  readonly invokers: Invoker[];
  readonly raws: RawHelper[];
  readonly isChecked: boolean;
  /** See `keptCounts`; empty for programs without proofs. */
  readonly kept: readonly (number | undefined)[];
}

function placeCall(
  words: Int32Array,
  at: number,
  { linked, slot, invokers, raws, isChecked, kept }: CallPlace,
): void {
  const target = linked.targets.get(slot);
  invariant(target !== undefined, "a linked program has a target for every call", { slot });
  const insn = linked.insns[slot] as Insn;
  const idx = invokers.length;
  words[at + WORD.imm] = idx;
  invokers.push(makeInvoker({ prog: linked, slot, target, isChecked }));
  if (target.kind === "subprog") {
    const name = isChecked ? "call.subprog.checked" : shortName("call.subprog", kept[target.funcIdx]);
    words[at + WORD.op] = firstWord(name, insn);
    words[at + WORD.off] = distance(slot, target.slot);
  } else if (target.kind === "helper" && !isChecked && !target.helper.proto.callsBack) {
    const raw = bindMapCall(linked, slot, target) ?? target.helper.raw;
    if (raw === undefined) return;
    words[at + WORD.op] = firstWord("call.raw", insn);
    raws[idx] = raw;
  }
}
