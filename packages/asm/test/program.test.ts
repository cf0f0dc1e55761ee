import { describe, expect, it } from "vitest";
import { assemble, tryAssemble } from "../src/index.ts";

const symbols = {
  helperIdOf: (name: string) => ({ bpf_ktime_get_ns: 5 })[name],
  kfuncOf: (name: string) =>
    ({ bpf_rcu_read_lock: { btfId: 4711 }, mod_func: { btfId: 9, btfFdIdx: 2 } })[name],
};

describe("labels", () => {
  it("lead jumps, backwards and forwards, over wide loads", () => {
    const { insns, labels } = assemble(`
    again:
      r1 = 5 ll
      if r1 == 0 goto done
      jgt %r1, 3, again
      goto again
    done: exit
    `);
    expect([...labels]).toEqual([
      ["again", 0],
      ["done", 5],
    ]);
    expect(insns.map((insn) => insn.off)).toEqual([0, 0, 2, -4, -5, 0]);
  });

  it("may be numbers, the nearest one counts", () => {
    const { insns } = assemble("1: r0 = 0\ngoto 1b\n1: goto 1b\ngoto 1f\n1: exit");
    expect(insns.map((insn) => insn.off)).toEqual([0, -2, -1, 0, 0]);
  });

  it("of any name do no harm", () => {
    const { labels, insns } = assemble("__proto__:\ngoto constructor\nconstructor:\ngoto __proto__");
    expect([...labels.keys()]).toEqual(["__proto__", "constructor"]);
    expect(insns.map((insn) => insn.off)).toEqual([0, -2]);
    expect(tryAssemble("goto hasOwnProperty").ok).toBe(false);
    expect(tryAssemble("toString %r0").ok).toBe(false);
    expect(tryAssemble("r0 = *(constructor *)(r1 + 0)").ok).toBe(false);
  });

  it("may be several at one place, and stand at the end", () => {
    expect([...assemble("a: b:\nexit\nend:").labels]).toEqual([
      ["a", 0],
      ["b", 0],
      ["end", 1],
    ]);
  });
});

describe("functions", () => {
  it("are what is called, referred to or marked, and the entry", () => {
    const { funcs, insns } = assemble(`
      call second
      call local third
      r1 = func callback ll
      r2 = &callback
      r3 = second ll
      lddw r4, code_addr(third)
      exit
    second:
    inner:
      exit
    third:
      goto third
    callback:
      exit
    .func unused
      exit
    .global second
    `);
    expect(funcs).toEqual([
      { name: "main", slot: 0, linkage: "global" },
      { name: "second", slot: 11, linkage: "global" },
      { name: "third", slot: 12, linkage: "static" },
      { name: "callback", slot: 13, linkage: "static" },
      { name: "unused", slot: 14, linkage: "static" },
    ]);
    expect(insns[0]).toMatchObject({ op: 0x85, src: 1, imm: 10 });
    expect(insns[1]).toMatchObject({ op: 0x85, src: 1, imm: 10 });
    expect(insns[2]).toMatchObject({ op: 0x18, src: 4, dst: 1, imm: 10 });
    expect(insns[4]).toMatchObject({ op: 0x18, src: 4, dst: 2, imm: 8 });
    expect(insns[6]).toMatchObject({ op: 0x18, src: 4, dst: 3, imm: 4 });
    expect(insns[8]).toMatchObject({ op: 0x18, src: 4, dst: 4, imm: 3 });
  });

  it("name the entry by its label, a mark or the caller's word", () => {
    const entryOf = (text: string, entryName?: string) =>
      assemble(text, entryName === undefined ? {} : { entryName }).funcs[0];
    expect(entryOf("prog:\nexit")).toEqual({ name: "prog", slot: 0, linkage: "global" });
    expect(entryOf(".static prog\nloop: prog:\nexit")).toEqual({ name: "prog", slot: 0, linkage: "static" });
    expect(entryOf("exit")?.name).toBe("main");
    expect(entryOf("loop:\nexit", "xdp_main")?.name).toBe("xdp_main");
    expect(assemble("").funcs).toEqual([]);
  });

  it("go before helpers of the same name, unless an id says helper", () => {
    const text = "call bpf_ktime_get_ns\ncall bpf_ktime_get_ns#5\nexit\nbpf_ktime_get_ns:\nexit";
    expect(assemble(text, { symbols }).insns.slice(0, 2)).toMatchObject([
      { src: 1, imm: 2 },
      { src: 0, imm: 5 },
    ]);
  });
});

describe("calls by name", () => {
  it("find helpers and kernel functions through the caller's tables", () => {
    const { insns, kernelRefs } = assemble(
      `call bpf_ktime_get_ns
       call helper bpf_ktime_get_ns
       call bpf_rcu_read_lock
       call kfunc mod_func
       call mod_func#77`,
      { symbols },
    );
    expect(insns.map(({ src, off, imm }) => [src, off, imm])).toEqual([
      [0, 0, 5],
      [0, 0, 5],
      [2, 0, 4711],
      [2, 2, 9],
      [2, 2, 9],
    ]);
    expect(kernelRefs).toEqual([
      { slot: 2, name: "bpf_rcu_read_lock", kind: "kfunc" },
      { slot: 3, name: "mod_func", kind: "kfunc" },
      { slot: 4, name: "mod_func", kind: "kfunc" },
    ]);
  });

  it("need no tables where the text says enough", () => {
    const { insns, kernelRefs } = assemble(
      "call bpf_map_lookup_elem#1\ncall kfunc bpf_x\nr1 = ksym jiffies ll",
    );
    expect(insns[0]).toMatchObject({ op: 0x85, src: 0, imm: 1 });
    expect(insns[1]).toMatchObject({ op: 0x85, src: 2, imm: 0 });
    expect(insns[2]).toMatchObject({ op: 0x18, src: 3, imm: 0 });
    expect(kernelRefs).toEqual([
      { slot: 1, name: "bpf_x", kind: "kfunc" },
      { slot: 2, name: "jiffies", kind: "typed_ksym" },
    ]);
    expect(tryAssemble("call bpf_map_lookup_elem").ok).toBe(false);
  });

  it("take words of the language as names when nothing follows", () => {
    const { insns } = assemble("call local\nexit\nlocal:\nexit");
    expect(insns[0]).toMatchObject({ src: 1, imm: 1 });
  });
});

describe("maps by name", () => {
  it("are recorded with their slots and offsets, in every spelling", () => {
    const { insns, mapRefs, mapNames } = assemble(`
      r1 = map[counts] ll
      r1 = counts ll
      r2 = map_value[.data.cfg+16] ll
      r2 = map_value[.data.cfg]+16
      r2 = map[.data.cfg][0]+16
      r3 = map_value[counts]
      lddw r4, map_by_fd(counts)
      lddw r4, map_val(map_by_fd(counts))+4
    `);
    expect(mapNames).toEqual(["counts", ".data.cfg"]);
    expect(mapRefs).toEqual([
      { slot: 0, name: "counts" },
      { slot: 2, name: "counts" },
      { slot: 4, name: ".data.cfg", valueOffset: 16 },
      { slot: 6, name: ".data.cfg", valueOffset: 16 },
      { slot: 8, name: ".data.cfg", valueOffset: 16 },
      { slot: 10, name: "counts", valueOffset: 0 },
      { slot: 12, name: "counts" },
      { slot: 14, name: "counts", valueOffset: 4 },
    ]);
    expect(insns.filter((_insn, slot) => slot % 2 === 0).map(({ src, imm }) => [src, imm])).toEqual([
      [1, 0],
      [1, 0],
      [2, 0],
      [2, 0],
      [2, 0],
      [2, 0],
      [1, 0],
      [2, 0],
    ]);
    expect(insns[5]?.imm).toBe(16);
    expect(insns[15]?.imm).toBe(4);
  });
});

describe("comments and places", () => {
  it("are told with the instruction they stand beside", () => {
    const text = [
      "; prog: xdp",
      "r0 = 1 ; reject MEM_STACK_UNINIT // not the mark",
      "# r1 = 2",
      "exit /* a */ // b",
      "/* two",
      "   lines */ exit",
      "call bpf_x#1 # c",
      "; accept",
    ].join("\n");
    const { comments } = assemble(text);
    expect(comments).toEqual([
      { line: 1, column: 1, mark: ";", text: "prog: xdp", nextSlot: 0 },
      {
        line: 2,
        column: 8,
        mark: ";",
        text: "reject MEM_STACK_UNINIT // not the mark",
        slot: 0,
        nextSlot: 1,
      },
      { line: 3, column: 1, mark: "#", text: "r1 = 2", nextSlot: 1 },
      { line: 4, column: 6, mark: "/*", text: "a", slot: 1, nextSlot: 2 },
      { line: 4, column: 14, mark: "//", text: "b", slot: 1, nextSlot: 2 },
      { line: 5, column: 1, mark: "/*", text: "two", nextSlot: 2 },
      { line: 6, column: 1, mark: "/*", text: "lines", slot: 2, nextSlot: 3 },
      { line: 7, column: 14, mark: "#", text: "c", slot: 3, nextSlot: 4 },
      { line: 8, column: 1, mark: ";", text: "accept", nextSlot: 4 },
    ]);
  });

  it("give every slot its line, column and length", () => {
    const { places } = assemble("start: r1 = 5 ll ; x\r\n  12: (95) exit");
    expect(places).toEqual([
      { line: 1, column: 8, length: 9 },
      { line: 1, column: 8, length: 9 },
      { line: 2, column: 12, length: 4 },
    ]);
  });

  it("take ; as a separator when asked", () => {
    const { insns, comments } = assemble("r0 = 1; if r0 == 1 goto out; r0 = 2;; out: exit;", {
      semicolon: "separator",
    });
    expect(insns).toHaveLength(4);
    expect(insns[1]?.off).toBe(1);
    expect(comments).toEqual([]);
  });
});
