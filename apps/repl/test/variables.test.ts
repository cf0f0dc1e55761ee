import { describe, expect, it } from "vitest";
import { Repl } from "../src/index.ts";
import { createHost, last, talk } from "./support.ts";

const LOAD = ".load samples/calls/calls.bpf.o:loops";
const say = (...lines: string[]): Promise<string> => last(lines, new Repl({ host: createHost() }));

describe("variables of the object", () => {
  it("have values, elements and addresses", async () => {
    expect(await say(LOAD, "p/x seed")).toBe("0x123456789abcdef\n");
    expect(await say(LOAD, "p &calls_made[2] - &calls_made")).toBe("16 (0x10)\n");
    expect(await say(LOAD, "p calls_made")).toContain("map_value(map=calls.bss)");
    expect(await say(LOAD, "b mix if calls_made[0] == 7", "r", "p calls_made[0]")).toBe("7\n");
    expect(await say(LOAD, "p total_bytes[0]")).toMatch(
      /total_bytes is no array of numbers\n {2}total_bytes\[0\]\n {2}\^~/,
    );
    expect(await say(LOAD, "p &5")).toContain("a name needed behind &");
  });

  it("are watched and set by name", async () => {
    expect(await say(LOAD, ".watch calls_made[0] if calls_made[0] == 4", "c")).toContain("was 3, is 4");
    expect(await say(LOAD, "watch total_bytes", "c")).toMatch(/watchpoint 1: total_bytes was 0, is \d+/);
    expect(await say(LOAD, "set var total_bytes = 9")).toBe("total_bytes = 9\n");
    expect(await say(LOAD, ".set total_bytes = 9", "p total_bytes")).toBe("9\n");
    expect(await say(LOAD, ".set calls_made[2] = -1", "p/d calls_made[2]")).toBe("-1\n");
    expect(await say(LOAD, "c", ".origin total_bytes")).toContain("=>   48: (7b) *(u64 *)(r1 +0) = r2");
    expect(await say(LOAD, ".watch calls.bss")).toContain("map[calls.bss][KEY]");
    expect(await say(LOAD, "b mix if nope->x == 1")).toContain("nothing is named nope");
  });

  it("are listed", async () => {
    const text = await say(LOAD, ".set calls_made[1] = 5", "info variables");
    expect(text).toContain("calls_made = [0, 5, 0, 0, 0, 0], 48 bytes\n");
    expect(text).toContain("max_iterations = 1000, 4 bytes\n");
    expect(await say("info var")).toContain("no variables");
  });

  it("are shown at every stop, in gdb's formats", async () => {
    expect(await say(LOAD, "display/x seed")).toBe("seed = 0x123456789abcdef\n");
    expect(await say(LOAD, "display/d r3", "s")).toContain("r3 = 0\n");
    expect(await say("display/i $pc")).toContain("without being asked");
    expect(await say("p/z 5")).toContain("REPL_EXPR");
  });

  it("are completed", () => {
    const repl = new Repl({ host: createHost() });
    return talk([LOAD], repl).then(() => {
      expect(repl.complete("p total_").candidates).toEqual(["total_bytes"]);
    });
  });
});

describe("maps and the context in expressions", () => {
  it("give what a map holds under a key", async () => {
    const made = [".map create m hash 4 8 4", ".map m 3 = 77"];
    expect(await say(...made, "p *(u64 *)map[m][3]")).toBe("77 (0x4d)\n");
    expect(await say(...made, "p map[m] == m")).toBe("1\n");
    expect(await say(...made, "p map[m][4]")).toContain("m holds nothing under 4");
    expect(await say("p map[n][4]")).toContain("no map n");
    expect(await say(...made, "r0 = 1", ".watch map[m][3]")).toContain("watchpoint 1 on map[m][3]");
  });

  it("give fields of the context", async () => {
    expect(await say("p ctx->data == pkt")).toBe("1\n");
    expect(await say("p ctx->nope")).toMatch(/ctx has no field nope\n {2}ctx->nope\n {7}\^~~~/);
    expect(await say(LOAD, "b 3 if ctx->ingress_ifindex == 1", "r")).toContain("breakpoint 1");
  });
});
