import {
  CALLEE_SAVED_MASK,
  defsOf,
  type Insn,
  type RegMask,
  SCRATCH_MASK,
  slotsOf,
  usesOf,
} from "@tsbpf/isa";
import type { Target } from "@tsbpf/runtime";
import type { Block, Code } from "./blocks.ts";

/** Registers that a call reads, by its slot. */
export type CallUses = (slot: number) => RegMask;

const ARG1 = 1;

/** Registers of the first `count` arguments. */
export const argMask = (count: number): RegMask => ((1 << count) - 1) << ARG1;

/** Returns the registers that a call of a target reads, given what functions of the program read. */
export function targetUses(target: Target, liveIn: (funcIdx: number) => RegMask): RegMask {
  switch (target.kind) {
    case "helper":
    case "kfunc":
    case "tail_call": {
      const { proto } = target.helper;
      return proto.isVariadic === true ? SCRATCH_MASK : argMask(Math.min(proto.args.length, 5));
    }
    case "subprog":
      return liveIn(target.funcIdx) & SCRATCH_MASK;
    case "indirect":
      return SCRATCH_MASK | (1 << target.reg);
    case "throw":
      return argMask(1);
    case "missing":
      return 0;
  }
}

/**
 * Computes which registers are live at the start of each block of a function.
 *
 * Assumes: blocks as `cutBlocks` makes them. Guarantees: a register that may be read before it is written is in the
 * set. Cost: linear in practice, blocks are visited backwards until nothing changes.
 */
export function liveAtBlocks(code: Code, blocks: readonly Block[], callUses: CallUses): Uint16Array {
  const gen = new Uint16Array(blocks.length);
  const kill = new Uint16Array(blocks.length);
  for (const [i, block] of blocks.entries()) summarize(code, block, callUses, gen, kill, i);
  const live = new Uint16Array(blocks.length);
  const hasGotox = blocks.some((block) => block.kind === "gotox");
  for (let isChanged = true; isChanged; ) {
    isChanged = false;
    for (let i = blocks.length - 1; i >= 0; i--) {
      const block = blocks[i] as Block;
      let out = block.taken < 0 ? 0 : (live[block.taken] as number);
      if (block.fall >= 0) out |= live[block.fall] as number;
      if (hasGotox && block.kind === "gotox") out = ALL_REGS;
      const next = (gen[i] as number) | (out & ~(kill[i] as number));
      if (next !== live[i]) {
        live[i] = next;
        isChanged = true;
      }
    }
  }
  return live;
}

const ALL_REGS = SCRATCH_MASK | CALLEE_SAVED_MASK | 1;

function summarize(
  { insns, actions }: Code,
  block: Block,
  callUses: CallUses,
  gen: Uint16Array,
  kill: Uint16Array,
  at: number,
): void {
  let uses = 0;
  let defs = 0;
  for (let slot = block.start; slot < block.end; slot += slotsOf(insns[slot] as Insn)) {
    const insn = insns[slot] as Insn;
    const read = actions[slot]?.kind === "call" ? callUses(slot) : usesOf(insn);
    uses |= read & ~defs;
    defs |= defsOf(insn);
  }
  gen[at] = uses;
  kill[at] = defs;
}
