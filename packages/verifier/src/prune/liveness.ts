import type { Env } from "../env.ts";
import type { Marks } from "../state/marks.ts";
import { type Frame, frameAt, type State } from "../state/state.ts";
import { subprogOf } from "../structure/subprogs.ts";
import { successorsOf } from "../structure/successors.ts";
import { frameInsnIdx } from "../walk/linked.ts";

// Computes: which stack slots may still be read, per instruction and call chain. Assumes: every path that reaches an
// instruction notes its reads and whole-slot writes. Guarantees: a slot said to be dead is read by no path walked so
// far. Cost: a backward data flow over a function's code whenever a path that changed its marks ends.

/** Per instruction, eight words: what may be read, must be written, is written further on, and is live before. */
const WORDS = 8;
const READ = 0;
const WRITE = 2;
const WRITTEN = 4;
const LIVE = 6;

/** The stack liveness of one verification. */
export interface Liveness {
  /** Marks of functions in entry frames, by start. */
  readonly entries: Map<number, Marks>;
  cur: Marks | null;
  insnIdx: number;
  hasWrites: boolean;
  /** Slots that the current instruction overwrites whole, low and high word per frame. */
  readonly writes: Int32Array;
}

const MAX_FRAMES = 8;

export const createLiveness = (): Liveness => ({
  entries: new Map(),
  cur: null,
  insnIdx: 0,
  hasWrites: false,
  writes: new Int32Array(2 * MAX_FRAMES),
});

/** The marks of a frame's function; frames of one chain of calls share them. */
function instanceOf(env: Env, state: State, frameno: number): Marks {
  const frame = frameAt(state, frameno);
  frame.marks ??= findInstance(env, frame, frameno === 0 ? null : instanceOf(env, state, frameno - 1));
  return frame.marks;
}

function findInstance(env: Env, frame: Frame, outer: Marks | null): Marks {
  const subprog = env.subprogs[frame.subprog];
  const start = subprog?.start ?? 0;
  const siblings = outer === null ? env.liveness.entries : outer.inner;
  const key = outer === null ? start : frame.callsite * env.len + start;
  const known = siblings.get(key);
  if (known !== undefined) return known;
  const count = (subprog?.end ?? env.len) - start;
  const made: Marks = {
    chain: chainOf(outer, frame.callsite, start),
    outer,
    inner: new Map(),
    start,
    count,
    depth: frame.frameno,
    frames: [],
    isWriteSet: new Uint8Array(count),
    callsite: outer === null ? -1 : frame.callsite,
    hasChanged: false,
    hasLostWrites: false,
  };
  siblings.set(key, made);
  return made;
}

function chainOf(outer: Marks | null, callsite: number, start: number): string {
  let chain = outer === null ? `${start})` : `${callsite},${start})`;
  for (let below = outer; below !== null && below.outer !== null; below = below.outer) {
    chain = `${below.callsite},${chain}`;
  }
  return `(${chain}`;
}

function masksOf(instance: Marks, frameno: number): Int32Array {
  const known = instance.frames[frameno];
  if (known !== undefined) return known;
  const made = new Int32Array(WORDS * instance.count);
  instance.frames[frameno] = made;
  return made;
}

function noteRead(instance: Marks, frameno: number, insnIdx: number, low: number, high: number): void {
  if (low === 0 && high === 0) return;
  const masks = masksOf(instance, frameno);
  const at = WORDS * (insnIdx - instance.start) + READ;
  const newLow = (masks[at] as number) | low;
  const newHigh = (masks[at + 1] as number) | high;
  if (newLow === masks[at] && newHigh === masks[at + 1]) return;
  masks[at] = newLow;
  masks[at + 1] = newHigh;
  const to = at - READ + LIVE;
  if ((newLow & ~(masks[to] as number)) === 0 && (newHigh & ~(masks[to + 1] as number)) === 0) return;
  instance.hasChanged = true;
}

const lowBit = (spi: number): number => (spi < 32 ? 1 << spi : 0);
const highBit = (spi: number): number => (spi < 32 ? 0 : 1 << (spi - 32));

/** Notes that the current instruction may read a stack slot. */
export function markStackRead(env: Env, frameno: number, spi: number): void {
  const cur = currentOf(env);
  noteRead(cur, frameno, env.liveness.insnIdx, lowBit(spi), highBit(spi));
}

/** Notes that the current instruction overwrites a whole stack slot. */
export function markStackWrite(env: Env, frameno: number, spi: number): void {
  const live = env.liveness;
  live.hasWrites = true;
  live.writes[2 * frameno] = (live.writes[2 * frameno] as number) | lowBit(spi);
  live.writes[2 * frameno + 1] = (live.writes[2 * frameno + 1] as number) | highBit(spi);
}

function currentOf(env: Env): Marks {
  const live = env.liveness;
  live.cur ??= instanceOf(env, env.cur, env.cur.frames.length - 1);
  return live.cur;
}

/** Starts the marks of an instruction. */
export function beginInsn(env: Env, insnIdx: number): void {
  const live = env.liveness;
  live.insnIdx = insnIdx;
  live.cur ??= instanceOf(env, env.cur, env.cur.frames.length - 1);
  if (live.hasWrites) {
    live.writes.fill(0);
    live.hasWrites = false;
  }
}

/** Takes the writes of the walked instruction over: only what every visit writes counts. */
export function commitInsn(env: Env): void {
  const live = env.liveness;
  if (live.cur !== null) commit(live, live.cur, live.insnIdx);
}

function commit(live: Liveness, instance: Marks, insnIdx: number): void {
  const idx = insnIdx - instance.start;
  if (idx < 0 || idx >= instance.count) return;
  const isSet = instance.isWriteSet[idx] === 1;
  instance.isWriteSet[idx] = 1;
  for (let frameno = 0; frameno <= instance.depth; frameno++) {
    let low = live.writes[2 * frameno] as number;
    let high = live.writes[2 * frameno + 1] as number;
    if (low === 0 && high === 0 && instance.frames[frameno] === undefined) continue;
    const masks = masksOf(instance, frameno);
    const at = WORDS * idx + WRITE;
    const oldLow = masks[at] as number;
    const oldHigh = masks[at + 1] as number;
    if (isSet) {
      low &= oldLow;
      high &= oldHigh;
    }
    if (low === oldLow && high === oldHigh) continue;
    masks[at] = low;
    masks[at + 1] = high;
    instance.hasChanged = true;
    if ((oldLow & ~low) !== 0 || (oldHigh & ~high) !== 0) instance.hasLostWrites = true;
  }
}

/** Forgets which function the walk is in: frames were pushed, popped or swapped. */
export function leaveInstance(env: Env): void {
  env.liveness.cur = null;
}

/** Brings the marks of the frames of the current path up to date, innermost first. */
export function finishPath(env: Env): void {
  leaveInstance(env);
  for (let frameno = env.cur.frames.length - 1; frameno >= 0; frameno--) {
    updateInstance(env, instanceOf(env, env.cur, frameno));
  }
}

function updateInstance(env: Env, instance: Marks): void {
  if (!instance.hasChanged) return;
  if (instance.hasLostWrites) {
    for (const masks of instance.frames) {
      if (masks === undefined) continue;
      for (let at = WRITTEN; at < masks.length; at += WORDS) {
        masks[at] = 0;
        masks[at + 1] = 0;
      }
    }
  }
  const { postorder, leadsBack } = subprogOf(env, instance.start);
  let rounds = 1;
  for (; sweep(env, instance, postorder); rounds++) {
    if (leadsBack) continue;
    // Every successor was already up to date: the next round would find nothing.
    rounds++;
    break;
  }
  if (env.log.isVerbose) {
    env.log.write(`${instance.chain} live stack update done in ${rounds} iterations\n`);
  }
  if (instance.depth > 0) passToCaller(env, instance);
  instance.hasChanged = false;
  instance.hasLostWrites = false;
}

/** Brings every instruction up to date once; says whether some changed. */
function sweep(env: Env, instance: Marks, postorder: readonly number[]): boolean {
  let hasChanged = false;
  for (let frameno = 0; frameno <= instance.depth; frameno++) {
    const masks = instance.frames[frameno];
    if (masks === undefined) continue;
    for (let i = 0; i < postorder.length; i++) {
      if (updateInsn(env, instance, masks, frameno, postorder[i] as number)) hasChanged = true;
    }
  }
  return hasChanged;
}

const out = [0, 0];

function updateInsn(env: Env, instance: Marks, masks: Int32Array, frameno: number, insnIdx: number): boolean {
  const at = WORDS * (insnIdx - instance.start);
  const count = successorsOf(env, insnIdx, out);
  let afterLow = 0;
  let afterHigh = 0;
  let writtenLow = count === 0 ? 0 : -1;
  let writtenHigh = writtenLow;
  for (let i = 0; i < count; i++) {
    const to = WORDS * ((out[i] as number) - instance.start);
    afterLow |= masks[to + LIVE] as number;
    afterHigh |= masks[to + LIVE + 1] as number;
    writtenLow &= masks[to + WRITTEN] as number;
    writtenHigh &= masks[to + WRITTEN + 1] as number;
  }
  const writeLow = masks[at + WRITE] as number;
  const writeHigh = masks[at + WRITE + 1] as number;
  writtenLow |= writeLow;
  writtenHigh |= writeHigh;
  const liveLow = (afterLow & ~writeLow) | (masks[at + READ] as number);
  const liveHigh = (afterHigh & ~writeHigh) | (masks[at + READ + 1] as number);
  const isSame =
    liveLow === masks[at + LIVE] &&
    liveHigh === masks[at + LIVE + 1] &&
    writtenLow === masks[at + WRITTEN] &&
    writtenHigh === masks[at + WRITTEN + 1];
  if (isSame) return false;
  if (env.log.isVerbose && isShown(env, instance, masks, at, insnIdx)) {
    const place = `${instance.chain} frame ${frameno} insn ${insnIdx}`;
    logChange(env, place, "live", masks, at + LIVE, liveLow, liveHigh);
    logChange(env, place, "written", masks, at + WRITTEN, writtenLow, writtenHigh);
  }
  masks[at + LIVE] = liveLow;
  masks[at + LIVE + 1] = liveHigh;
  masks[at + WRITTEN] = writtenLow;
  masks[at + WRITTEN + 1] = writtenHigh;
  return true;
}

const isShown = (env: Env, instance: Marks, masks: Int32Array, at: number, insnIdx: number): boolean =>
  masks[at + READ] !== 0 ||
  masks[at + READ + 1] !== 0 ||
  masks[at + WRITE] !== 0 ||
  masks[at + WRITE + 1] !== 0 ||
  insnIdx === instance.start ||
  env.isPrunePoint[insnIdx] === 1;

function printSlots(low: number, high: number): string {
  const names: string[] = [];
  for (let spi = 0; spi < 64; spi++) {
    if (((spi < 32 ? low : high) >> (spi & 31)) & 1) names.push(`${-8 * (spi + 1)}`);
  }
  return names.join(",");
}

function logChange(
  env: Env,
  place: string,
  word: string,
  masks: Int32Array,
  at: number,
  low: number,
  high: number,
): void {
  const oldLow = masks[at] as number;
  const oldHigh = masks[at + 1] as number;
  const lost = printSlots(oldLow & ~low, oldHigh & ~high);
  const gained = printSlots(low & ~oldLow, high & ~oldHigh);
  if (gained === "" && lost === "") return;
  const more = gained === "" ? "" : `+${word} ${gained} `;
  const less = lost === "" ? "" : `-${word} ${lost}`;
  env.log.write(`${place} ${more}${less}\n`);
}

/** What a function reads and surely writes of its callers' frames happens at the call, seen from there. */
function passToCaller(env: Env, instance: Marks): void {
  const { outer } = instance;
  if (outer === null) return;
  const live = env.liveness;
  const saved = { insnIdx: live.insnIdx, hasWrites: live.hasWrites, writes: live.writes.slice() };
  live.writes.fill(0);
  for (let frameno = 0; frameno < instance.depth; frameno++) {
    const masks = instance.frames[frameno];
    if (masks === undefined) continue;
    live.writes[2 * frameno] = masks[WRITTEN] as number;
    live.writes[2 * frameno + 1] = masks[WRITTEN + 1] as number;
    noteRead(outer, frameno, instance.callsite, masks[LIVE] as number, masks[LIVE + 1] as number);
  }
  commit(live, outer, instance.callsite);
  live.insnIdx = saved.insnIdx;
  live.hasWrites = saved.hasWrites;
  live.writes.set(saved.writes);
}

/** Slots that {@link findLiveSlots} found: a bit each, low and high word. */
export const liveSlots = { low: 0, high: 0 };

function addLiveBefore(instance: Marks, insnIdx: number, frameno: number): void {
  const masks = instance.frames[frameno];
  if (masks === undefined) return;
  const idx = insnIdx - instance.start;
  if (idx < 0 || idx >= instance.count) return;
  liveSlots.low |= masks[WORDS * idx + LIVE] as number;
  liveSlots.high |= masks[WORDS * idx + LIVE + 1] as number;
}

/** Finds which slots of a checkpoint's frame may still be read, and leaves them in {@link liveSlots}. */
export function findLiveSlots(env: Env, state: State, frameno: number): void {
  liveSlots.low = 0;
  liveSlots.high = 0;
  const last = state.frames.length - 1;
  addLiveBefore(instanceOf(env, state, last), state.insnIdx, frameno);
  for (let i = frameno; i < last; i++) {
    const callsite = frameInsnIdx(state, i);
    addLiveBefore(
      instanceOf(env, state, i),
      env.callsCallback[callsite] === 1 ? callsite : callsite + 1,
      frameno,
    );
  }
}

/** Says whether a slot is among {@link liveSlots}. */
export const isSlotLive = (spi: number): boolean =>
  (((spi < 32 ? liveSlots.low : liveSlots.high) >> (spi & 31)) & 1) === 1;
