import { FUNC_POINTER_HI, type LinkedProg } from "@tsbpf/runtime";
import { describe, expect, it } from "vitest";
import { protoOf } from "../../abi/src/index.ts";
import { defineHelper, type HelperPlugin } from "../../plugin/src/index.ts";
import { addArray, addProgArray, Harness } from "./support.ts";

/** bpf_loop as a helper family would write it. */
const loop = defineHelper({
  proto: protoOf(181)!,
  summary: "Calls a function n times.",
  raw(regs, env) {
    const times = regs[2]! >>> 0;
    let done = 0;
    for (; done < times; done++) {
      // Arguments are read anew each time: a callback leaves them alone.
      if (env.callBack(regs[4]!, regs[5]!, [done, 0, regs[6]!, regs[7]!]) !== 0) {
        done++;
        break;
      }
    }
    regs[0] = done;
    regs[1] = 0;
  },
});
const tailCall = defineHelper({ proto: protoOf(12)!, summary: "Tail call.", raw: () => {} });
const helpers: readonly HelperPlugin[] = [loop, tailCall];

const nested = (depth: number): string => {
  let code = "call f1; exit\n";
  for (let i = 1; i < depth; i++) code += `f${i}:\n${i === depth - 1 ? "r0 = 42" : `call f${i + 1}`}\nexit\n`;
  return code;
};

for (const isProven of [false, true]) {
  const harness = new Harness({ helpers, isProven });

  describe(`bpf-to-bpf calls, ${isProven ? "proven" : "checked"} (ISA-87)`, () => {
    it("C-1, C-71: passes r1..r5 and returns r0", () => {
      const code =
        "r1 = 1; r2 = 2; r3 = 3; r4 = 4; r5 = 5; call f; exit\nf: r0 = r1; r0 += r2; r0 += r3; r0 += r4; r0 += r5; exit";
      expect(harness.r0(code)).toBe(15n);
    });

    it("C-53: keeps r6..r9 of the caller", () => {
      const code = `
        r6 = 0x1111111122222222 ll; r7 = 7; r8 = 8; r9 = -9
        call f
        r0 = r6; r0 += r7; r0 += r8; r0 += r9
        exit
      f: r6 = 0; r7 = 0; r8 = 0; r9 = 0; r0 = 0; exit`;
      expect(harness.r0(code)).toBe(0x1111_1111_2222_2228n);
    });

    it("C-51: gives each frame a stack of its own and restores r10", () => {
      const code = `
        *(u64 *)(r10 - 8) = 1
        r6 = r10
        call f
        if r6 != r10 goto bad
        r1 = *(u64 *)(r10 - 8)
        r0 += r1
        exit
      bad: r0 = -1; exit
      f: *(u64 *)(r10 - 8) = 2; r0 = *(u64 *)(r10 - 8); exit`;
      expect(harness.r0(code)).toBe(3n);
    });

    it("C-60: lets a callee read and write the caller's stack through a passed pointer", () => {
      const code = `
        *(u64 *)(r10 - 16) = 5
        r1 = r10; r1 += -16
        call f
        r0 = *(u64 *)(r10 - 16)
        exit
      f: r2 = *(u64 *)(r1 + 0); r2 += 37; *(u64 *)(r1 + 0) = r2; r0 = 0; exit`;
      expect(harness.r0(code)).toBe(42n);
    });

    it("C-54: runs 8 frames and traps at the ninth", () => {
      expect(harness.r0(nested(8))).toBe(42n);
      const trap = harness.trap(nested(9));
      expect(trap.code).toBe("RUN_DEPTH");
      expect(trap.details).toMatchObject({ depth: 8 });
    });

    it("C-55: ends recursion at the frame limit", () => {
      expect(harness.trap("call f; exit\nf: call f; exit").code).toBe("RUN_DEPTH");
    });
  });

  describe(`callbacks, ${isProven ? "proven" : "checked"} (ISA-89)`, () => {
    it("C-122: calls a function pointer in a fresh frame, with the helper's arguments", () => {
      const code = `
        *(u64 *)(r10 - 8) = 0
        r1 = 10; r2 = func cb; r3 = r10; r3 += -8; r4 = 0
        call bpf_loop
        r1 = *(u64 *)(r10 - 8)
        r0 *= 1000
        r0 += r1
        exit
      cb: r3 = *(u64 *)(r2 + 0); r3 += r1; *(u64 *)(r2 + 0) = r3; r0 = 0; exit`;
      expect(harness.r0(code)).toBe(10_045n);
    });

    it("stops when the callback says so", () => {
      const code = `
        r1 = 100; r2 = func cb; r3 = 0; r4 = 0
        call bpf_loop
        exit
      cb: r0 = 0; if r1 < 6 goto +1; r0 = 1; exit`;
      expect(harness.r0(code)).toBe(7n);
    });

    it("keeps r6..r9 and counts the callback's instructions", () => {
      const code = `
        r6 = 6; r7 = 7
        r1 = 3; r2 = func cb; r3 = 0; r4 = 0
        call bpf_loop
        r0 = r6; r0 += r7
        exit
      cb: r6 = 100; r7 = 100; r0 = 0; exit`;
      const { end, insnCount } = harness.run(code);
      expect(end).toEqual({ kind: "exit", r0: 13n });
      expect(insnCount).toBe(10 + 3 * 4);
    });

    it("C-130: counts callback frames, callbacks of callbacks included", () => {
      const chain = (depth: number): string => {
        let code = "r1 = 1; r2 = func c1; r3 = 0; r4 = 0; call bpf_loop; exit\n";
        for (let i = 1; i <= depth; i++) {
          const call = i === depth ? "" : `r1 = 1; r2 = func c${i + 1}; r3 = 0; r4 = 0; call bpf_loop;`;
          code += `c${i}: ${call} r0 = 0; exit\n`;
        }
        return code;
      };
      expect(harness.r0(chain(7))).toBe(1n);
      expect(harness.trap(chain(8)).code).toBe("RUN_DEPTH");
    });

    it("names the innermost instruction when a callback traps", () => {
      const trap = harness.trap(
        "r1 = 1; r2 = func cb; r3 = 0; r4 = 0; call bpf_loop; exit\ncb: r0 = *(u64 *)(r3 + 0); exit",
      );
      expect(trap.code).toBe(isProven ? "RUN_NULL" : "RUN_NULL");
      expect(trap.details.slot).toBe(7);
    });
  });

  describe(`tail calls, ${isProven ? "proven" : "checked"} (ISA-90, C-160 to C-167)`, () => {
    const slots: unknown[] = [];
    const withSlots = (entries: unknown[]): void => {
      slots.length = 0;
      slots.push(...entries);
    };
    const target = new Harness({ helpers, isProven });
    addProgArray(target, "jumps", Array.from({ length: 8 }));
    const array = target.maps.get("jumps")!;
    (array as { progSlots: unknown }).progSlots = {
      progAt: (index: number) => slots[index],
      setProg: () => 0,
    };
    addArray(target, { name: "cell", valueBytes: 8, maxEntries: 1 });
    const go = (index: string): string => `r2 = map[jumps]; r3 = ${index}; call bpf_tail_call;`;

    it("C-167: replaces the program; r1 is the context, r10 the same frame", () => {
      withSlots([target.prepare("r0 = *(u64 *)(r10 - 8); r2 = *(u32 *)(r1 + 0); r0 += r2; exit")]);
      target.memory.view.setUint32(target.ctx, 100, true);
      expect(target.r0(`*(u64 *)(r10 - 8) = 11; ${go("0")} r0 = 1; exit`)).toBe(111n);
    });

    it("C-166: falls through for an empty slot, an index out of range, and other programs go on", () => {
      withSlots([]);
      expect(target.r0(`${go("0")} r0 = 1; exit`)).toBe(1n);
      expect(target.r0(`${go("8")} r0 = 2; exit`)).toBe(2n);
      expect(target.r0(`${go("-1")} r0 = 3; exit`)).toBe(3n);
    });

    it("cuts the index to 32 bits", () => {
      withSlots([target.prepare("r0 = 7; exit")]);
      expect(target.r0(`${go("0x100000000 ll")} r0 = 1; exit`)).toBe(7n);
    });

    it("C-166: 33 calls succeed, so a program that calls itself runs 34 times", () => {
      const self = target.prepare(`
        r6 = r1
        r2 = map_value[cell]
        r3 = *(u64 *)(r2 + 0); r3 += 1; *(u64 *)(r2 + 0) = r3
        r1 = r6
        ${go("0")}
        r2 = map_value[cell]
        r0 = *(u64 *)(r2 + 0)
        exit`);
      withSlots([self]);
      const cell = target.maps.get("cell")!.lookup(0, 0);
      target.memory.view.setBigUint64(cell, 0n, true);
      const result = target.run(self);
      expect(result.end).toEqual({ kind: "exit", r0: 34n });
      expect(result.tailCallCount).toBe(33);
      expect(result.effects.filter(({ kind }) => kind === "tail_call")).toHaveLength(33);
    });

    it("C-167: from a function only its frame is replaced; the exit returns to its caller, whose registers live on", () => {
      withSlots([target.prepare("r6 = 1; r7 = 1; r8 = 1; r9 = 1; r0 = 40; exit")]);
      const code = `
        r6 = 2; r9 = 3
        call f
        r0 += r6; r0 += r9
        exit
      f: ${go("0")} r0 = -1; exit`;
      expect(target.r0(code)).toBe(45n);
    });

    it("C-167: a chain of replacements still returns to the first caller", () => {
      withSlots([
        target.prepare(`${go("1")} r0 = 0; exit`),
        target.prepare("call g; r0 += 1; exit\ng: r0 = 20; exit"),
      ]);
      expect(target.r0(`call f; r0 += 100; exit\nf: ${go("0")} r0 = -1; exit`)).toBe(121n);
    });

    it("C-54, C-167: a program behind a tail call from a function has 8 frames of its own", () => {
      const looper = target.prepare(`call f; r0 += 1; exit\nf: ${go("0")} r0 = 0; exit`);
      withSlots([looper]);
      const result = target.run(looper);
      expect(result).toMatchObject({ end: { kind: "exit", r0: 34n }, tailCallCount: 33 });

      const deep = (last: string): string => {
        let code = "call f1; r0 += 1; exit\n";
        for (let i = 1; i < 8; i++) code += `f${i}: ${i === 7 ? last : `call f${i + 1}; r0 += 1;`} exit\n`;
        return code;
      };
      const deepest = target.prepare(deep(`${go("0")} r0 = 0;`));
      withSlots([deepest]);
      expect(target.run(deepest)).toMatchObject({ end: { kind: "exit", r0: 34n * 7n }, tailCallCount: 33 });
      withSlots([target.prepare("call f; exit\nf: call f; exit")]);
      expect(target.trap(deepest).code).toBe("RUN_DEPTH");
    });

    it("runs what a program array holds behind an engineProg field", () => {
      withSlots([{ engineProg: target.prepare("r0 = 9; exit") }]);
      expect(target.r0(`${go("0")} r0 = 1; exit`)).toBe(9n);
    });
  });

  describe(`calls and jumps through registers, ${isProven ? "proven" : "checked"} (ISA-91, ISA-92)`, () => {
    it("callx opens a frame for a function pointer, register in dst or imm", () => {
      expect(harness.r0("r2 = func f; r1 = 4; callx r2; exit\nf: r0 = r1; r0 += 1; exit")).toBe(5n);
    });

    it("callx with the id of a helper calls the helper", () => {
      expect(
        harness.r0("r1 = 0; r2 = func cb; r3 = 0; r4 = 0; r6 = 181; callx r6; exit\ncb: r0 = 0; exit"),
      ).toBe(0n);
    });

    it("callx through anything else traps", () => {
      const trap = harness.trap("r2 = 12345; callx r2; exit");
      expect(trap.code).toBe("RUN_CODE_ADDRESS");
      expect(trap.details.slot).toBe(1);
    });

    it("gotox jumps to a slot of the function", () => {
      const address = ((BigInt(FUNC_POINTER_HI) << 32n) | 4n).toString();
      expect(harness.r0(`r1 = ${address} ll; gotox r1; r0 = 1; r0 = 2; exit`)).toBe(2n);
    });

    it("gotox out of the function or into a wide load traps", () => {
      const to = (slot: bigint) => ((BigInt(FUNC_POINTER_HI) << 32n) | slot).toString();
      expect(harness.trap(`r1 = ${to(9n)} ll; gotox r1; r0 = 1; exit`).code).toBe("RUN_CODE_ADDRESS");
      expect(harness.trap(`r1 = ${to(1n)} ll; gotox r1; r0 = 1; exit`).code).toBe("RUN_CODE_ADDRESS");
      expect(harness.trap("r1 = 3; gotox r1; r0 = 1; r0 = 2; exit").code).toBe("RUN_CODE_ADDRESS");
    });
  });
}

describe("bpf_throw (C-150 to C-157)", () => {
  const harness = new Harness({ helpers });

  it("drops all frames; the cookie is the result", () => {
    const code =
      "r6 = 1; call f; r0 = 1; exit\nf: call g; r0 = 2; exit\ng: r1 = 77; call kfunc bpf_throw; r0 = 3; exit";
    expect(harness.r0(code)).toBe(77n);
  });

  it("lets the exception callback make the result, in the entry's frame", () => {
    const linked: LinkedProg = harness.link(
      "call f; r0 = 1; exit\nf: r1 = 7; call kfunc bpf_throw; r0 = 2; exit\nr0 = r1; r0 *= 3; exit",
    );
    const spec = {
      ...linked.spec,
      funcs: [{ name: "cb", slot: 7, linkage: "global" as const, btfTypeId: 0 }],
    };
    const prog = harness.prepareWith(spec, { exceptionCallbackSlot: 7 });
    expect(harness.r0(prog)).toBe(21n);
  });

  it("returns to the caller of the frame that a tail call gave to the program", () => {
    const own = new Harness({ helpers });
    const thrower = own.prepare("call f; exit\nf: r1 = 5; call kfunc bpf_throw; exit");
    addProgArray(own, "jumps", [thrower]);
    expect(
      own.r0("r6 = 30; call f; r0 += r6; exit\nf: r2 = map[jumps]; r3 = 0; call bpf_tail_call; exit"),
    ).toBe(35n);
  });

  it("C-109: traps inside a callback", () => {
    const code =
      "r1 = 1; r2 = func cb; r3 = 0; r4 = 0; call bpf_loop; exit\ncb: r1 = 1; call kfunc bpf_throw; r0 = 0; exit";
    expect(harness.trap(code).code).toBe("RUN_OPCODE");
  });
});
