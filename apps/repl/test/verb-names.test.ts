import { beforeEach, describe, expect, it } from "vitest";
import { VERBS } from "../src/index.ts";
import { CALLS, renewWorld, say, TYPED, world } from "./verb-world.ts";

interface Example {
  /** Lines before. */
  readonly after?: readonly string[];
  readonly args?: string;
  readonly prints: RegExp;
}

const LOOPS = `.load ${CALLS}:loops`;
const AT_MIX = [LOOPS, "b mix if r3 == 3", "r"];

/** What each verb prints; every name it goes by must print the same. */
const EXAMPLES: Readonly<Record<string, Example>> = {
  load: { args: CALLS, prints: /278 slots, 8 functions/ },
  unload: { after: [LOOPS], prints: /^$/ },
  prog: { after: [LOOPS], args: "each", prints: /^each \(xdp\): 138 slots/ },
  filter: { args: "ip", prints: /^\(000\) ldh {6}\[12\][\s\S]*filter \(socket_filter\): 9 slots/ },
  list: { after: TYPED, prints: /^f:\nr0 = r1/ },
  disasm: { after: ["r0 = 1"], prints: /0: \(b7\) r0 = 1\n/ },
  cfg: { after: ["r0 = 1"], prints: /^digraph/ },
  verify: { after: ["r0 = 1"], prints: /accepted, 2 instructions/ },
  type: { args: "sched_cls", prints: /^program type sched_cls$/m },
  export: { after: ["r0 = 1"], args: "out.s", prints: /^out\.s: 2 slots$/m },
  run: { after: [LOOPS], prints: /XDP_\w+ {2}\(exited after/ },
  start: { after: [LOOPS], prints: /^loops\+0 / },
  step: { after: AT_MIX, args: "2", prints: /=> +81:/ },
  next: { after: [LOOPS, "u 21"], prints: /=> +22:/ },
  finish: { after: AT_MIX, prints: /^returned 4\nmix_round\+6/ },
  cont: { after: [LOOPS, "b mix", "r"], prints: /hit 2 times\nmix\+0/ },
  until: { after: [LOOPS], args: "mix+4", prints: /^mix\+4/ },
  call: { after: [LOOPS], args: "mix_round(1, fp - 8)", prints: /^mix_round\(…\) = 0$/m },
  jit: { after: [LOOPS], prints: /^jit: R0=\d/ },
  time: { after: ["r0 = 2"], args: "2", prints: /interpreter .*\njit .*2 runs/ },
  fuel: { args: "77", prints: /^77 instructions$/m },
  trace: { args: "on", prints: /^tracing is on$/m },
  break: { after: [LOOPS], args: "mix", prints: /^breakpoint 1 at mix\+0/ },
  tbreak: { after: [LOOPS], args: "mix", prints: /^breakpoint 1 at mix\+0/ },
  watch: { after: [LOOPS], args: "r6", prints: /^watchpoint 1 on r6/ },
  delete: { after: [LOOPS, "b mix"], args: "7", prints: /no break- or watchpoint 7/ },
  regs: { after: ["r3 = 7"], prints: /^R3 +0x0{15}7 +7$/m },
  print: { args: "2 * 21", prints: /^42/ },
  mem: { args: "pkt 16", prints: /02 00 00 00 00 02/ },
  stack: { after: ["*(u64 *)(r10 - 8) = 5"], prints: /fp-8 +0x0{15}5/ },
  frames: { after: AT_MIX, prints: /#0 {2}mix .*\n#1 {2}mix_round .*\(callback\)\n#2 {2}loops/ },
  where: { after: [LOOPS], prints: /^0 instructions executed$/m },
  belief: { after: AT_MIX, args: "82", prints: /^ +82: .*\npaths seen: 2/ },
  mark: { args: "here", prints: /^$/ },
  diff: { after: [LOOPS, ".mark a", "s 3"], args: "a", prints: /^ {2}R6: 0 -> 60$/m },
  display: { after: ["r1 = 4"], args: "r1 + 1", prints: /^r1 \+ 1 = 5$/m },
  info: { after: [LOOPS], args: "functions", prints: /mix_round, 8 slots/ },
  maps: { after: [LOOPS], prints: /^protocols {2}hash, key 4/m },
  map: { after: [".map create m hash 4 8 4"], args: "m 3 = 7", prints: /03000000 => 0700000000000000/ },
  back: { after: [LOOPS, "s 5"], args: "2", prints: /=> +3:/ },
  rcont: { after: [LOOPS, "b mix", "r", "c", "c"], prints: /^mix\+0/ },
  origin: { after: AT_MIX, args: "r3", prints: /=> +71: \(bc\) w3 = w1/ },
  goto: { after: [LOOPS], args: "3", prints: /=> +3:/ },
  undo: { after: ["r0 = 1", "r0 = 2"], prints: /^taken back$/m },
  set: { args: "r1 = 42", prints: /^R1=42$/m },
  patch: { after: [LOOPS], args: "54 w7 = 3", prints: /^ +54: \(b4\) w7 = 3$/m },
  helper: { args: "bpf_get_prandom_u32 = () => 7", prints: /number 7, replaced$/m },
  plugin: { args: "tenfold.ts", prints: /^tenfold\.ts: tenfold(?:, my_halve)?$/m },
  pkt: { args: "udp dport=53", prints: /^packet of 60 bytes/ },
  ctx: { args: "rx_queue_index = 2", prints: /^rx_queue_index = 2/ },
  helpers: { args: "ktime_get_ns", prints: /u64 bpf_ktime_get_ns\(void\)/ },
  save: { after: ["r0 = 1"], args: "out.txt", prints: /^out\.txt: 1 inputs$/m },
  source: { args: "script.txt", prints: /^R5=55$/m },
  edit: { after: ["r0 = 1"], prints: /^R0=2$/m },
  clear: { after: ["r0 = 1"], prints: /^$/ },
  help: { args: "step", prints: /^\.step \[N\]\n {2}execute one instruction/ },
  quit: { prints: /^$/ },
};

beforeEach(renewWorld);

/** gdb's `where` is `.frames`; `.where` is a verb of its own. */
const isOtherName = (word: string, own: string): boolean =>
  word !== own && VERBS.some(({ name, aliases = [] }) => name === word || aliases.includes(word));

describe("every name of every verb", () => {
  it("is in the table of examples, and nothing else is", () => {
    expect(Object.keys(EXAMPLES).sort()).toEqual(VERBS.map(({ name }) => name).sort());
  });

  const names = VERBS.flatMap(({ name, aliases = [], words = [] }) =>
    [
      ...new Set(
        [name, ...aliases, ...words.filter((one) => !isOtherName(one, name))].map((one) => `.${one}`),
      ),
      ...words,
    ].map((typed) => [typed, name] as const),
  );

  it.each(names)("%s does what .%s does", async (typed, name) => {
    const { after = [], args = "", prints } = EXAMPLES[name] ?? { prints: /$^/ };
    world.host.written.set("script.txt", "r5 = 55\n");
    expect(await say(...after, `${typed} ${args}`.trim())).toMatch(prints);
    expect((await world.repl.execute("")).isQuit).toBe(name === "quit");
  });
});
