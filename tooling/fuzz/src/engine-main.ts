import { disassemble } from "@tsbpf/asm";
import { newTally, runSession, SESSION_PROGS } from "./engine-session.ts";

/**
 * Runs random programs on both engines until so many seconds have passed:
 * `node --conditions=@tsbpf/source --import tsx tooling/fuzz/src/engine-main.ts [SECONDS] [SEED]`.
 *
 * Prints one line of JSON with what ran. The first difference ends it with exit code 1; `SEED,PROGS` as second
 * argument runs that session alone, with the stacks of what it throws.
 */
const [secondsText = "10", seedText = String(Date.now() >>> 0)] = process.argv.slice(2);
const [first = 0, only] = seedText.split(",").map(Number);
// About half of the runs end in traps, whose stacks nobody reads.
if (only === undefined) Error.stackTraceLimit = 0;
const end = performance.now() + 1000 * Number(secondsText);
const tally = newTally();
let difference: ReturnType<typeof runSession>;
let seed = first;
do {
  try {
    difference = runSession(seed, tally, only ?? SESSION_PROGS);
  } catch (thrown) {
    process.stdout.write(
      `seed ${seed} threw, after ${tally.programs} programs; again: engine-main.ts 0 ${seed},${SESSION_PROGS}\n`,
    );
    throw thrown;
  }
  seed = (seed + 1) >>> 0;
} while (difference === undefined && only === undefined && performance.now() < end);
process.stdout.write(`${JSON.stringify({ first, next: seed, ...tally })}\n`);
if (difference !== undefined) {
  const { seed: found, index, what, interpreter, jit, insns } = difference;
  const plain = (value: unknown): string =>
    JSON.stringify(value, (_key, one) => (typeof one === "bigint" ? `0x${one.toString(16)}` : one));
  process.stdout.write(
    `seed ${found}, program ${index}: ${what} differs\n  interpreter ${plain(interpreter)}\n  jit ${plain(jit)}\n` +
      `  again: engine-main.ts 0 ${found},${index + 1}\n${disassemble(insns)}\n`,
  );
  process.exitCode = 1;
}
