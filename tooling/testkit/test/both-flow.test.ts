import { makeProgSpec } from "@tsbpf/abi";
import { type Insn, insnOfRow, makeWide, rowOfId } from "@tsbpf/isa";
import { describe, expect, it } from "vitest";
import { type BothCase, bothEngines } from "../src/index.ts";

const PACKET = Uint8Array.from({ length: 64 }, (_, i) => i);

function expectEqual(one: BothCase): readonly { trap?: { code: string }; r0?: bigint; insnCount: number }[] {
  const { interpreter, jit } = bothEngines({ inputs: [{ packet: PACKET }], ...one });
  expect(jit.runs).toEqual(interpreter.runs);
  expect(jit.maps).toEqual(interpreter.maps);
  expect(Buffer.compare(jit.memory, interpreter.memory)).toBe(0);
  return jit.runs as never;
}

/** Loops, calls of two depths, a callback, a map and stores: something happens at every instruction. */
const BUSY = `
  r6 = r1
  r7 = 0
  r8 = 3
again:
  r1 = r8
  r2 = r7
  call small
  r7 += r0
  r1 = r8
  call large
  *(u64 *)(r10 - 16) = r0
  *(u32 *)(r10 - 4) = r8
  r1 = map[counts] ll
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem
  if r0 == 0 goto skip
  r1 = *(u64 *)(r0 + 0)
  r1 += r7
  *(u64 *)(r0 + 0) = r1
skip:
  r1 = 3
  r2 = func round
  r3 = r10
  r4 = 0
  call bpf_loop
  r7 += r0
  r8 -= 1
  if r8 != 0 goto again
  r0 = r7
  exit
small:
  r0 = r1
  r0 *= 3
  r0 += r2
  exit
large:
  r6 = r1
  r7 = 4
inner:
  *(u64 *)(r10 - 8) = r6
  r6 += r7
  r7 -= 1
  if r7 != 0 goto inner
  r1 = r6
  r2 = 1
  call small
  call bpf_get_prandom_u32
  r0 &= 7
  exit
round:
  r0 = *(u64 *)(r2 - 16)
  r0 += r1
  *(u64 *)(r2 - 16) = r0
  r0 = 0
  exit
`;
const COUNTS = { counts: { type: "array", valueSize: 8, maxEntries: 4 } } as const;

describe("both engines end at the same instruction", () => {
  it("whatever the budget is (anomaly: the budget ends at each instruction)", () => {
    const whole = expectEqual({ source: BUSY, vm: { maps: COUNTS } });
    const most = whole[0]!.insnCount;
    expect(whole[0]!.trap).toBeUndefined();
    for (let budget = 0; budget <= most; budget++) {
      const [run] = expectEqual({ source: BUSY, vm: { maps: COUNTS }, budget });
      expect(run!.trap?.code).toBe(budget < most ? "RUN_BUDGET" : undefined);
      expect(run!.insnCount).toBe(Math.min(budget, most));
    }
  });

  it.each([false, true])(
    "whatever the budget is where a pointer leads into recursion, proven: %s (anomaly: main's own calls are shallow)",
    (isProven) => {
      const DEEP = 47;
      // The small function stands in place of its calls only where no depth is counted.
      const source = `
  r6 = 2
  r1 = func deep
  callx r1
  r0 = r6
  exit
deep:
  r1 = 5
  call small
  r6 = r0
  call deep
  r0 += r6
  exit
small:
  r0 = r1
  r0 *= 3
  exit
`;
      const [whole] = expectEqual({ source, isProven });
      expect(whole).toMatchObject({ trap: { code: "RUN_DEPTH" }, insnCount: DEEP });
      for (let budget = 0; budget < DEEP; budget++) {
        const [run] = expectEqual({ source, isProven, budget });
        expect(run).toMatchObject({ trap: { code: "RUN_BUDGET" }, insnCount: budget });
      }
      for (let budget = DEEP; budget < DEEP + 15; budget++) {
        const [run] = expectEqual({ source, isProven, budget });
        expect(run).toMatchObject({ trap: { code: "RUN_DEPTH" }, insnCount: DEEP });
      }
    },
  );

  it("whatever round of nested callbacks the budget ends in (C-128)", () => {
    const source = `
      r7 = r1
      r1 = 3
      r2 = func outer
      r3 = r10
      r4 = 0
      *(u64 *)(r10 - 8) = 5
      call bpf_loop
      r6 = r0
      r1 = 0
      r2 = func outer
      r3 = r10
      r4 = 0
      call bpf_loop
      r6 += r0
      r1 = 9437184
      r2 = func outer
      r3 = r10
      r4 = 0
      call bpf_loop
      r6 += r0
      r1 = 9437184
      r2 = func outer
      r3 = r10
      r4 = 7
      call bpf_loop
      r0 += r6
      exit
    outer:
      r6 = r2
      r7 = r1
      r1 = r7
      r1 += 2
      r2 = func inner
      r3 = r6
      r4 = 0
      call bpf_loop
      r1 = *(u64 *)(r6 - 8)
      r1 += r0
      *(u64 *)(r6 - 8) = r1
      *(u64 *)(r10 - 8) = r7
      r0 = 0
      exit
    inner:
      r3 = *(u64 *)(r2 - 8)
      r3 += r1
      r3 += r9
      *(u64 *)(r2 - 8) = r3
      if r1 == 2 goto stop
      call bpf_get_prandom_u32
      r0 = 0
      exit
    stop:
      r0 = 1
      exit`;
    const [run] = expectEqual({ source });
    const most = run!.insnCount;
    expect(run!.trap).toBeUndefined();
    for (let budget = 0; budget <= most; budget++) expectEqual({ source, budget });
  });

  it("in graphs that no structure fits", () => {
    const source = `
      r0 = 0
      r1 = 9
      if r1 > 5 goto second
    first:
      r0 += 1
      r1 -= 1
      if r1 == 0 goto done
    second:
      r0 += 16
      if r1 s> 3 goto first
      r1 -= 1
      if r1 s> 0 goto first
    done:
      exit`;
    const [run] = expectEqual({ source });
    const most = run!.insnCount;
    for (let budget = 0; budget < most; budget++) expectEqual({ source, budget });
  });

  it("when frames run out, by recursion and by callbacks (C-54, C-130)", () => {
    const recursion =
      "r1 = 20\ncall f\nexit\nf:\nr6 = r1\nr1 -= 1\nif r6 == 0 goto e\ncall f\ne:\nr0 = r6\nexit";
    expect(expectEqual({ source: recursion })[0]!.trap?.code).toBe("RUN_DEPTH");
    const callbacks = `
      r1 = 1
      r2 = func f
      r3 = r10
      r4 = 0
      call bpf_loop
      exit
    f:
      r1 = 1
      r2 = func f
      r3 = r10
      r4 = 0
      call bpf_loop
      r0 = 0
      exit`;
    expect(expectEqual({ source: callbacks })[0]!.trap?.code).toBe("RUN_DEPTH");
  });

  it("when may_goto has counted down, one counter a frame (ISA-84)", () => {
    const source =
      "r0 = 0\nl:\nr0 += 1\nmay_goto out\ngoto l\nout:\ncall f\nexit\nf:\nmay_goto g\nr0 = 7\nexit\ng:\nr0 = 8\nexit";
    expectEqual({ source, budget: 30_000_000 });
  });
});

describe("both engines agree on calls", () => {
  it("tail calls: 33 of them, effects, failures (C-160..C-167, ISA-90)", () => {
    const source = `
      r6 = r1
      r2 = map[progs] ll
      r3 = 1
      call bpf_tail_call
      r0 = 5
      exit`;
    const maps = { progs: { type: "prog_array", valueSize: 4, maxEntries: 3 } } as const;
    const [run] = expectEqual({
      source,
      vm: { maps },
      after: (vm, prog) => vm.maps.get("progs")!.progSlots!.setProg(1, prog),
    });
    expect(run!.r0).toBe(5n);
    // The first three instructions count twice each: a wide load is one.
    expect(run!.insnCount).toBe(34 * 4 + 2);
  });

  it("tail calls from functions return to the caller (C-167)", () => {
    const source = `
      r6 = r1
      call f
      r0 += 100
      exit
    f:
      r2 = map[progs] ll
      r3 = 0
      call bpf_tail_call
      r0 = 3
      exit`;
    const maps = { progs: { type: "prog_array", valueSize: 4, maxEntries: 1 } } as const;
    expectEqual({
      source,
      vm: { maps },
      after: (vm, prog) => vm.maps.get("progs")!.progSlots!.setProg(0, prog),
    });
  });

  const PROGS = { progs: { type: "prog_array", valueSize: 4, maxEntries: 3 } } as const;
  const CHAIN = (index: number, otherwise: number): string => `
      r6 = r1
      call bpf_get_smp_processor_id
      r1 = r6
      r2 = map[progs] ll
      r3 = ${index}
      call bpf_tail_call
      r0 = ${otherwise}
      exit`;
  const PRINT = `
      r6 = r1
      r1 = 0x6968
      *(u64 *)(r10 - 8) = r1
      r1 = r10
      r1 += -8
      r2 = 3
      call bpf_trace_printk
      r1 = r6`;

  it.each([true, false])("tail calls follow what the program array holds, proven: %s", (isProven) => {
    for (const budget of [1_000_000, Number.MAX_SAFE_INTEGER]) {
      const runs = expectEqual({
        source: PRINT + CHAIN(1, 5),
        vm: { maps: PROGS },
        isProven,
        budget,
        inputs: Array.from({ length: 8 }, () => ({ packet: PACKET })),
        between: (vm, done, load) => {
          const slots = vm.maps.get("progs")!.progSlots!;
          const source = [CHAIN(2, 70), "r0 = 8\nexit", PRINT + CHAIN(2, 71)][done >> 1];
          if (done % 2 === 0) slots.setProg(1, source === undefined ? undefined : load(source));
          if (done === 1) slots.setProg(2, load(`${PRINT}\nr0 = 9\nexit`));
          if (done === 5) slots.setProg(2, undefined);
        },
      });
      expect(runs.map((run) => run.r0)).toEqual([70n, 9n, 8n, 8n, 9n, 71n, 5n, 5n]);
    }
  });

  it.each([true, false])("tail calls of repeated runs, proven: %s", (isProven) => {
    for (const budget of [1_000_000, Number.MAX_SAFE_INTEGER]) {
      const [first, second] = expectEqual({
        source: CHAIN(1, 5),
        vm: { maps: PROGS },
        isProven,
        budget,
        repeat: 5000,
        inputs: [{ packet: PACKET }, { packet: PACKET }],
        between: (vm, done, load) => {
          vm.maps.get("progs")!.progSlots!.setProg(1, load(CHAIN(1 + done, 6)));
        },
      });
      expect([first!.r0, second!.r0]).toEqual([6n, 6n]);
    }
  });

  it("indirect calls by pointer and by helper id (ISA-91)", () => {
    const source =
      "r1 = 2\nr2 = 3\nr6 = func f\ncallx r6\nr7 = r0\nr6 = 8\ncallx r6\nr0 += r7\nexit\nf:\nr0 = r1\nr0 *= r2\nexit";
    expect(expectEqual({ source })[0]!.r0).toBe(6n);
  });
});

describe("both engines agree on exceptions (C-150, ISA-142)", () => {
  const insn = (id: string, fields: Partial<Omit<Insn, "op">> = {}): Insn => insnOfRow(rowOfId(id)!, fields);
  const THROW = insn("call.kfunc", { imm: 1 });
  const EXIT = insn("exit");
  const throwing = (insns: readonly Insn[], slot: number) => ({
    source: makeProgSpec(insns, {
      name: "throwing",
      kernelRefs: [{ slot, name: "bpf_throw", kind: "kfunc", isWeak: false }],
    }),
  });

  it("thrown through functions: the cookie is the result", () => {
    const call = insn("call.subprog", { imm: 1 });
    const code = [
      insn("mov64.k", { dst: 0, imm: 1 }),
      call,
      EXIT,
      call,
      EXIT,
      insn("mov64.k", { dst: 1, imm: 9 }),
      THROW,
      EXIT,
    ];
    expect(expectEqual(throwing(code, 6))[0]).toMatchObject({ r0: 9n, insnCount: 5 });
    expectEqual({ ...throwing(code, 6), isProven: true });
  });

  it("thrown inside a callback: a trap", () => {
    const code = [
      insn("mov64.k", { dst: 1, imm: 3 }),
      ...makeWide(2, 4, 5n),
      insn("mov64.x", { dst: 3, src: 10 }),
      insn("mov64.k", { dst: 4, imm: 0 }),
      insn("call.helper", { imm: 181 }),
      EXIT,
      insn("mov64.k", { dst: 1, imm: 4 }),
      THROW,
      EXIT,
    ];
    expect(expectEqual(throwing(code, 8))[0]!.trap?.code).toBe("RUN_OPCODE");
  });
});
