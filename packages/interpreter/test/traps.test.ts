import { LIMITS } from "@tsbpf/base";
import { TRAP_CODES } from "@tsbpf/runtime";
import { describe, expect, it } from "vitest";
import { arg, defineHelper, ret } from "../../plugin/src/index.ts";
import { addArray, Harness } from "./support.ts";

const broken = defineHelper({
  id: 0x1_0001,
  name: "broken",
  summary: "Throws.",
  args: [arg.u64("what")],
  returns: ret.u64(),
  call({ what }) {
    if (what === 1n) throw new RangeError("no such thing");
    return 0.5;
  },
});
const bounded = defineHelper({
  id: 0x1_0002,
  name: "bounded",
  summary: "Takes 1..64.",
  args: [arg.u64("count", { min: 1n, max: 64n })],
  returns: ret.u64(),
  call: ({ count }) => count,
});
const harness = new Harness({ helpers: [broken, bounded] });
addArray(harness, { name: "ro", valueBytes: 12, maxEntries: 2 }, 1);
addArray(harness, { name: "wo", valueBytes: 8, maxEntries: 1 }, 2);
addArray(harness, { name: "rw", valueBytes: 12, maxEntries: 1 });
const inRo = "r1 = 0 ll; r1 += CELL;";
const ro = (code: string): string => code.replace("CELL", String(harness.maps.get("ro")!.lookup(0, 0)));

/** Each code with a program that reaches it, the slot, and a part of the text. */
const REACHED: readonly (readonly [code: string, text: string, slot: number, part: string])[] = [
  ["RUN_BOUNDS", "r0 = *(u64 *)(r10 - 516); exit", 0, "no region holds"],
  ["RUN_BOUNDS", "r0 = *(u64 *)(r10 - 4); exit", 0, "8 bytes at offset 508 of stack frame 0, which has 512"],
  [
    "RUN_BOUNDS",
    "r1 = map_value[rw]; r0 = *(u64 *)(r1 + 8); exit",
    2,
    "8 bytes at offset 8 of value 0 of map rw, which has 12",
  ],
  ["RUN_NULL", "r1 = 0; r0 = *(u8 *)(r1 + 8); exit", 1, "a null pointer"],
  ["RUN_ADDRESS", "r1 = 0xdead00000000 ll; *(u8 *)(r1 + 0) = 1; exit", 2, "0xdead00000000"],
  ["RUN_READ_ONLY", ro(`${inRo} *(u8 *)(r1 + 0) = 1; exit`), 3, "not writable"],
  ["RUN_WRITE_ONLY", "r1 = map_value[wo]; r0 = *(u8 *)(r1 + 0); exit", 2, "not readable"],
  ["RUN_BUDGET", "r0 = 0; goto -1; exit", 1, "budget"],
  ["RUN_DEPTH", "call f; exit\nf: call f; exit", 2, "8 allowed"],
  ["RUN_HELPER_MISSING", "call helper 5; exit", 0, "bpf_ktime_get_ns"],
  ["RUN_ARGUMENT", "r1 = 65; call bounded; exit", 1, "bounded, count in r1 holds 0x41, 1..64 allowed"],
  ["RUN_HELPER_THREW", "r1 = 1; call broken; exit", 1, "RangeError: no such thing"],
  ["RUN_HELPER_RESULT", "r1 = 2; call broken; exit", 1, "returned 0.5"],
  ["RUN_CODE_ADDRESS", "r1 = 5; callx r1; exit", 1, "r1"],
  ["RUN_UNALIGNED", "r2 = 1; lock *(u32 *)(r10 - 7) += r2; r0 = 0; exit", 1, "multiple of 4"],
  // calls.test.ts reaches it: bpf_throw inside a callback.
  ["RUN_OPCODE", "", -1, ""],
];

describe("traps of a program without proofs", () => {
  for (const [code, text, slot, part] of REACHED) {
    if (slot < 0) continue;
    it(`${code}: ${text}`, () => {
      const trap = harness.trap(text, 5000);
      expect(trap.code).toBe(code);
      expect(trap.message).toContain(part);
      expect(trap.details).toMatchObject({ slot, prog: "test" });
    });
  }

  it("reaches every code in this package's tests", () => {
    expect(new Set(REACHED.map(([code]) => code))).toEqual(new Set(TRAP_CODES));
  });

  it("names region, offset and opcode", () => {
    const { details } = harness.trap("r0 = *(u64 *)(r10 - 4); exit");
    expect(details).toMatchObject({
      region: "stack frame 0",
      offset: 508,
      sizeBytes: 8,
      isWrite: false,
      op: 0x79,
    });
  });

  it("keeps registers and memory as they were", () => {
    harness.trap("r6 = 77; *(u64 *)(r10 - 8) = 5; r1 = 0; r0 = *(u64 *)(r1 + 0); exit");
    expect(harness.reg(6)).toBe(77n);
    expect(harness.memory.view.getBigUint64(harness.machine.stackBase + LIMITS.stackBytes - 8, true)).toBe(
      5n,
    );
  });

  it("lets the same instruction meet other regions later", () => {
    const prog = harness.prepare("r2 = *(u64 *)(r1 + 0); r0 = *(u64 *)(r2 + 0); exit");
    const at = (address: number) => {
      harness.memory.view.setBigUint64(harness.ctx, BigInt(address), true);
      return harness.run(prog).end.kind;
    };
    const rw = harness.maps.get("rw")!.lookup(0, 0);
    expect([at(rw), at(harness.ctx), at(rw), at(rw + 5), at(rw + 4), at(16)]).toEqual([
      "exit",
      "exit",
      "exit",
      "trap",
      "exit",
      "trap",
    ]);
  });

  it("holds accesses to the packet's bounds as they are now", () => {
    const prog = harness.prepare("r2 = *(u32 *)(r1 + 76); r0 = *(u8 *)(r2 + 9); exit");
    harness.packet.load(new Uint8Array(10).fill(7));
    expect(harness.r0(prog)).toBe(7n);
    harness.packet.load(new Uint8Array(9));
    expect(harness.trap(prog).code).toBe("RUN_BOUNDS");
    harness.packet.load(new Uint8Array(1500).fill(8));
    expect(harness.r0(prog)).toBe(8n);
  });

  it("forgets regions that are given back", () => {
    const { memory } = harness;
    const address = memory.alloc(64, { kind: "scratch", name: "scratch" });
    const prog = harness.prepare("r2 = *(u64 *)(r1 + 0); r0 = *(u64 *)(r2 + 0); exit");
    memory.view.setBigUint64(harness.ctx, BigInt(address), true);
    expect(harness.r0(prog)).toBe(0n);
    memory.release(address, 64);
    expect(harness.trap(prog).code).toBe("RUN_BOUNDS");
  });

  it("keeps elements of a map apart", () => {
    const value = harness.maps.get("ro")!.lookup(0, 0);
    const prog = harness.prepare("r2 = *(u64 *)(r1 + 0); r0 = *(u32 *)(r2 + 0); exit");
    const at = (offset: number) => {
      harness.memory.view.setBigUint64(harness.ctx, BigInt(value + offset), true);
      return harness.run(prog).end.kind;
    };
    expect([0, 8, 16, 24].map(at)).toEqual(["exit", "exit", "exit", "exit"]);
    expect([9, 12, 25, 32, -1].map(at)).toEqual(["trap", "trap", "trap", "trap", "trap"]);
  });
});

describe("a program with proofs", () => {
  const proven = new Harness({ isProven: true });

  it("is not checked within the memory", () => {
    expect(proven.r0("r0 = *(u64 *)(r10 - 600); exit")).toBe(0n);
  });

  it("still cannot leave the memory", () => {
    expect(proven.trap("r1 = 0; r0 = *(u64 *)(r1 + 0); exit").code).toBe("RUN_NULL");
    expect(proven.trap("r1 = 0xffffffff ll; r0 = *(u64 *)(r1 + 0); exit").code).toBe("RUN_BOUNDS");
    expect(proven.trap("r1 = 0x100000000 ll; r0 = *(u64 *)(r1 + 0); exit").code).toBe("RUN_ADDRESS");
    const size = proven.memory.sizeBytes;
    expect(proven.trap(`r1 = ${size - 7} ll; r0 = *(u64 *)(r1 + 0); exit`).code).toBe("RUN_BOUNDS");
    expect(proven.r0(`r1 = ${size - 8} ll; r0 = *(u64 *)(r1 + 0); exit`)).toBe(0n);
    expect(proven.trap("r1 = -8; r0 = *(u64 *)(r1 + 8); exit").code).toBe("RUN_NULL");
    expect(proven.trap("r1 = -8; r0 = *(u64 *)(r1 + 0); exit").code).toBe("RUN_ADDRESS");
  });

  it("ISA-65: a load of a kernel object that faults gives 0", () => {
    const linked = proven.link("r1 = 64; r0 = 1; r0 = *(u64 *)(r1 + 0); exit");
    const facts = { ...linked.facts!, accessRegion: new Map([[2, "btf" as const]]) };
    expect(proven.r0(proven.prepareLinked({ ...linked, facts }))).toBe(0n);
  });

  it("ISA-66: arena loads give 0, stores are dropped, atomics leave their register", () => {
    const linked = proven.link(
      "r1 = 64; r2 = 5; *(u64 *)(r1 + 0) = 7; r2 = atomic_fetch_add((u64 *)(r1 + 0), r2); r0 = *(u64 *)(r1 + 0); r0 += r2; exit",
    );
    const facts = {
      ...linked.facts!,
      accessRegion: new Map([2, 3, 4].map((slot) => [slot, "arena" as const])),
    };
    expect(proven.r0(proven.prepareLinked({ ...linked, facts }))).toBe(5n);
  });
});
