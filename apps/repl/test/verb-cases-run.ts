import { expect } from "vitest";
import { CALLS, say, TYPED, world } from "./verb-world.ts";

/** Programs, running, stopping. */
export const RUN_CASES: Readonly<Record<string, () => Promise<void>>> = {
  async load() {
    expect(await say(`.load ${CALLS}`)).toContain("3 programs: calls, loops, each; the first is taken");
    expect(await say(`.load ${CALLS}:loops`)).toContain("loops (xdp): 121 slots, 5 functions");
    expect(await say(".load nope.o")).toBe("error: nope.o: no such file [FILE_UNREADABLE]\n");
    world.host.written.set("a.s", "r0 = 2 ; comment\nexit\n");
    expect(await say(".load a.s")).toBe("a.s (xdp): 2 slots, 0 maps\n");
    world.host.written.set("bad.s", "r0 = \n");
    expect(await say(".load bad.s")).toContain("bad.s:1:");
  },
  async unload() {
    await say(`.load ${CALLS}`);
    expect(await say(".unload", "r0 = 3")).toBe("R0=3\n");
    expect(world.repl.session.isScratch).toBe(true);
  },
  async prog() {
    expect(await say(".prog")).toContain("REPL_NO_PROG");
    expect(await say(`.load ${CALLS}`, ".prog")).toMatch(/=> calls {2}xdp.*\n {3}loops {2}xdp/);
    expect(await say(".prog each")).toContain("each (xdp)");
    expect(await say(".prog nope")).toContain("PROG_CHOICE");
  },
  async filter() {
    expect(await say(".filter tcp port 80")).toMatch(
      /^\(000\) ldh[\s\S]*\(019\) ret {6}#0\nfilter \(socket_filter\)/,
    );
    expect(await say(".pkt tcp dport=80", "r")).toContain("accept 262144 bytes");
    expect(await say(".pkt udp dport=80", "r", ".verify")).toContain("accepted");
    expect(await say("r")).toMatch(/^R0=0 {2}drop/);
    const lines = [".filter {", "ldh [12]", "jne #0x800, drop", "ret #-1", "drop: ret #0", "}"];
    expect(await say(...lines)).toContain("(001) jeq      #0x800           jt 2\tjf 3");
    expect(await say(".pkt tcp", ".jit")).toContain("accept");
    expect(await say(".filter { 0x28, 0, 0, 0xc }, { 0x6, 0, 0, 0x1 }")).toContain("(001) ret      #1");
    expect(await say(".filter -y RAW icmp")).toContain("(000) ldb      [0]");
    world.host.written.set("f.ddd", "2\n48 0 0 0\n6 0 0 1\n");
    expect(await say(".load f.ddd")).toMatch(/\(000\) ldb +\[0\]\n.*\nf\.ddd \(socket_filter\)/);
    expect(await say(".filter tcp and")).toMatch(
      /^error: can't parse filter expression[^\n]*\n {2}tcp and\n {9}\^/,
    );
    expect(await say(".filter {", "ldh [12]", "}")).toContain("CBPF_NO_RETURN");
    expect(await say(".unload", "ldh [12]")).toContain(".filter {");
    expect(await say(".filter")).toContain("usage");
  },
  async list() {
    expect(await say(".list")).toContain("REPL_NO_PROG");
    expect(await say("r0 = 1", "r1 = 2", ".list")).toBe("r0 = 1\nr1 = 2\n");
    const text = await say(`.load ${CALLS}`, "b 2", ".list");
    expect(text).toMatch(/^calls:\n; .*calls\.bpf\.c:\d+\n=> +0: \(/);
    expect(text).toMatch(/^ {2}b +2: /m);
    expect(await say("l mix")).toMatch(/^mix:/);
  },
  async disasm() {
    expect(await say("r0 = 1", ".disasm")).toBe("   0: (b7) r0 = 1\n   1: (95) exit\n");
    expect(await say("disas -o")).toContain("b7 00 00 00 01 00 00 00");
    expect(await say(`.load ${CALLS}`, ".disasm rotate")).toContain("call");
  },
  async cfg() {
    expect(await say("r0 = 1", ".cfg")).toMatch(/^digraph/);
  },
  async verify() {
    expect(await say("r0 = 1", ".verify")).toBe("typed (xdp): accepted, 2 instructions verified\n");
    expect(await say("r0 = r7", ".verify")).toContain("R7 !read_ok");
    expect(await say(`.load ${CALLS}`, ".verify log")).toContain("0: R1=ctx() R10=fp0");
    expect(await say(".verify nonsense")).toContain("usage: .verify");
  },
  async type() {
    expect(await say(".type")).toBe("program type xdp\n");
    expect(await say(".type sched_cls", ".type")).toBe("program type sched_cls\n");
    expect(await say(".ctx mark")).toContain("mark");
    expect(await say(".type nonsense")).toContain("one of these needed");
  },
  async export() {
    await say("r0 = 7", ".export a.s", ".export a.bin", ".export a.dot");
    expect(world.host.written.get("a.s")).toContain("r0 = 7");
    expect(world.host.written.get("a.bin")).toHaveLength(16);
    expect(world.host.written.get("a.dot")).toContain("digraph");
  },
  async run() {
    expect(await say("r0 = 2", ".run")).toBe("R0=2  XDP_PASS  (exited after 2 instructions)\n");
    expect(await say(`.load ${CALLS}`, "r")).toContain("XDP_PASS");
    expect(await say("b 0", "r")).toContain("breakpoint 1 at calls+0");
  },
  async start() {
    expect(await say("r0 = 2", ".start")).toContain("=>    0: (b7) r0 = 2");
  },
  async step() {
    await say(`.load ${CALLS}:loops`, "b 21", "r");
    expect(await say("s")).toMatch(/^add_until\+0/); // into the callback of bpf_loop
    expect(await say("bt")).toMatch(/^#0 {2}add_until of loops slot 59 .*\(callback\)\n#1 {2}loops slot 21/);
    expect(await say("s 3")).toContain("=>   62:");
    expect(await say("s nope")).toContain("nothing is named nope");
  },
  async next() {
    await say(`.load ${CALLS}:loops`, "b 21", "r");
    expect(await say("n")).toContain("=>   22:");
    expect(await say("n 2")).toContain("=>   24:");
  },
  async finish() {
    await say(`.load ${CALLS}`, "b mix", "r");
    expect(await say("finish")).toMatch(/^returned .*\nhash_words\+38/);
  },
  async cont() {
    await say(`.load ${CALLS}`, "b mix", "r");
    expect(await say("c")).toContain("breakpoint 1 at mix+0 (slot 225), hit 2 times");
    expect(await say("c 3")).toMatch(/^mix\+/);
    expect(await say(".delete", "c")).toContain("XDP_PASS");
    expect(await say("c")).toContain("the run has ended");
  },
  async until() {
    await say(`.load ${CALLS}`);
    expect(await say(".until mix+5")).toMatch(/^mix\+5/);
    expect(await say("u nope")).toContain("REPL_PLACE");
  },
  async call() {
    await say(`.load ${CALLS}`);
    expect(await say(".call rotate(0x80000001, 4)")).toBe("rotate(…) = 24\n");
    expect(await say("p r1")).toBe("R1=ctx()\n");
    expect(await say(".call packet_bytes(ctx)", "p _")).toBe("60 (0x3c)\n");
    expect(await say(".call -s rotate(1, 2)")).toMatch(/^rotate\+0/);
    expect(await say("bt")).toMatch(/#0 {2}rotate.*\n#1 {2}calls slot 0/);
    expect(await say("fin")).toMatch(/^returned 4\ncalls\+0/);
    expect(await say(".call nope(1)")).toContain("REPL_PLACE");
    expect(await say(".call rotate(1,2,3,4,5,6)")).toContain("5 allowed");
  },
  async jit() {
    expect(await say(`.load ${CALLS}`, ".jit")).toMatch(/^jit: R0=\d+ {2}XDP_\w+ {2}\(\d+ instructions\)\n$/);
  },
  async time() {
    expect(await say("r0 = 2", ".time 3")).toMatch(/^interpreter .*3 runs\njit .*3 runs\n$/);
  },
  async fuel() {
    world.host.written.set("loop.s", "r0 = 0\nagain: r0 += 1\ngoto again\n");
    expect(await say(".load loop.s", ".fuel 1000", "c")).toMatch(
      /^trap: 1000 instructions executed.*\n\(\.fuel N allows more\)/,
    );
    expect(await say(".fuel")).toBe("1000 instructions\n");
  },
  async trace() {
    await say(...TYPED, ".trace on", ".start");
    const text = await say("c");
    expect(text).toContain("   0: (b7) r6 = 0");
    expect(text).toMatch(/\(0f\) |\(07\) r0 \+= 1 +; R0=1/);
    expect(await say(".trace off")).toBe("tracing is off\n");
    expect(await say(".trace maybe")).toContain("usage");
  },
  async break() {
    await say(`.load ${CALLS}`);
    expect(await say("b mix if r3 == 7")).toBe("breakpoint 1 at mix+0 (slot 225) if r3 == 7\n");
    expect(await say("r", "p r3")).toBe("R3=7\n");
    expect(await say(".break calls.bpf.c:51")).toMatch(/^breakpoint 2 at mix\+\d+/);
    expect(await say(".break")).toContain("1  break  mix+0 (slot 225) if r3 == 7  hit 1 times");
    expect(await say("b 99999")).toContain("a slot below 278");
    expect(await say("b mix if nope == 1")).toContain("nothing is named nope");
    expect(await say("b loops/5")).toContain("loops+5");
  },
  async tbreak() {
    await say(`.load ${CALLS}`, "tb mix", "r");
    expect(await say(".break")).toBe("no break- or watchpoints\n");
  },
  async watch() {
    await say(...TYPED, ".start");
    expect(await say(".watch *(u64 *)(fp - 8) if *(u64 *)(fp - 8) == 3", "c")).toContain("was 2, is 3");
    expect(await say(".delete", ".watch r6", "c")).toContain("r6 was 2, is 3");
    expect(await say(".watch 5 99")).toContain("1..8 can be watched");
  },
  async delete() {
    await say("r0 = 1", "b 0", "b 1");
    expect(await say("d 1", "info b")).toMatch(/^ {2}2 {2}break/);
    expect(await say("d 77")).toContain("no break- or watchpoint 77");
    expect(await say("d", "info b")).toBe("no break- or watchpoints\n");
  },
};
