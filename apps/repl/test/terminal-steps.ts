import type { Terminal } from "./terminal-driver.ts";

/** Files of a session at a terminal. */
export interface TerminalFiles {
  readonly plugin: string;
  readonly script: string;
  readonly saved: string;
  readonly exported: string;
}

export interface TerminalStep {
  readonly title: string;
  run(terminal: Terminal, files: TerminalFiles): Promise<unknown>;
}

const step = (title: string, run: TerminalStep["run"]): TerminalStep => ({ title, run });

/** Without a program: lines, labels, functions, mistakes, keys. */
const TYPING: readonly TerminalStep[] = [
  step("a line is coloured while it is typed, and executed at once", async (t) => {
    await t.clear();
    await t.type("r0 = 0x28");
    await t.until(/␛\[33mr0␛\[39m = ␛\[36m0x28/, "colours", () => t.colours);
    await t.submit("r0 = 0x28", /^R0=40$/m);
  }),
  step("registers persist, _ is the last result", async (t) => {
    await t.enter(["r0 += 2", "r3 = _; r3 *= 2", "r0", "p r3 - _"], /^R0=42$/m, /^R3=84$/m, /^42/m);
  }),
  step("results print as the kernel prints state", async (t) => {
    await t.enter(
      ["r2 = r10", "r2 += -8", "*(u32 *)(r10 - 4) = 7", "r4 = -1"],
      /^R2=fp0$/m,
      /^R2=fp-8$/m,
      /^fp-8=0x700000000$/m,
      /^R4=-1$/m,
    );
  }),
  step("mistakes show their place with a caret", async (t) => {
    await t.enter("bogus line", /error: input:1:1: ASM_UNKNOWN_INSN/, /^ *\| \^~~~~/m);
    await t.enter("p 1 + nope", /nothing is named nope\n {2}1 \+ nope\n {6}\^~~~ \[REPL_EXPR\]/);
    await t.enter(".stpe", /no verb \.stpe, did you mean step\?/);
  }),
  step("several lines make a stretch of code with labels", async (t) => {
    await t.enter(["r1 = 0", "again: r1 += 1", "if r1 != 5 goto again", ""], /^R1=5$/m);
    await t.enter(["if r0 == 42 goto out", "r0 = 0", "out: r2 = 5"], /R2=5$/m);
  }),
  step("several lines define a function, which lines call", async (t) => {
    await t.enter(
      ["double:", "r0 = r1", "r0 += r1", "exit", "r1 = 21; call double"],
      /^function double$/m,
      /R0=42/,
    );
    await t.enter(
      ["{", "half:", "r0 = r1", "r0 >>= 1", "exit", "}", "r1 = 21; call half"],
      /function half/,
      /R0=10/,
    );
  }),
  step("Ctrl-R searches what was typed", async (t) => {
    await t.clear();
    t.press("C-r");
    await t.until(/bck-i-search: _/);
    t.press("-l", "r2 += -");
    await t.until(/r2 \+= -8\s*\n?.*bck-i-search: r2 \+= -_/);
    await t.submit("Ctrl-R", /^R2=-8$/m);
  }),
  step("Ctrl-C drops what is typed, and lines that wait for more", async (t) => {
    await t.clear();
    await t.type("r9 = 9");
    t.press("C-c");
    await t.until(/r9 = 9\^C\ntsbpf>$/);
    await t.enter(["goto away", "r9 = 8"], /\.\.\.$/);
    t.press("C-c");
    await t.until(/tsbpf>$/);
    await t.enter("r9", /^R9=0$/m);
  }),
  step("Tab completes verbs, registers and helpers", async (t) => {
    await t.complete(".beli", ".belief");
    await t.complete("p pkt_", "p pkt_end");
    await t.complete("call ktime_get_n", "call ktime_get_ns");
    await t.clear();
    await t.type("r0 = r");
    t.press("Tab", "Tab");
    await t.until(/r0 +r1 +r10/);
  }),
  step(".help is made of verbs, prototypes and instructions", async (t) => {
    await t.enter(".help", /^Going back$/m, /\.origin +go back to the instruction/);
    await t.enter(
      ["h step", "?ktime_get_ns", ".help lddw"],
      /also s, si, step, stepi/,
      /bpf_ktime_get_ns\(void\)/,
      /0x18 {2}r1 = 0x5 ll +lddw %r1, 0x5/,
    );
    await t.enter(".helpers redirect_map", /bpf_redirect_map\(struct bpf_map \*map/);
  }),
  step("what was typed is a program", async (t, { exported }) => {
    await t.enter([".clear", "r0 = 2", "r6 = 3; r0 *= r6", ".list"], /^r6 = 3; r0 \*= r6$/m);
    await t.enter([".verify", ".run"], /typed \(xdp\): accepted, 4 instructions/, /^R0=6 .*exited after 4/m);
    await t.enter([".disasm", ".cfg"], /^ +2: \(2f\) r0 \*= r6$/m, /shape=Mdiamond/);
    await t.enter([".jit", ".time 2"], /^jit: R0=6/m, /^interpreter .*2 runs$/m, /^jit .*2 runs$/m);
    await t.enter([`.export ${exported}`, ".unload", `.load ${exported}`], /typed\.s \(xdp\): 4 slots/);
    await t.enter(
      [".filter tcp port 80", ".pkt tcp dport=80", "r"],
      /^\(000\) ldh +\[12\]$/m,
      /accept 262144 bytes/,
    );
  }),
  step("a loop without end is stopped by Ctrl-C", async (t) => {
    await t.enter([".clear", ".type sched_cls", ".fuel 1000000000000"], /^program type sched_cls$/m);
    await t.enter("{ r0 = 0; again: r0 += 1; goto again }", /no end within 1000000 instructions/);
    await t.enter([".type xdp", "r1 = 0", ".start"], /=> +0: \(b7\) r1 = 0/);
    await t.enter([".patch 0 goto pc-1"], /goto pc-1/);
    await t.clear();
    await t.type(".cont");
    t.press("Enter");
    await t.type("r5 = 5");
    t.press("Enter");
    await t.interrupt(/^interrupted$[\s\S]*^not executed: r5 = 5$/m);
    await t.enter([".fuel 20000000", ".clear"]);
  }),
];

/** Inside the program of five functions. */
const LOOKING: readonly TerminalStep[] = [
  step("Tab completes files, and an object loads", async (t) => {
    await t.complete(".load samples/cal", ".load samples/calls/");
    await t.type("calls.bpf.o:loops");
    await t.submit(".load", /loops \(xdp\): 121 slots, 5 functions, 4 maps/);
    await t.enter([".prog", "i functions"], /=> loops +xdp, 121 slots/, /101 +loop_in_loop, 20 slots/);
  }),
  step("the verifier is asked, with its log", async (t) => {
    await t.enter(".verify", /loops \(xdp\): accepted, 261 instructions/);
    await t.enter(".verify log", /processed 261 insns \(limit 1000000\)/);
  }),
  step("a packet is built, changed and looked at", async (t) => {
    await t.enter(".pkt tcp dport=80 flags=syn", /IP 10\.0\.0\.1\.1234 > 10\.0\.0\.2\.80: Flags \[S\]/);
    await t.enter(
      [".pkt set tcp.dport=443", ".packet hexdump"],
      /10\.0\.0\.2\.443: Flags/,
      /^00000000 .* 08 00 45 00/m,
    );
    await t.enter(".pkt samples/captures/lab.pcap#1", /packet of \d+ bytes/);
    await t.enter(".pkt tcp dport=80 flags=syn", /stands at its start/);
  }),
  step("the context is set", async (t) => {
    await t.enter([".ctx rx_queue_index = 2", ".ctx"], /rx_queue_index = 2/, /\+16 +rx_queue_index +2/);
  }),
  step("Tab completes functions and maps; breakpoints have conditions", async (t) => {
    await t.complete(".map calls.b", ".map calls.bss");
    await t.submit(".map calls.bss", /calls_made: \[0x0/);
    await t.complete("p total_", "p total_bytes");
    await t.complete("b add_u", "b add_until");
    await t.clear();
    await t.complete("b mi", "b mix");
    await t.type(" if r3 == 3");
    await t.submit("b mix", /breakpoint 1 at mix\+0 \(slot 78\) if r3 == 3/);
  }),
  step("the program runs to it and shows the source line", async (t) => {
    await t.enter(
      ["tb mix_round", "r"],
      /breakpoint 2 at mix_round\+0/,
      /static long mix_round\(__u32 index, void \*arg\) @ calls\.bpf\.c:\d+\n=> +70:/,
    );
    await t.enter("c", /breakpoint 1 at mix\+0[\s\S]*; calls_made\[0\]\+\+; @ calls\.bpf\.c:49\n=> +78:/);
    await t.enter([".break", "l"], /1 +break +mix\+0 .* hit 1 times/, /^=>b +78: /m);
  }),
  step("frames: a function, its caller that a helper calls back, the program", async (t) => {
    const frames =
      /#0 {2}mix of loops slot 78 at calls\.bpf\.c:49\n#1 {2}mix_round .*\(callback\)\n#2 {2}loops slot 33/;
    for (const words of ["bt", ".frames", "info frame"]) await t.enter(words, frames);
    await t.enter(".where", /=> +78:[\s\S]*\d+ instructions executed/);
  }),
  step("stacks, memory and registers", async (t) => {
    await t.enter([".stack", ".stack 0"], /^frame 0 loops, 0x/m, /fp-24 +0x[0-9a-f]{16}/);
    await t.enter(
      ["x/2gx ctx", "x/2i", ".mem pkt 16"],
      /^0x\w+:\s+0x/m,
      /=> +78: \(18\)/,
      /02 00 00 00 00 02/,
    );
    await t.enter([".regs", "i r r3"], /^R3 +0x0000000000000003 +3$/m, /^R3=3$/m);
  }),
  step("steps go on; an empty line repeats the last", async (t) => {
    await t.enter(["display r0 + 1", "s", ""], /^r0 \+ 1 = 4$/m, /=> +81:/);
    await t.enter(["n", "ni 2", "display off"], /=> +82:/, /=> +84:/);
  }),
  step("what the verifier believed stands beside what is true", async (t) => {
    await t.enter(
      ".belief",
      /R5 +map_value\(map=calls\.bss,.*; is map_value\(map=calls\.bss\)/,
      /R3 .*; is 3$/m,
    );
  }),
  step("out of a call", async (t) => {
    await t.enter([".mark here", "fin"], /^returned 4\nmix_round\+6/m);
  }),
  step("registers, memory and maps that differ between two points", async (t) => {
    await t.enter(".diff here", /R3: 3 -> /, /fp-24\[frame0\]: \w+ -> \w+/);
    await t.enter(".diff @150 @216", /from @150 .* to @216/, /map calls\.bss\[00000000\]: \w+ -> \w+/);
  }),
  step("into, over and out of callbacks and calls", async (t) => {
    await t.enter([".delete", "b 21", "r", "s"], /=> +21: \(85\) call bpf_loop/, /^add_until\+0/m);
    await t.enter(
      ["bt", "fin"],
      /#0 {2}add_until .*\(callback\)\n#1 {2}loops slot 21/,
      /^returned 0\nadd_until\+0/m,
    );
    await t.enter([".back 1000", ".until 21", "n"], /^at the start$/m, /=> +22: .*r0 s< 0x0/);
    await t.enter(["u 75", "s", "fin", ".until 75", "n"], /^mix\+0/m, /^returned \d+\nmix_round\+6/m);
  }),
];

/** Time travel, changes, helpers, the session itself. */
const CHANGING: readonly TerminalStep[] = [
  step("watchpoints on registers and memory, with conditions", async (t) => {
    await t.enter(
      [".delete", ".start", "u 34", ".start", ".watch *(u64 *)(fp - 24) if insns > 200", "c"],
      /^watchpoint \d+: \*\(u64 \*\)\(fp - 24\) was 0x\w+, is 0x\w+$/m,
    );
    await t.enter(
      [".delete", ".start", "watch calls_made[0] if calls_made[0] % 4 == 0 && total_bytes != 1", "c"],
      /^watchpoint \d+: calls_made\[0\] was \d+, is \d+$/m,
    );
    await t.enter([".delete", ".start", "watch r6", "c"], /watchpoint \d+: r6 was 0, is 0x\w+/);
  }),
  step("back N, and back to the last stop", async (t) => {
    await t.enter([".delete", "b mix if r3 == 5", ".start", "c", "p r3"], /^R3=5$/m);
    await t.enter([".delete", "b mix", "rc", "p r3"], /^R3=4$/m);
    await t.enter([".back 2", "rs", ".where"], /=> +73:/);
  }),
  step("back to the last write of a register and of an address", async (t) => {
    await t.enter([".delete", "u 34", ".origin r0"], /=> +\d+:/);
    await t.enter(
      ["u 34", ".origin fp-24"],
      /^mix\+21[\s\S]*\*hash = h;[\s\S]*=> +99: \(7b\) \*\(u64 \*\)\(r1 \+0\) = r3/m,
    );
  }),
  step("to a state by its number", async (t) => {
    await t.enter([".goto 12", ".where"], /loops\+13/, /^12 instructions executed$/m);
  }),
  step("registers and memory are set, and taken back", async (t) => {
    await t.enter(
      [".set r7 = 0x1234", "set $r7 = r7 + 1", ".set *(u8 *)(fp - 24) = 9"],
      /^R7=4660$/m,
      /^R7=4661$/m,
      /1 bytes at 0x/,
    );
    await t.enter([".undo", ".undo", "p r7"], /taken back/, /^R7=4660$/m);
  }),
  step("an instruction is edited, and the program goes on", async (t) => {
    await t.enter(
      [".start", ".patch 56 w7 = 3", ".patch 54 w7 = 3", "c"],
      /^ +56: \(b4\) w7 = 3$/m,
      /XDP_TX/,
    );
    await t.enter(".patch 57 r0 = r9", /the verifier refuses it: R9 !read_ok \[REG_UNINIT\]/);
    await t.enter(".patch 57 w0 = w7", /the verifier accepts it now/);
  }),
  step("a function is called with arguments", async (t) => {
    await t.enter([".start", ".call mix_round(1, fp - 8)"], /^mix_round\(…\) = 0$/m);
    await t.enter(
      [".call -s add_until(3, fp - 16)", "bt", "fin"],
      /^add_until\+0/m,
      /#0 {2}add_until .*\n#1 {2}loops/,
      /^returned \d/m,
    );
  }),
  step("a helper is replaced, and the verifier and the program see it", async (t) => {
    await t.enter([".helper bpf_loop = () => -22", ".run"], /helper bpf_loop\(.*, replaced/, /XDP_ABORTED/);
    await t.enter([".helper -d bpf_loop", ".run"], /the kernel's again/, /XDP_TX/);
  }),
  step("a helper is defined in TypeScript, over several lines", async (t) => {
    await t.enter(
      [
        ".clear",
        '.helper { id: 0x10002, name: "twice", args: [arg.u64("x", { max: 99n })],',
        "returns: ret.u64(), call: ({ x }: { x: bigint }) => x * 2n }",
      ],
      /helper twice\(x\), number 65538/,
    );
    await t.enter(["r1 = 21; call twice", "exit", ".verify"], /R0=42/, /accepted/);
    // The verifier holds the program to the new prototype at once.
    await t.enter(
      [
        ".start",
        '.helper { id: 0x10002, name: "twice", args: [arg.u64("x", { max: 9n })],',
        "returns: ret.u64(), call: ({ x }: { x: bigint }) => x * 2n }",
      ],
      /the verifier refuses it: R1 holds \[21, 21\], .*\[CALL_ARG_RANGE\]/,
    );
  }),
  step("a plugin file is loaded, helpers are listed", async (t, { plugin }) => {
    await t.enter([".clear", `.plugin ${plugin}`, "r1 = 5; call tenfold"], /: tenfold$/m, /R0=50/);
    await t.enter(".helpers tenfold", /Ten times a number/);
  }),
  step("maps are made and changed", async (t) => {
    await t.enter(
      [".map create m hash 4 8 4", ".map m 3 = 7", ".maps"],
      /map m \(hash\)/,
      /03000000 => 0700000000000000/,
      /^m +hash, key 4, value 8, max 4/m,
    );
    await t.enter(
      [".trace on", "r1 = 1", ".start", "s", ".trace off"],
      /0: \(b7\) r1 = 5|=> /,
      /tracing is off/,
    );
  }),
  step("tail calls are stepped into, over and back", async (t) => {
    await t.enter(
      [".load samples/tailcalls/tailcalls.bpf.o:dispatch", ".pkt tcp dport=80", "b ip4", "r"],
      /breakpoint \d+ at ip4\+0/,
    );
    await t.enter(["bt", ".back", "s"], /#0 {2}ip4/, /dispatch\+33[\s\S]*bpf_tail_call/, /^ip4\+0/m);
    await t.enter([".back", "n", "fin"], /^R0=\d+ +XDP_\w+ /m);
  }),
  step("a session is saved, and the shell is at hand", async (t, { saved }) => {
    await t.enter([`.save ${saved}`, `!echo from the "shell"`], /\d+ inputs/, /^from the shell$/m);
  }),
  step("lines are edited in an editor, and scripts are read", async (t, { script }) => {
    await t.enter([".clear", "r0 = 1", ".edit"], /^R0=4242$/m);
    await t.enter(`.source ${script}`, /^R5=55$/m);
  }),
  step("Ctrl-D leaves; the next start knows the history, and the session", async (t) => {
    await t.clear();
    t.press("C-d");
    await t.until(/LEFT 0/);
    await t.until(/tsbpf>$/);
    await t.clear();
    t.press("C-r");
    await t.until(/bck-i-search: _/);
    t.press("-l", "tenfold");
    await t.until(/\.helpers tenfold/);
    await t.submit("Ctrl-R", /Ten times a number/);
    await t.enter(".prog", /=> dispatch/);
    await t.clear();
    await t.type(".quit");
    t.press("Enter");
    await t.until(/GONE 0/);
  }),
];

export const TERMINAL_STEPS: readonly TerminalStep[] = [...TYPING, ...LOOKING, ...CHANGING];
