import { codeSpace } from "./loop.gen.ts";
import { OP, type OpName } from "./ops.gen.ts";
import { type Code, dstOf, OP_MASK, SLOT_WORDS, srcOf, WORD } from "./predecode.ts";

/**
 * The loop runs code from one array only: V8 then knows where it lies, which spares every instruction the look at
 * where its code is. Programs are copied into it when they run and give way when it is full.
 */

/** Words at the start that belong to no program; the loop is primed with them. */
export const SCRATCH_WORDS = 12;

/** Whose copies are valid: those that were made in this epoch. Epochs never come again. */
const space = { epoch: 1, last: 1, next: SCRATCH_WORDS };

/** What a program that runs below a waiting one made give way. */
export interface Displaced {
  readonly words: Int32Array;
  readonly epoch: number;
}

/** How many runs wait inside the loop for another; `before` is what to put back after the innermost. */
const inner: { depth: number; before: Displaced | undefined } = { depth: 0, before: undefined };

/** Returns where the loop finds a program, after copying it there if necessary. */
export function placeCode(code: Code): number {
  if (code.placedIn !== space.epoch) place(code);
  return code.placedAt;
}

function place(code: Code): void {
  const { words } = code;
  if (space.next + words.length > codeSpace.length) makeRoom();
  copy(code, space.next);
  code.placedAt = space.next;
  code.placedIn = space.epoch;
  space.next += words.length;
}

function makeRoom(): void {
  if (inner.depth > 0) {
    inner.before ??= { words: codeSpace.slice(0, space.next), epoch: space.epoch };
  }
  space.last++;
  space.epoch = space.last;
  space.next = SCRATCH_WORDS;
}

/** Changes a word of a program, also where the loop finds it. */
export function patchCode(code: Code, at: number, word: number): void {
  code.words[at] = word;
  if (code.placedIn !== space.epoch) return;
  codeSpace[code.placedAt + at] = word;
  // What was one case with its neighbour may be so no longer.
  if (at % SLOT_WORDS === WORD.op) copy(code, code.placedAt);
}

/** Copies a program, and makes one case of two instructions where there is one for both. */
function copy({ words }: Code, at: number): void {
  codeSpace.set(words, at);
  const end = words.length - SLOT_WORDS;
  for (let i = 0; i < end; i += SLOT_WORDS) {
    const first = words[i] as number;
    // A wide load has two slots; what follows the last slot reads as undefined, and no pair is made of it.
    const next = i + ((first & OP_MASK) === OP.wide ? 2 : 1) * SLOT_WORDS;
    const fused = FUSED[((first & OP_MASK) << 8) | ((words[next] as number) & OP_MASK)] as number;
    if (fused !== 0 && canFuse(fused, first, words[next] as number)) {
      codeSpace[at + i] = (first & ~OP_MASK) | fused;
    }
  }
}

/** Whether the second instruction changes the copy that the first one made, and does not read it twice. */
function canFuse(fused: number, first: number, second: number): boolean {
  if (!CHANGES_COPY.has(fused)) return true;
  const copied = dstOf(first);
  return dstOf(second) === copied && (BY_CONSTANT.has(fused) || srcOf(second) !== copied);
}

/** Number of the case for two instructions, by those of both; 0 where there is none. */
const FUSED = new Uint8Array(1 << 16);
const CHANGES_COPY = new Set<number>();
const BY_CONSTANT = new Set<number>();
for (const [name, op] of Object.entries(OP)) {
  const [first, second] = name.split("+") as OpName[];
  if (first === undefined || second === undefined) continue;
  FUSED[(OP[first] << 8) | OP[second]] = op;
  if (first === "mov64.x" && second !== "mov64.x") CHANGES_COPY.add(op);
  if (second.includes(".k")) BY_CONSTANT.add(op);
}

/**
 * Begins a run while another one may wait inside the loop: that run is to find its code where it was.
 *
 * @returns what {@link leaveInner} needs when it has ended, whichever way.
 */
export function enterInner(): Displaced | undefined {
  const { before } = inner;
  inner.depth++;
  inner.before = undefined;
  return before;
}

/** Ends what {@link enterInner} began. */
export function leaveInner(outer: Displaced | undefined): void {
  const displaced = inner.before;
  inner.depth--;
  inner.before = outer;
  if (displaced !== undefined) putBack(displaced);
}

function putBack({ words, epoch }: Displaced): void {
  codeSpace.set(words);
  space.epoch = epoch;
  space.next = words.length;
}
