import { invariant } from "@tsbpf/base";
import { CBPF_JUMP_MAX, type CbpfInsn, makeCbpf } from "../insn.ts";
import { CBPF, cbpfRowOf } from "../rows.ts";
import { type Block, NOP, type Stmt } from "./ir.ts";

/** Where a block goes, and whether its branches need a jump of their own to reach that far. */
interface Place {
  readonly block: Block;
  readonly stmts: readonly Stmt[];
  at: number;
  isFarTrue: boolean;
  isFarFalse: boolean;
}

/**
 * Lays blocks out in a row so that all jumps lead forward: each block stands before everything that it leads to,
 * its true branch nearer than its false one.
 */
export function layOut(root: Block): CbpfInsn[] {
  const places = orderBlocks(root).map(
    (block): Place => ({
      block,
      stmts: block.stmts.filter(({ code }) => code !== NOP),
      at: 0,
      isFarTrue: false,
      isFarFalse: false,
    }),
  );
  const placeOf = new Map(places.map((place) => [place.block, place]));
  // Extra jumps move blocks apart, which may need more of them.
  while (!arrange(places, placeOf));
  return places.flatMap((place) => emitBlock(place, placeOf));
}

/** Orders blocks from the root to the returns. */
function orderBlocks(root: Block): Block[] {
  const order: Block[] = [];
  const isOpen = new Set<Block>();
  const isDone = new Set<Block>();
  const work = [root];
  while (work.length > 0) {
    const block = work.at(-1) as Block;
    const { whenTrue, whenFalse } = block;
    if (!isDone.has(block) && !isOpen.has(block)) {
      isOpen.add(block);
      if (whenTrue !== undefined && !isDone.has(whenTrue)) work.push(whenTrue);
      if (whenFalse !== undefined && !isDone.has(whenFalse)) work.push(whenFalse);
      continue;
    }
    work.pop();
    if (isDone.has(block)) continue;
    isDone.add(block);
    order.push(block);
  }
  return order.reverse();
}

const testAt = ({ at, stmts }: Place): number => at + stmts.length;

const sizeOf = ({ stmts, isFarTrue, isFarFalse }: Place): number =>
  stmts.length + 1 + (isFarTrue ? 1 : 0) + (isFarFalse ? 1 : 0);

type Places = ReadonlyMap<Block, Place>;

/** How many instructions a branch skips; 0 for the end of a block that has none. */
function distance(place: Place, target: Block | undefined, placeOf: Places): number {
  const found = target === undefined ? undefined : placeOf.get(target);
  return found === undefined ? 0 : found.at - testAt(place) - 1;
}

/** Gives each block its place; false when a branch turned out not to reach its target. */
function arrange(places: readonly Place[], placeOf: Places): boolean {
  let at = 0;
  for (const place of places) {
    place.at = at;
    at += sizeOf(place);
  }
  let isDone = true;
  for (const place of places) {
    const { whenTrue, whenFalse } = place.block;
    if (!place.isFarTrue && distance(place, whenTrue, placeOf) > CBPF_JUMP_MAX) {
      place.isFarTrue = true;
      isDone = false;
    }
    if (!place.isFarFalse && distance(place, whenFalse, placeOf) > CBPF_JUMP_MAX) {
      place.isFarFalse = true;
      isDone = false;
    }
  }
  return isDone;
}

function emitBlock(place: Place, placeOf: Places): CbpfInsn[] {
  const { block, stmts } = place;
  const body = stmts.map((one, at) => emitStmt(one, at, stmts));
  if (block.whenTrue === undefined) return [...body, makeCbpf(block.code, block.k)];
  const far: CbpfInsn[] = [];
  const skip = (target: Block | undefined): number => {
    const count = distance(place, target, placeOf);
    if (count <= CBPF_JUMP_MAX) return count;
    far.push(makeCbpf(CBPF.ja, count - far.length - 1));
    return far.length - 1;
  };
  const jt = skip(block.whenTrue);
  const jf = skip(block.whenFalse);
  return [...body, makeCbpf(block.code, block.k, jt, jf), ...far];
}

function emitStmt(one: Stmt, at: number, stmts: readonly Stmt[]): CbpfInsn {
  if (cbpfRowOf(one.code)?.action.kind !== "branch") return makeCbpf(one.code, one.k);
  const skip = (target: Stmt | undefined): number => {
    const found = target === undefined ? -1 : stmts.indexOf(target);
    const count = found - at - 1;
    invariant(found !== -1 && count >= 0 && count <= CBPF_JUMP_MAX, "a test leads on inside its block", {
      at,
    });
    return count;
  };
  return makeCbpf(one.code, one.k, skip(one.whenTrue), skip(one.whenFalse));
}
