import { expect } from "vitest";
import { protoByName } from "../../../packages/abi/src/index.ts";
import { Repl, VERBS } from "../src/index.ts";
import { last, talk } from "./support.ts";
import { CALLS, say, TYPED, world } from "./verb-world.ts";

/** Looking, going back, changing, input, the session. */
export const LOOK_CASES: Readonly<Record<string, () => Promise<void>>> = {
  async regs() {
    const text = await say("r3 = -2", ".regs");
    expect(text.split("\n")).toHaveLength(12);
    expect(text).toContain("R3  0xfffffffffffffffe  18446744073709551614 = -2");
    expect(text).toContain("ctx()");
  },
  async print() {
    expect(await say("p 1 + 2 * 3")).toBe("7\n");
    expect(await say("p/x 255")).toBe("0xff\n");
    expect(await say("r0 = 9", "r0")).toBe("R0=9\n");
    expect(await say("p *(u16 *)(pkt + 12) == 8")).toBe("1\n");
    expect(await say("p")).toContain("usage");
  },
  async mem() {
    expect(await say(".mem pkt 16")).toContain("02 00 00 00 00 02 02 00  00 00 00 01 08 00 45 00");
    expect(await say(".mem fp-8 = 01 02 03 04", "x/4xb fp-8")).toMatch(/0x01\t0x02\t0x03\t0x04/);
    expect(await say("x/2i 0")).toContain("r0 = 0");
    expect(await say("x/s pkt+44")).toContain('"');
    expect(await say("x/2dw fp-8")).toContain("67305985");
    expect(await say(".mem 5")).toContain("lies in no region");
  },
  async stack() {
    expect(await say("*(u64 *)(r10 - 16) = 5", ".stack")).toMatch(
      /frame 0.*\n.*8 bytes of zeros\n {2}fp-16 +0x0000000000000005/,
    );
    expect(await say(".stack 5")).toContain("no frame 5");
  },
  async frames() {
    await say(`.load ${CALLS}`, "b mix", "r");
    expect(await say(".frames")).toMatch(
      /^#0 {2}mix .*\n#1 {2}hash_words .*\n#2 {2}summarize .*\n#3 {2}calls .*calls\.bpf\.c:\d+\n$/,
    );
  },
  async where() {
    expect(await say("r0 = 1", ".start", ".where")).toContain("0 instructions executed");
  },
  async belief() {
    await say(`.load ${CALLS}`, "b mix", "r", "s 3");
    const text = await say(".belief");
    expect(text).toMatch(/R5 +map_value\(map=calls\.bss,ks=4,vs=56\).* ; is map_value\(map=calls\.bss\)/);
    expect(text).toMatch(/R10 +fp0 ; is fp0/);
    expect(text).not.toContain("OUTSIDE");
    await say(".unload", "r0 = 1", "r0 += 1", ".start", "s");
    expect(await say(".set r0 = 9", ".belief")).toContain("R0     1 ; is 9  (OUTSIDE what was believed)");
  },
  async mark() {
    expect(await say(".mark 1x")).toContain("usage");
    expect(await say(".mark a")).toBe("");
  },
  async diff() {
    await say(...TYPED, ".start", ".mark a", "s 5");
    expect(await say(".diff a")).toMatch(/R0: 0 -> /);
    expect(await say(".diff @1 @8")).toContain("from @1 (instruction 1) to @8 (instruction 8)");
    expect(await say(".where")).toContain("5 instructions executed");
    expect(await say(".diff nope")).toContain("no mark nope");
    expect(await say(".map create m hash 4 8 4", ".mark b", ".map m 1 = 7", ".diff b")).toContain(
      "map m[01000000]: nothing -> 0700000000000000",
    );
  },
  async display() {
    await say(...TYPED, ".start");
    expect(await say("display r6 + 1")).toBe("r6 + 1 = 1\n");
    expect(await say("s")).toContain("r6 + 1 = 1");
    expect(await say("display off", "s")).not.toContain("r6 + 1");
  },
  async info() {
    expect(await say("i r")).toContain("R10");
    expect(await say("info registers r1")).toBe("R1=ctx()\n");
    expect(await say(`.load ${CALLS}`, "i functions")).toContain("mix, 23 slots");
    expect(await say("i nope")).toContain("usage");
  },
  async maps() {
    expect(await say(".maps")).toContain("no maps");
    expect(await say(`.load ${CALLS}`, ".maps")).toMatch(/protocols {2}hash, key 4, value 8, max 64/);
  },
  async map() {
    expect(await say(".map create m hash 4 8 4")).toBe("map m (hash)\n");
    expect(await say(".map m 3 = 7")).toBe("  03000000 => 0700000000000000\n");
    expect(await say(".map m key hex 04 00 00 00 value hex 01 02 03 04 05 06 07 08")).toContain(
      "0102030405060708",
    );
    expect(await say(".map m 3")).toBe("  03000000 => 0700000000000000\n");
    expect(await say(".map m")).toContain("2 of 4 entries");
    expect(await say(".map m delete 3", ".map m 3")).toContain("ENOENT");
    expect(await say(".map m delete 3")).toContain("ENOENT");
    expect(await say(".undo", ".map m 3")).toContain("0700000000000000");
    expect(await say(".map m 0x1ffffffff = 1")).toContain("does not fit");
    expect(await say(".map create counts hash 4 8 4", ".map count")).toContain(
      "no map count, did you mean counts?",
    );
    await say(`.load ${CALLS}`, "r", ".maps");
    expect(await say(".map calls.bss")).toContain("total_bytes");
  },
  async back() {
    await say(...TYPED, ".start", "s 10");
    expect(await say(".back 3", ".where")).toContain("7 instructions executed");
    expect(await say(".back 99")).toContain("at the start");
  },
  async rcont() {
    await say(`.load ${CALLS}`, "b mix", "r", "c", "c", "p r3");
    expect(await say("p r3")).toBe("R3=2\n");
    expect(await say("rc", "p r3")).toBe("R3=1\n");
  },
  async origin() {
    await say(...TYPED, ".start", "c");
    expect(await say(".origin fp-8")).toContain("*(u64 *)(r10 -8) = r0");
    expect(await say("p r0")).toBe("R0=5\n");
    expect(await say(".origin")).toContain("usage");
    // An argument comes from the caller, r0 from the function that returned.
    await say(`.load ${CALLS}`, "b mix if r3 == 3", "r");
    expect(await say(".origin r1")).toContain("hash_words+34");
    await say(".delete", "c", ".until calls+3", "r", "b hash_words+33", "r");
    expect(await say(".origin r0")).toMatch(/^rotate\+/);
    // What rotate and mix did to their own registers is passed over.
    await say(".delete", "b hash_words+38 if r9 == 4", "r");
    expect(await say(".origin r7")).toMatch(/^hash_words\+/);
  },
  async goto() {
    await say(...TYPED, ".start", "c");
    expect(await say(".goto 4", ".where")).toContain("4 instructions executed");
    expect(await say(".goto")).toContain("usage");
  },
  async undo() {
    expect(await say("r0 = 1", "r0 = 2", ".undo", "p r0")).toBe("R0=1\n");
    expect(await say(".set r5 = 6", ".undo", "p r5")).toBe("R5=0\n");
    expect(await say(".undo", ".undo")).toContain("nothing to take back");
  },
  async set() {
    expect(await say(".set r1 = 0xffffffffffffffff")).toBe("R1=-1\n");
    expect(await say("set $r0 = r1 + 2")).toBe("R0=1\n");
    expect(await say(".set w1 = -1")).toBe("R1=0xffffffff\n");
    expect(await say(".set *(u16 *)(fp - 2) = 0x1234", "p *(u16 *)(fp - 2)")).toContain("0x1234");
    expect(await say(".set r10 = 1")).toContain("frame pointer");
    expect(await say(".set *(u8 *)0 = 1")).toContain("lie in no region");
  },
  async patch() {
    await say("r0 = 1", "r0 += 1", ".start", "s");
    expect(await say(".patch 1 r0 += 40")).toContain("r0 += 40");
    expect(await say("c")).toContain("R0=41");
    expect(await say(".patch 0 r0 = r9")).toContain("the verifier refuses it: R9 !read_ok");
    expect(await say(".patch 0 r0 = 0x1122334455667788 ll")).toContain("2 slots found");
    expect(await say(".patch 0 bogus")).toContain("patch:1:1");
    await say(`.load ${CALLS}`, "b mix", "r");
    expect(await say(".patch 231 w2 = 0", "bt")).toContain("#3  calls");
  },
  async helper() {
    expect(await say(".helper bpf_get_prandom_u32 = () => 7", "call get_prandom_u32")).toContain("R0=7");
    expect(await say(".helper add3 = (a, b, c) => a + b + c")).toContain(
      "helper add3(a, b, c), number 65536",
    );
    expect(await say("r1 = 1; r2 = 2; r3 = 3; call add3")).toContain("R0=6");
    expect(await say(".helper ts = (a: bigint): bigint => a * 2n", "r1 = 4; call ts")).toContain("R0=8");
    await say(
      ".helper {",
      'id: 0x10002, name: "small", args: [arg.u64("x", { max: 9n })],',
      "returns: ret.u64(),",
      "call({ x }) { return x; }",
    );
    expect(await say("}")).toContain("helper small(x), number 65538");
    world.repl.session.lines = [];
    // The verifier checks the bounds of the prototype that was just typed.
    expect(await say("r1 = 10; call small", ".verify")).toMatch(/refused/);
    expect(await say(".helper -d add3", "call add3")).toContain("ASM_CALL_UNKNOWN");
    expect(await say(".helper -d bpf_get_prandom_u32")).toContain("the kernel's again");
    expect(await say(".helper x = 5")).toContain("a function or a definition needed");
    expect(await say('.helper bad = () => { throw new Error("no") }', "call bad")).toContain(
      "the line was undone",
    );
    expect(protoByName("bpf_get_prandom_u32")?.name).toBe("bpf_get_prandom_u32");
  },
  async plugin() {
    expect(await say(".plugin x.ts", "r1 = 4; call tenfold")).toContain("R0=40");
    expect(await say("?tenfold")).toContain("Ten times a number.");
    expect(await say("r1 = 42; call my_halve")).toContain("R0=21");
    expect(await say("?my_halve")).toMatch(/kernel function, of a plugin[\s\S]*Half of a small number/);
    expect(await say("r1 = 400; call my_halve")).toContain("0..100 allowed, at slot 1; the line was undone");
    expect(await say(".clear", "r1 = *(u32 *)(r1 + 16); call my_halve", ".verify")).toMatch(
      /refused \(EACCES\).*\n.*n must be proven to lie in/,
    );
    expect(await say(".clear", "r1 = 8; call my_halve", ".verify")).toContain("accepted");
  },
  async pkt() {
    expect(await say(".pkt")).toContain("udp.dport    80");
    expect(await say(".pkt set udp.dport=53 ip.src=1.2.3.4", ".pkt show")).toMatch(
      /ip.src +1.2.3.4[\s\S]*udp.dport +53/,
    );
    expect(await say(".pkt samples/captures/lab.pcap#2")).toMatch(/^packet of \d+ bytes/);
    expect(await say(".pkt samples/captures/lab.pcap#999999")).toContain("REPL_PACKET");
    expect(await say(".pkt hex 0102030405060708090a0b0c0d0e", ".pkt hexdump")).toContain("01 02 03 04");
    expect(await say(".pkt set tcp.dport=1")).toContain("the packet has no tcp.dport");
    expect(await say(".pkt set nope=1")).toContain("no field nope");
    expect(await say(".pkt default")).toContain("packet of 60 bytes");
  },
  async ctx() {
    expect(await say(".ctx")).toContain("ingress_ifindex");
    expect(await say(".ctx rx_queue_index = 3", ".ctx rx_queue_index")).toContain("3");
    expect(await say(".ctx nope = 3")).toContain("no field nope");
  },
  async helpers() {
    expect(await say(".helpers map_lookup_elem")).toContain("r2  key");
    expect(await say(".helpers skb_vlan")).toContain("bpf_skb_vlan_push");
    expect((await say(".helpers")).split("\n").length).toBeGreaterThan(200);
    expect(await say(".helpers zzz")).toContain("no helper zzz");
  },
  async save() {
    await say("r0 = 1", "bogus", ".set r1 = 2", ...TYPED, ".regs", ".save a.txt");
    expect(world.host.written.get("a.txt")).toBe(
      "r0 = 1\n.set r1 = 2\n{\nf:\nr0 = r1\nr0 += 1\nexit\n}\n{\nr6 = 0\nagain: r1 = r6\ncall f\n*(u64 *)(r10 - 8) = r0\nr6 = r0\nif r6 != 5 goto again\nr0 = r6\n}\n",
    );
    const other = new Repl({ host: world.host });
    await talk([".source a.txt"], other);
    expect(await last([".regs"], other)).toBe(await say(".regs"));
  },
  async source() {
    world.host.written.set("s.txt", "# a comment\nr0 = 1\nr0 += 4\n");
    expect(await say(".source s.txt")).toBe("R0=1\nR0=5\n");
    world.host.written.set("bad.txt", "r0 = 1\nbogus\nr0 = 2\n");
    expect(await say(".source bad.txt")).toMatch(/R0=1\nbad.txt:2: bogus\nerror: /);
    world.host.written.set("self.txt", ".source self.txt\n");
    expect(await say(".source self.txt")).toContain("script inside another");
  },
  async edit() {
    expect(await say("r0 = 1", ".edit")).toBe("R0=2\n");
  },
  async clear() {
    await say("r0 = 1", "b 0", ".clear");
    expect(await say(".list")).toContain("REPL_NO_PROG");
  },
  async help() {
    const text = await say(".help");
    for (const verb of VERBS) expect(text).toContain(`.${verb.name}`);
    expect(await say(".help break")).toContain("> .break mix+3 if r2 == 7");
    expect(await say("?map_lookup_elem")).toContain("r1  map");
    expect(await say(".help add64")).toContain("add64");
    expect(await say(".help stepp")).toContain("did you mean step?");
  },
  async quit() {
    expect((await world.repl.execute(".quit")).isQuit).toBe(true);
    expect((await new Repl({ host: world.host }).execute("q")).isQuit).toBe(true);
    expect((await new Repl({ host: world.host }).execute(".exit")).isQuit).toBe(true);
  },
};
