import type { Insn } from "@tsbpf/isa";
import { beginRun, type EngineProg, type Machine, runProg } from "@tsbpf/runtime";
import { describe, expect, it } from "vitest";
import { type CompileReport, canRunBatch, createJit, PACKET_DESC, runBatch } from "../src/index.ts";
import { insn, link, makeMachine, specOf } from "./programs.ts";

const EXIT = insn("exit");
const CONTEXT = { address: 0x1_0000, packet: undefined };

function prepare(insns: readonly Insn[], isProven = true, reports: CompileReport[] = []): EngineProg {
  const jit = createJit({ onCompile: (report) => reports.push(report) });
  return jit.prepare(link(specOf(insns), isProven), { isChecked: !isProven });
}

function resultOf(machine: Machine, prog: EngineProg): bigint | string {
  const { end } = runProg(machine, prog, CONTEXT);
  return end.kind === "exit" ? end.r0 : end.trap.code;
}

/** Adds 1 as often as there are links, each of which may leave the chain. */
function chain(links: number): Insn[] {
  const insns: Insn[] = [insn("mov64.k", { dst: 0, imm: 0 })];
  for (let i = 0; i < links; i++) {
    insns.push(insn("add64.k", { dst: 0, imm: 1 }), insn("jeq64.k", { dst: 0, imm: -1, off: i % 2 }));
  }
  return [...insns, insn("ja"), EXIT];
}

describe("large programs", () => {
  it("neither overflow a stack nor lose an instruction: a chain of 32,000", () => {
    const machine = makeMachine();
    const prog = prepare(chain(16_000));
    const { end, insnCount } = runProg(machine, prog, CONTEXT);
    expect(end).toEqual({ kind: "exit", r0: 16_000n });
    expect(insnCount).toBe(32_003);
  });

  it("nest branches whose arms are exits", () => {
    const insns: Insn[] = [insn("mov64.k", { dst: 0, imm: 3 })];
    for (let i = 0; i < 5000; i++) insns.push(insn("jeq64.k", { dst: 0, imm: 3, off: 1 }), EXIT);
    expect(resultOf(makeMachine(), prepare([...insns, EXIT]))).toBe(3n);
  });

  it("are refused by name when no engine would take them", () => {
    const insns = [...Array.from({ length: 400_000 }, () => insn("mov64.k", { dst: 0, imm: 1 })), EXIT];
    expect(() => prepare(insns)).toThrow(expect.objectContaining({ code: "UNSUPPORTED_JIT_SIZE" }));
  });
});

describe("compiling", () => {
  it("happens once for each form that runs ask for", () => {
    const reports: CompileReport[] = [];
    const prog = prepare([insn("mov64.k", { dst: 0, imm: 1 }), EXIT], true, reports);
    const machine = makeMachine();
    for (let i = 0; i < 3; i++) runProg(machine, prog, CONTEXT);
    expect(reports).toHaveLength(1);
    expect(reports[0]).toMatchObject({ prog: "test", slotCount: 2 });
    runProg(machine, prog, CONTEXT, { budget: 10 });
    runProg(machine, prog, CONTEXT, { budget: 10 });
    expect(reports).toHaveLength(2);
  });

  it("gives programs without facts checks, whatever the options say", () => {
    const code = [insn("mov64.k", { dst: 1, imm: 8 }), insn("ldx8", { dst: 0, src: 1 }), EXIT];
    const prog = createJit().prepare(link(specOf(code), false), { isChecked: false });
    expect(resultOf(makeMachine(), prog)).toBe("RUN_NULL");
  });
});

describe("repeats", () => {
  /** Adds 1 to a word of the frame that outlives runs, and returns it; traps where it has become 5. */
  const COUNT = (limit: number): Insn[] => [
    insn("ldx64", { dst: 0, src: 1 }),
    insn("add64.k", { dst: 0, imm: 1 }),
    insn("stx64", { dst: 1, src: 0 }),
    insn("jne64.k", { dst: 0, imm: limit, off: 1 }),
    insn("ldx8", { dst: 0, src: 0, off: -limit }),
    EXIT,
  ];

  it.each([
    ["with proofs", true, {}],
    ["with proofs and a budget", true, { budget: 1000 }],
    ["without proofs", false, {}],
  ] as const)("do the same as single runs, %s", (_, isProven, limits) => {
    const machine = makeMachine();
    const address = machine.env.memory.alloc(64, { kind: "ctx", name: "ctx" });
    const prog = prepare(COUNT(-1), isProven);
    const context = { address, packet: undefined };
    const { end, insnCount } = runProg(machine, prog, context, { ...limits, times: 5000 });
    expect(end).toEqual({ kind: "exit", r0: 5000n });
    expect(insnCount).toBe(5);
    beginRun(machine, prog, context, limits);
    expect(prog.repeat?.(machine, address, 3)).toBe(true);
    expect(machine.regs[0]).toBe(5003);
  });

  it("count what their own functions and loops execute in the last run alone", () => {
    const machine = makeMachine();
    const address = machine.env.memory.alloc(64, { kind: "ctx", name: "ctx" });
    const context = { address, packet: undefined };
    /** A small function, which becomes part of its caller, or one that is too large for that; 3 rounds by may_goto. */
    const code = (size: number): Insn[] => [
      insn("ldx64", { dst: 6, src: 1 }),
      insn("add64.k", { dst: 6, imm: 1 }),
      insn("stx64", { dst: 1, src: 6 }),
      insn("mov64.k", { dst: 7, imm: 0 }),
      insn("may_goto", { off: 2 }),
      insn("add64.k", { dst: 7, imm: 1 }),
      insn("jne64.k", { dst: 7, imm: 3, off: -3 }),
      insn("mov64.x", { dst: 1, src: 6 }),
      insn("call.subprog", { imm: 2 }),
      insn("add64.x", { dst: 0, src: 7 }),
      EXIT,
      insn("mov64.x", { dst: 0, src: 1 }),
      ...Array.from({ length: size }, () => insn("add64.k", { dst: 0, imm: 1 })),
      EXIT,
    ];
    for (const size of [3, 60, 300]) {
      machine.env.memory.view.setUint32(address, 0, true);
      const prog = prepare(code(size));
      const { insnCount } = runProg(machine, prog, context);
      const { end, insnCount: last } = runProg(machine, prog, context, { times: 2000 });
      expect([end, last]).toEqual([{ kind: "exit", r0: BigInt(2001 + size + 3) }, insnCount]);
    }
  });

  it("end where a packet load finds nothing, with r0 = 0 (ISA-111)", () => {
    const machine = makeMachine();
    const code = [
      insn("mov64.x", { dst: 6, src: 1 }),
      insn("ldabs32", { imm: 14 }),
      insn("mov64.k", { imm: 7 }),
      EXIT,
    ];
    const spec = { ...specOf(code), type: "socket_filter" as const };
    const prog = createJit().prepare(link(spec, true), { isChecked: false });
    const { end, insnCount } = runProg(machine, prog, CONTEXT, { times: 2000 });
    expect([end, insnCount]).toEqual([{ kind: "exit", r0: 0n }, 2]);
  });

  it("have an entry of their own that needs no machine made ready", () => {
    const machine = makeMachine();
    const address = machine.env.memory.alloc(64, { kind: "ctx", name: "ctx" });
    const prog = prepare(COUNT(-1));
    const entry = prog.makeEntry?.(machine, address);
    expect([entry?.run(), entry?.run(), entry?.run()]).toEqual([1, 2, 3]);
    expect(entry?.count()).toBe(5);
    machine.env.memory.ensureHeadroom(1 << 21);
    expect(entry?.run()).toBe(4);
    expect(entry?.count()).toBe(5);
    expect(runProg(machine, prog, { address, packet: undefined }, { budget: 3 })).toMatchObject({
      end: { kind: "trap" },
      insnCount: 3,
    });
    expect(entry?.run()).toBe(6);
    expect(entry?.count()).toBe(5);
    expect(prepare(COUNT(-1), false).makeEntry?.(machine, address)).toBeUndefined();
  });

  it("end with the first trap, whose counts they leave", () => {
    const machine = makeMachine();
    const address = machine.env.memory.alloc(64, { kind: "ctx", name: "ctx" });
    const { end, insnCount } = runProg(
      machine,
      prepare(COUNT(3000), false),
      { address, packet: undefined },
      { times: 5000 },
    );
    expect(end).toMatchObject({ kind: "trap", trap: { code: "RUN_NULL" } });
    expect(insnCount).toBe(5);
    expect(machine.env.memory.view.getUint32(address, true)).toBe(3000);
  });
});

describe("batches", () => {
  const LENGTH = [
    insn("ldx32", { dst: 2, src: 1, off: 0 }),
    insn("ldx32", { dst: 0, src: 1, off: 4 }),
    insn("sub64.x", { dst: 0, src: 2 }),
    insn("jgt64.k", { dst: 0, imm: 20, off: 1 }),
    EXIT,
    insn("mov64.k", { dst: 0, imm: 99 }),
    EXIT,
  ];

  it("leave verdict and count of every packet in its descriptor", () => {
    const machine = makeMachine();
    const prog = prepare(LENGTH);
    const { memory } = machine.env;
    const ctxAddress = memory.allocRaw(24);
    const count = 5;
    const descAddress = memory.allocRaw(count * PACKET_DESC.bytes);
    for (let i = 0; i < count; i++) {
      const at = descAddress + i * PACKET_DESC.bytes;
      memory.view.setUint32(at + PACKET_DESC.data, 0x2_0000, true);
      memory.view.setUint32(at + PACKET_DESC.dataEnd, 0x2_0000 + 10 * i, true);
    }
    beginRun(machine, prog, { address: ctxAddress, packet: undefined });
    expect(canRunBatch(prog, machine)).toBe(true);
    runBatch(prog, { machine, ctxAddress, descAddress, count });
    const word = (i: number, offset: number): number =>
      memory.view.getUint32(descAddress + i * PACKET_DESC.bytes + offset, true);
    expect(Array.from({ length: count }, (_, i) => word(i, PACKET_DESC.verdict))).toEqual([
      0, 10, 20, 99, 99,
    ]);
    expect(Array.from({ length: count }, (_, i) => word(i, PACKET_DESC.insnCount))).toEqual([5, 5, 5, 6, 6]);
  });

  it("are refused to programs without proofs or a budget", () => {
    const machine = makeMachine();
    const prog = prepare(LENGTH, false);
    expect(canRunBatch(prog, machine)).toBe(false);
    expect(() => runBatch(prog, { machine, ctxAddress: 0, descAddress: 0, count: 0 })).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_BATCH" }),
    );
  });
});
