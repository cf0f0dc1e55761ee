import { arg, defineHelper, defineKfunc, ret } from "../../../packages/plugin/src/index.ts";
import { Repl } from "../src/index.ts";
import { createHost, last } from "./support.ts";

export const CALLS = "samples/calls/calls.bpf.o";

const tenfold = defineHelper({
  id: 0x1_0100,
  name: "tenfold",
  summary: "Ten times a number.",
  args: [arg.u64("x")],
  returns: ret.u64(),
  call: ({ x }) => x * 10n,
});

const halve = defineKfunc({
  name: "my_halve",
  summary: "Half of a small number.",
  args: [arg.u64("n", { max: 100n })],
  returns: ret.u64(),
  call: ({ n }) => n / 2n,
});

/** What the verb that is tested works on; made anew for each. */
export const world = { host: createHost(), repl: new Repl({ host: createHost() }) };

export function renewWorld(): void {
  world.host = createHost({
    loadPlugins: async () => ({ helpers: [tenfold], kfuncs: [halve], mapTypes: [], progTypes: [] }),
    evalTypeScript: async (text, names) =>
      new Function(...Object.keys(names), `return (${text.replace(/: bigint/g, "")})`)(
        ...Object.values(names),
      ),
    edit: async (text) => `${text}\nr0 += 1`,
  });
  world.repl = new Repl({ host: world.host });
}

/** Executes lines and gives the answer to the last. */
export const say = (...lines: string[]): Promise<string> => last(lines, world.repl);

/** A program with a loop, a function and a store, at slots 0..9. */
export const TYPED = [
  "f:",
  "r0 = r1",
  "r0 += 1",
  "exit",
  "{",
  "r6 = 0",
  "again: r1 = r6",
  "call f",
  "*(u64 *)(r10 - 8) = r0",
  "r6 = r0",
  "if r6 != 5 goto again",
  "r0 = r6",
  "}",
];
