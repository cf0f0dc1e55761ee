import { FRAME, type MachineEnv } from "@tsbpf/runtime";
import {
  codeSpace as code,
  loop,
  type RawHelper,
  registers as r,
  startRegisters,
  stopped,
} from "./loop.gen.ts";
import { OP } from "./ops.gen.ts";
import { SLOT_WORDS } from "./predecode.ts";

/** Halves of the values that reach every branch of every case: small, negative, large, equal and unequal. */
const VALUES: readonly (readonly [lo: number, hi: number])[] = [
  [0, 0],
  [8, 0],
  [40, 0],
  [-3, -1],
  [-0x8000_0000, 1],
];
const MEMORY_BYTES = 64;
const TOP = MEMORY_BYTES - 8;
const DST = 2;
const SRC = 4;
/** Bounds of one piece, then of elements of 8 bytes, each for all three rights. */
const BOUNDS = [[0, MEMORY_BYTES, MEMORY_BYTES, 0] as const, [0, MEMORY_BYTES, 8, 8] as const];
const ENTRY_WORDS = 12;
const WARM_UP_CALLS = 20;
const WARM_UP_INSNS = 100;

/**
 * Cases that few programs use. They are left to be seen when they are, since every case makes optimising longer.
 */
const RARE =
  /^(sdiv|smod|movsx|ldxs|swap|le\d|addr_space|may_goto|atomic\d+\.(or|and|xor|fetch_or|fetch_and|fetch_xor|xchg|cmpxchg))/;

/**
 * Instructions that a process executes before it pays for priming. V8 begins to optimise some 400 later: it goes by
 * the bytes that jumps go back, and each turn of the loop goes back over all of it.
 */
const PRIME_AFTER_INSNS = 200;

/** Cases that only programs with proofs use, and those that only the others use. */
const PROVEN = /\.open$|\+.*\.open$|^(call\.raw|call\.subprog(\.\d)?|exit(\.\d)?)$/;
const CHECKED = /^(ldx|st)[^.]*$|\.checked$/;

/** What is left of them for programs with and without checks; the loop is primed once it is not positive. */
const left = new Int32Array([PRIME_AFTER_INSNS, PRIME_AFTER_INSNS]);
const PROVEN_IDX = 0;
const CHECKED_IDX = 1;

/** Limits the instructions until the next look at what has been counted. */
export function quotaUntilPrimed(quota: number, isChecked: boolean): number {
  const wanted = left[isChecked ? CHECKED_IDX : PROVEN_IDX] as number;
  return wanted <= 0 || quota < wanted ? quota : wanted;
}

/** Counts instructions towards priming. Called between two entries of the loop. */
export function countTowardsPriming(insns: number, isChecked: boolean): void {
  const idx = isChecked ? CHECKED_IDX : PROVEN_IDX;
  const before = left[idx] as number;
  if (before <= 0) return;
  left[idx] = before - insns;
  if (before <= insns) primeLoop(isChecked ? PROVEN : CHECKED);
}

/**
 * Executes every common case of the loop a few times in its scratch space, but for those that such programs do not use.
 *
 * V8 optimises for the cases it has seen: without this, each instruction that a later program is the first to use
 * throws the optimised loop away, and the new one takes a tenth of a second. Costs some 5 milliseconds.
 */
function primeLoop(unused: RegExp): void {
  const kept = r.slice();
  const before = { ...stopped };
  const bytes = new Uint8Array(MEMORY_BYTES);
  const view = new DataView(bytes.buffer);
  const bounds = new Int32Array(BOUNDS.flatMap((entry) => [...entry, ...entry, ...entry]));
  const frames = new Int32Array(3 * FRAME.words);
  // The loop hands the environment on and does not look at it.
  const env = {} as MachineEnv;
  // Several functions, so that the loop does not count on one.
  const raws: RawHelper[] = [(regs) => regs.length, () => {}, (regs) => regs.byteLength];
  // Until a function has run for a while, V8 collects nothing about it; five times as long, and it optimises already.
  code[0] = OP.ja;
  code[2] = -SLOT_WORDS;
  for (let i = 0; i < WARM_UP_CALLS; i++)
    loop(0, 0, WARM_UP_INSNS, 0, bytes, view, bounds, TOP, frames, raws, env);
  code[2] = 0;
  const cases = Object.entries(OP).filter(([name]) => !RARE.test(name) && !unused.test(name));
  // All cases with one pair of values before the next pair: V8 begins to optimise when nothing new has come for a while.
  for (const [idx, dst] of VALUES.entries()) {
    for (const src of VALUES) {
      for (const [name, op] of cases) {
        bytes.fill(0);
        code[0] = op | (DST << 8) | (SRC << 16);
        code[1] = op === OP["call.raw"] ? idx % raws.length : src[0];
        // The second of a pair, also behind the two slots of a wide load.
        for (const second of [SLOT_WORDS, 2 * SLOT_WORDS]) {
          code[second] = (DST << 8) | (SRC << 16);
          code[second + 1] = name.endsWith("call.raw") ? idx % raws.length : src[0];
        }
        code[3] = (idx & 1) * ENTRY_WORDS;
        frames[FRAME.words + FRAME.loopsLeft] = idx;
        frames[FRAME.words + FRAME.framesLeft] = idx;
        frames[FRAME.words + FRAME.leave] = idx >> 2;
        startRegisters(0, 0);
        r.set(dst, DST);
        r.set(src, SRC);
        // Two instructions where one case is both; the first value is that whose sum is the other operand.
        const quota = idx !== 1 && name.includes("+") ? 2 : 1;
        loop(0, 0, quota, FRAME.words, bytes, view, bounds, TOP, frames, raws, env);
      }
    }
  }
  r.set(kept);
  Object.assign(stopped, before);
}
