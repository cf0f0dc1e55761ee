import { type Action, type Insn, slotsOf, targetSlotOf } from "@tsbpf/isa";
import type { LinkedFunc } from "@tsbpf/runtime";
import type { RoundsEnd } from "./rounds.ts";

/** How a block ends; graphs add blocks of no instructions for rounds, and lookups that end with a test for null. */
export type BlockEnd =
  | "next"
  | "call"
  | "lookup"
  | "ja"
  | "branch"
  | "may_goto"
  | "gotox"
  | "exit"
  | RoundsEnd;

/** A straight run of instructions of one function. */
export interface Block {
  readonly start: number;
  /** One past the last slot. */
  readonly end: number;
  /** Slot of the last instruction. */
  readonly last: number;
  /** Instructions, the last included. */
  readonly count: number;
  readonly kind: BlockEnd;
  /** Index of the block where a jump leads, or -1. */
  readonly taken: number;
  /** Index of the block that follows, or -1 when control never falls through. */
  readonly fall: number;
}

export interface Code {
  readonly insns: readonly Insn[];
  readonly actions: readonly (Action | undefined)[];
}

const KIND: Readonly<Record<Action["kind"], BlockEnd>> = {
  alu: "next",
  end: "next",
  addr_cast: "next",
  load: "next",
  store: "next",
  atomic: "next",
  wide: "next",
  packet: "call",
  ja: "ja",
  branch: "branch",
  may_goto: "may_goto",
  gotox: "gotox",
  call: "call",
  exit: "exit",
};

/** Says how a block ends that ends with the instruction at a slot. */
const endKind = ({ actions }: Code, slot: number): BlockEnd => {
  const action = actions[slot];
  return action === undefined ? "next" : KIND[action.kind];
};

/**
 * Cuts a function into blocks: they begin at its start, at jump targets and after jumps and calls.
 *
 * Guarantees: blocks are in order of slots, every instruction lies in one. Cost: linear.
 */
export function cutBlocks(code: Code, func: LinkedFunc): readonly Block[] {
  const { insns } = code;
  const isLeader = new Uint8Array(func.end - func.start + 2);
  const isSplit = hasGotox(code, func);
  isLeader[0] = 1;
  for (let slot = func.start; slot < func.end; slot += slotsOf(insns[slot] as Insn)) {
    const kind = endKind(code, slot);
    const next = slot + slotsOf(insns[slot] as Insn) - func.start;
    if (isSplit) isLeader[next] = 1;
    if (kind === "next") continue;
    isLeader[next] = 1;
    if (kind === "ja" || kind === "branch" || kind === "may_goto") {
      isLeader[(targetSlotOf(insns[slot] as Insn, slot) as number) - func.start] = 1;
    }
  }
  const indexAt = new Int32Array(func.end - func.start + 2).fill(-1);
  let count = 0;
  for (let i = 0; i < func.end - func.start; i++) if (isLeader[i] === 1) indexAt[i] = count++;
  return makeBlocks(code, func, indexAt);
}

function makeBlocks(code: Code, func: LinkedFunc, indexAt: Int32Array): Block[] {
  const { insns } = code;
  const blocks: Block[] = [];
  let start = func.start;
  let count = 0;
  for (let slot = func.start; slot < func.end; ) {
    const next = slot + slotsOf(insns[slot] as Insn);
    count++;
    if (next >= func.end || (indexAt[next - func.start] as number) >= 0) {
      const kind = endKind(code, slot);
      const isJump = kind === "ja" || kind === "branch" || kind === "may_goto";
      const target = isJump ? (targetSlotOf(insns[slot] as Insn, slot) as number) - func.start : -1;
      const falls = kind !== "ja" && kind !== "exit" && kind !== "gotox" && next < func.end;
      blocks.push({
        start,
        end: next,
        last: slot,
        count,
        kind,
        taken: target < 0 ? -1 : (indexAt[target] as number),
        fall: falls ? (indexAt[next - func.start] as number) : -1,
      });
      start = next;
      count = 0;
    }
    slot = next;
  }
  return blocks;
}

/** A function that jumps through registers may land on any instruction, so each is a block of its own. */
function hasGotox({ actions }: Code, func: LinkedFunc): boolean {
  for (let slot = func.start; slot < func.end; slot++) if (actions[slot]?.kind === "gotox") return true;
  return false;
}
