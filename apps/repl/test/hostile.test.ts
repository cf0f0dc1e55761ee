import { describe, expect, it } from "vitest";
import { Repl } from "../src/index.ts";
import { createNodeHost } from "../src/terminal/node-host.ts";
import { hostileLines } from "./hostile-lines.ts";
import { createHost } from "./support.ts";

const COUNT = Number(process.env.TSBPF_HOSTILE_LINES ?? 1500);
const SEED = Number(process.env.TSBPF_SEED ?? 5);
const STACK = /\n\s+at .*:\d+:\d+|\bBUG_[A-Z]|node:internal/;
const MEMORY_BYTES_MAX = 2 ** 31;
/** A line takes this long when the machine is busy and it is the worst there is. */
const LINE_MS_MAX = 20_000;

describe("hostile lines for every verb", () => {
  it(`neither crash, hang, nor show a JavaScript stack (${COUNT} lines, seed ${SEED})`, async () => {
    const { guard } = createNodeHost({ helperMs: 50 }, false);
    const host = createHost({
      ...(guard === undefined ? {} : { guard }),
      loadPlugins: async () => ({ helpers: [], mapTypes: [], progTypes: [] }),
    });
    let repl = new Repl({ host, fuel: 300_000, lineLimit: 50_000 });
    let slowest: readonly [ms: number, line: string] = [0, ""];
    for (const [idx, line] of hostileLines(SEED, COUNT).entries()) {
      // Blocks that never close would swallow all that follows.
      if (idx % 7 === 0) repl.cancel();
      if (idx % 500 === 499) repl = new Repl({ host, fuel: 300_000, lineLimit: 50_000 });
      const started = performance.now();
      const { output, error } = await repl.execute(line);
      const ms = performance.now() - started;
      if (ms > slowest[0]) slowest = [ms, line];
      const shown = `${output}${error ?? ""}`;
      if (STACK.test(shown))
        throw new Error(`line ${idx}, ${JSON.stringify(line.slice(0, 300))}:\n${shown.slice(0, 2000)}`);
      if (ms > LINE_MS_MAX) throw new Error(`line ${idx} took ${ms} ms: ${line.slice(0, 300)}`);
    }
    if (process.env.TSBPF_HOSTILE_LINES !== undefined)
      console.log(
        `slowest ${slowest[0].toFixed(0)} ms: ${slowest[1].slice(0, 200)}; rss ${process.memoryUsage().rss >> 20} MB`,
      );
    expect(process.memoryUsage().rss).toBeLessThan(MEMORY_BYTES_MAX);
    repl.cancel();
    expect((await repl.execute("p 12345")).output).toBe("12345 (0x3039)\n");
  }, 4_000_000);
});
