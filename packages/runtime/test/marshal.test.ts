import { PERM } from "@tsbpf/memory";
import { arg, defineHelper, type HelperPlugin, type MapMemory, ret } from "@tsbpf/plugin";
import { describe, expect, it } from "vitest";
import { AFTER_CALL, FUNC_POINTER_HI, makeInvoker } from "../src/index.ts";
import { addMap, createWorld, fakeProg, getReg, linkHelper, setReg } from "./support.ts";

const ID = 0x1_0000;

/** Makes the invoker of a call of the helper, checked as for a program without proofs unless told. */
function invokerOf(helper: HelperPlugin, isChecked = true) {
  const prog = linkHelper(helper);
  return makeInvoker({ prog, slot: 0, target: prog.targets.get(0)!, isChecked });
}

const flowTag = (seen: (args: unknown) => void) =>
  defineHelper({
    id: ID,
    name: "flow_tag",
    summary: "Copies the tag of a flow.",
    args: [
      arg.map("tags"),
      arg.mapKey("flow", { of: "tags" }),
      arg.memOut("out", { size: "out_len" }),
      arg.size("out_len", { min: 1n, max: 64n }),
      arg.u64("flags", { max: 0n }),
    ],
    returns: ret.errno(),
    call(args) {
      seen(args);
      const hit = args.tags.lookup(args.flow);
      if (hit === null) return -2;
      args.out.set(hit.bytes.subarray(0, args.out.length));
      return 0;
    },
  });

describe("typed helpers", () => {
  const setUp = () => {
    const world = createWorld();
    const map = addMap(world, "tags", 4, 8);
    const key = world.alloc(4, "key");
    const out = world.alloc(16, "out");
    const { regs, memory } = world;
    memory.u8[key] = 1;
    memory.u8.set([1, 2, 3, 4, 5, 6, 7, 8], map.lookup(key, 0));
    [map.address, key, out, 6, 0].forEach((value, idx) => {
      setReg(regs, idx + 1, value);
    });
    return { ...world, map, key, out };
  };

  it("get map, key, memory of the folded size and scalars; what they write is stored", () => {
    const world = setUp();
    let seen: { out: Uint8Array; out_len: number; flags: bigint; flow: MapMemory } | undefined;
    const invoke = invokerOf(flowTag((args) => (seen = args as typeof seen)));
    expect(invoke(world.machine, world.regs)).toBe(AFTER_CALL.next);
    expect(getReg(world.regs, 0)).toBe(0n);
    expect([...world.memory.u8.slice(world.out, world.out + 8)]).toEqual([1, 2, 3, 4, 5, 6, 0, 0]);
    expect(seen).toMatchObject({ out_len: 6, flags: 0n });
    expect(seen?.out).toHaveLength(6);
  });

  it("return errors as 64 bits and, without proofs, leave nothing in r1..r5", () => {
    const world = setUp();
    world.memory.u8[world.key] = 9;
    invokerOf(flowTag(() => {}))(world.machine, world.regs);
    expect(getReg(world.regs, 0)).toBe(0xffff_ffff_ffff_fffen);
    expect([1, 2, 3, 4, 5].map((reg) => getReg(world.regs, reg))).toEqual([0n, 0n, 0n, 0n, 0n]);
  });

  it("lose their views when they return", () => {
    const world = setUp();
    let kept: { out: Uint8Array; flow: MapMemory } | undefined;
    invokerOf(flowTag((args) => (kept = args as typeof kept)))(world.machine, world.regs);
    kept?.out.fill(0xee);
    expect(world.memory.u8[world.out]).toBe(1);
    expect(() => kept?.flow.bytes).toThrow(/used after its helper returned/);
  });

  it("store nothing when they throw", () => {
    const world = setUp();
    const helper = defineHelper({
      id: ID,
      name: "fails",
      summary: "x",
      args: [arg.memInOut("buffer", { sizeBytes: 4 })],
      returns: ret.void(),
      call({ buffer }) {
        buffer.fill(9);
        throw new Error("late");
      },
    });
    setReg(world.regs, 1, world.out);
    expect(() => invokerOf(helper)(world.machine, world.regs)).toThrow(/fails ended with Error: late/);
    expect(world.memory.u8[world.out]).toBe(0);
  });

  it("get every scalar width, nullable memory, callbacks, and may return bigints or nothing", () => {
    const world = setUp();
    const got: unknown[] = [];
    const helper = defineHelper({
      id: ID,
      name: "widths",
      summary: "x",
      args: [
        arg.u32("a"),
        arg.s32("b"),
        arg.u64("c"),
        arg.memIn("d", { sizeBytes: 4, nullable: true }),
        arg.func("e"),
      ],
      returns: ret.u64(),
      call({ a, b, c, d, e }) {
        got.push(a, b, c, d, e(1, -2, 0x1_0000_0003n));
        return 0xfedc_ba98_7654_3210n;
      },
    });
    const calls: bigint[][] = [];
    const prog = linkHelper(helper);
    world.machine.current = fakeProg(prog, (machine) => {
      calls.push([1, 2, 3, 4].map((reg) => getReg(machine.regs, reg)));
      setReg(machine.regs, 0, 7);
    });
    [-1, -1, -1, 0, (BigInt(FUNC_POINTER_HI) << 32n) | 0n].forEach((value, idx) => {
      setReg(world.regs, idx + 1, value);
    });
    invokerOf(helper)(world.machine, world.regs);
    expect(got).toEqual([0xffff_ffff, -1, 0xffff_ffff_ffff_ffffn, null, 7]);
    expect(calls).toEqual([[1n, 0xffff_ffff_ffff_fffen, 0x1_0000_0003n, 0n]]);
    expect(getReg(world.regs, 0)).toBe(0xfedc_ba98_7654_3210n);
  });

  it("return numbers of any sign and size as 64 bits", () => {
    const world = setUp();
    for (const [value, bits] of [
      [4_294_967_295, 0xffff_ffffn],
      [4_294_967_296, 0x1_0000_0000n],
      [-1, 0xffff_ffff_ffff_ffffn],
      [-4_294_967_297, 0xffff_fffe_ffff_ffffn],
    ] as const) {
      const helper = defineHelper({
        id: ID,
        name: "n",
        summary: "x",
        args: [],
        returns: ret.u64(),
        call: () => value,
      });
      invokerOf(helper)(world.machine, world.regs);
      expect(getReg(world.regs, 0)).toBe(bits);
    }
    const nothing = defineHelper({
      id: ID,
      name: "v",
      summary: "x",
      args: [],
      returns: ret.void(),
      call: () => undefined,
    });
    invokerOf(nothing)(world.machine, world.regs);
    expect(getReg(world.regs, 0)).toBe(0n);
  });
});

describe("argument checks of programs without proofs", () => {
  const world = createWorld();
  const map = addMap(world, "m", 4, 8);
  const key = world.alloc(4, "key");
  const ro = world.alloc(8, "constant", PERM.read);
  const out = world.alloc(8, "out");
  const helper = flowTag(() => {});
  const invoke = invokerOf(helper);
  const call = (values: readonly (number | bigint)[]): string => {
    values.forEach((value, idx) => {
      setReg(world.regs, idx + 1, value);
    });
    try {
      invoke(world.machine, world.regs);
      return "ok";
    } catch (error) {
      return (error as { summary(): string }).summary();
    }
  };

  const CASES: readonly (readonly [name: string, values: readonly (number | bigint)[], expected: RegExp])[] =
    [
      ["all right", [map.address, key, out, 8, 0], /^ok$/],
      [
        "no map",
        [out, key, out, 8, 0],
        /^RUN_ARGUMENT: flow_tag, tags in r1 holds 0x[0-9a-f]+, a map pointer is needed/,
      ],
      ["a map with high bits", [BigInt(map.address) | (1n << 40n), key, out, 8, 0], /^RUN_ARGUMENT/],
      [
        "a key past its region",
        [map.address, key + 1, out, 8, 0],
        /^RUN_BOUNDS: flow_tag, flow in r2: 4 bytes at offset 1 of key/,
      ],
      ["a null key", [map.address, 0, out, 8, 0], /^RUN_NULL/],
      ["read-only memory", [map.address, key, ro, 8, 0], /^RUN_READ_ONLY: flow_tag, out in r3/],
      [
        "memory shorter than its size",
        [map.address, key, out, 9, 0],
        /^RUN_BOUNDS: .*9 bytes at offset 0 of out, which has 8/,
      ],
      [
        "a size of 0",
        [map.address, key, out, 0, 0],
        /^RUN_ARGUMENT: flow_tag, out_len in r4 holds 0x0, 1..64 allowed/,
      ],
      ["a size above its bound", [map.address, key, out, 65, 0], /^RUN_BOUNDS|^RUN_ARGUMENT/],
      ["a size above 2^32", [map.address, key, out, 1n << 32n, 0], /^RUN_BOUNDS|^RUN_ARGUMENT/],
      [
        "flags",
        [map.address, key, out, 8, 1],
        /^RUN_ARGUMENT: flow_tag, flags in r5 holds 0x1, 0..0 allowed/,
      ],
    ];
  for (const [name, values, expected] of CASES) it(name, () => expect(call(values)).toMatch(expected));

  it("are not made for programs with proofs", () => {
    setReg(world.regs, 5, 1);
    setReg(world.regs, 1, map.address);
    setReg(world.regs, 2, key);
    setReg(world.regs, 3, out);
    setReg(world.regs, 4, 8);
    expect(invokerOf(helper, false)(world.machine, world.regs)).toBe(AFTER_CALL.next);
    expect(getReg(world.regs, 5)).toBe(1n);
  });
});
