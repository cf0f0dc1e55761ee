import { describe, expect, it } from "vitest";
import { createRepl, pipe, root, talk } from "./support.ts";

/** Forty inputs over a program of eight functions, each with what its answer must hold. */
const STEPS: readonly (readonly [input: string, answer: RegExp | string])[] = [
  [".load samples/calls/calls.bpf.o", "calls (xdp): 278 slots, 8 functions, 4 maps"],
  [".verify", /accepted, \d+ instructions verified/],
  [".pkt samples/captures/lab.pcap#1", /^packet of \d+ bytes/],
  [".ctx rx_queue_index = 2", "rx_queue_index = 2"],
  ["b hash_words", "breakpoint 1 at hash_words+0"],
  ["b mix if r3 == 7", "breakpoint 2 at mix+0 (slot 225) if r3 == 7"],
  ["r", "breakpoint 1 at hash_words+0"],
  ["bt", /#0 {2}hash_words .*\n#1 {2}summarize .*\n#2 {2}calls .*calls\.bpf\.c:\d+/],
  ["p r2", /^R2=\d+/],
  [".stack 1", /^frame 1 summarize/],
  [".mark entry", ""],
  ["c", "breakpoint 2 at mix+0"],
  ["p r3 == 7", "1\n"],
  ["s 3", "mix+4"],
  [".belief", /R5 +map_value\(map=calls\.bss.*; is map_value\(map=calls\.bss\)/],
  ["fin", /^returned .*\nhash_words\+38/],
  [".diff entry", /map calls\.bss\[00000000\]: /],
  [".watch r6", "watchpoint 3 on r6"],
  ["c", /watchpoint 3: r6 was .*, is /],
  ["rc", "=> "],
  [".delete 3", ""],
  [".origin fp-8", /\*\(u64 \*\)\(r10 -8\) = r/],
  [".where", /\d+ instructions executed/],
  [".goto 12", "=> "],
  [".back 2", "=> "],
  ["n", "=> "],
  [".set r7 = 0x1234", "R7=4660"],
  [".undo", "taken back"],
  ["r0 = 5; r0 += _", /^R0=/],
  [".undo", "taken back"],
  [".call rotate(0x80000001, 4)", "rotate(…) = 24"],
  [".helper bpf_xdp_load_bytes = (ctx, off, buf, len) => -22", "replaced"],
  [".run", "XDP_ABORTED"],
  [".helper -d bpf_xdp_load_bytes", "the kernel's again"],
  [".delete", ""],
  [".run", /XDP_(?:PASS|TX|DROP)/],
  [".map calls.bss", "total_bytes"],
  [".patch 57 w0 = 3", "w0 = 3"],
  [".run", "XDP_TX"],
  [".jit", "XDP_TX"],
];

const holds = (answer: string, wanted: RegExp | string): void => {
  if (typeof wanted === "string") expect(answer).toContain(wanted);
  else expect(answer).toMatch(wanted);
};

describe("a session of forty steps", () => {
  it("answers each as expected", async () => {
    const repl = createRepl();
    expect(STEPS).toHaveLength(40);
    for (const [input, wanted] of STEPS) holds((await talk([input], repl)).join(""), wanted);
  });

  it("prints the same when it is piped, from files of the tree", async () => {
    const before = process.cwd();
    process.chdir(root);
    try {
      const { status, out, err } = await pipe(STEPS.map(([input]) => input).join("\n"));
      expect(err).toBe("");
      expect(status).toBe(0);
      for (const [, wanted] of STEPS)
        holds(out, typeof wanted === "string" ? wanted : new RegExp(wanted.source.replace(/^\^/, ""), "m"));
    } finally {
      process.chdir(before);
    }
  });
});

describe("callbacks and tail calls", () => {
  it("are stepped into, over and out of", async () => {
    const answers = await talk(
      [".load samples/calls/calls.bpf.o:loops", "b 21", "r", "s", "bt", ".set r1 = 1", "fin", "n"],
      createRepl(),
    );
    expect(answers[3]).toMatch(/^add_until\+0/);
    expect(answers[4]).toMatch(/\(callback\)\n#1 {2}loops slot 21/);
    expect(answers[5]).toContain("callback");
    // Out of one round of bpf_loop is the next round.
    expect(answers[6]).toMatch(/add_until\+0|loops\+22/);
  });

  it("of tail calls lead into the other program", async () => {
    const answers = await talk(
      [".load samples/tailcalls/tailcalls.bpf.o:dispatch", "b ip4/0", "r", "bt", "s 2", ".back 4", "bt"],
      createRepl(),
    );
    expect(answers[2]).toContain("breakpoint 1 at ip4+0");
    expect(answers[3]).toMatch(/^#0 {2}ip4/);
    expect(answers[6]).toMatch(/^#0 {2}dispatch/);
  });
});

describe("loading again", () => {
  it("starts with the object's own maps, keeps those of the prompt, and breaks nothing when it fails", async () => {
    const repl = createRepl();
    const answers = await talk(
      [
        ".map create own hash 4 8 4",
        ".map own 1 = 2",
        ".load samples/calls/calls.bpf.o",
        "r",
        ".map calls.bss",
        "b mix",
        ".load samples/calls/calls.bpf.o",
        ".map calls.bss",
        ".map own",
        ".load samples/calls/calls.bpf.c",
        ".where",
        ".unload",
        ".maps",
      ],
      repl,
    );
    expect(answers[4]).toContain("total_bytes: 0x3c");
    expect(answers[6]).toContain("1 break- and watchpoints removed");
    expect(answers[7]).toContain("total_bytes: 0x0");
    expect(answers[8]).toContain("01000000 => 0200000000000000");
    expect(answers[9]).toContain("error: ");
    expect(answers[10]).toContain("calls+0");
    expect(answers[12]).toMatch(/^own {2}hash.*\n$/);
  });

  it("lets tail calls reach programs that were changed at the prompt", async () => {
    const answers = await talk(
      [
        ".load samples/tailcalls/tailcalls.bpf.o:dispatch",
        "b ip4/0",
        "r",
        ".patch 0 r0 = 77",
        ".patch 1 exit",
        ".delete",
        ".run",
        ".helper bpf_tail_call = () => 0",
        ".run",
      ],
      createRepl(),
    );
    expect(answers[6]).toContain("R0=77");
    expect(answers[8]).toMatch(/^R0=/);
  });
});
