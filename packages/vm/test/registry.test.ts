import { describe, expect, it } from "vitest";
import { protoByName } from "../../abi/src/index.ts";
import { arg, defineHelper, defineKfunc, ret } from "../../plugin/src/index.ts";
import { createVm, textOrBytes } from "../src/index.ts";

const add = (id: number, name: string, by: bigint) =>
  defineHelper({
    id,
    name,
    summary: "Adds.",
    args: [arg.u64("x")],
    returns: ret.u64(),
    call: ({ x }) => x + by,
  });

const run = (vm: ReturnType<typeof createVm>, name: string): bigint =>
  vm
    .load(`r1 = 1\ncall ${name}\nr0 += 0\nexit`, { progType: "xdp", verify: "off" })
    .run({ packet: new Uint8Array(64) }).r0;

describe("sources", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);

  it("are text, or bytes where they hold a zero early on", () => {
    expect(textOrBytes(bytes("# a comment\nr0 = 2\nexit"))).toContain("r0 = 2");
    expect(textOrBytes(Uint8Array.of(0x95, 0, 0, 0, 0, 0, 0, 0))).toHaveLength(8);
  });

  it.each([
    "#include <linux/bpf.h>\nint x;",
    '  # include "net.h"',
    'int x;\nSEC("xdp")\nint prog(void *ctx)',
  ])("are to be compiled when they are C: %s", (text) => {
    expect(() => textOrBytes(bytes(text))).toThrow(/clang .* -target bpf/);
  });
});

describe("plugins that are added while a VM lives", () => {
  it("are found by programs that are prepared later, and replace by id or name", () => {
    const vm = createVm();
    expect(() => run(vm, "plus")).toThrow(/ASM_CALL_UNKNOWN|plus/);
    vm.registry.add({ helpers: [add(0x1_0000, "plus", 10n)] });
    const before = vm.load("r1 = 1\ncall plus\nexit");
    expect(run(vm, "plus")).toBe(11n);
    vm.registry.add({ helpers: [add(0x1_0000, "more", 20n)] });
    expect(run(vm, "more")).toBe(21n);
    expect(vm.registry.helpersByName.has("plus")).toBe(false);
    vm.registry.add({ helpers: [add(0x1_0001, "more", 30n)] });
    expect(run(vm, "more")).toBe(31n);
    expect(vm.registry.helpersById.has(0x1_0000)).toBe(false);
    // What was prepared before keeps what it had.
    expect(before.run({ packet: new Uint8Array(64) }).r0).toBe(11n);
    expect(vm.registry.customProtos().map((one) => one.name)).toEqual(["more"]);
  });

  it("are kernel functions as well", () => {
    const vm = createVm();
    const triple = defineKfunc({
      name: "triple",
      summary: "Triples.",
      args: [arg.u64("x")],
      returns: ret.u64(),
      call: ({ x }) => x * 3n,
    });
    vm.registry.add({ kfuncs: [triple] });
    expect(run(vm, "triple")).toBe(3n);
    expect(vm.registry.customKfuncs().map((one) => one.name)).toEqual(["triple"]);
  });

  it.each([
    [{ max: 100n }, "r1 = 300", "R1 holds [300, 300], x must be proven to lie in 0..100"],
    [{ min: 5n, max: 9n }, "r1 = 3", "x must be proven to lie in 5..9"],
    [{ min: 5n }, "r1 = 3", "x must be proven to lie in 5 and above"],
  ])("say which numbers they take: %o", (range, code, text) => {
    const plugin = defineHelper({
      id: 0x1_0000,
      name: "ranged",
      summary: "Takes few numbers.",
      args: [arg.u64("x", range)],
      returns: ret.u64(),
      call: ({ x }) => x,
    });
    const vm = createVm({ helpers: [plugin] });
    expect(() => vm.load(`${code}\ncall ranged\nexit`)).toThrow(text);
  });

  it("can take the place of a kernel helper, and go away again", () => {
    const vm = createVm();
    const proto = protoByName("bpf_get_prandom_u32");
    const original = vm.registry.helpersByName.get("bpf_get_prandom_u32");
    if (proto === undefined) throw new Error("no prototype");
    const mock = defineHelper({
      proto,
      summary: "Seven.",
      raw(regs) {
        regs[0] = 7;
        regs[1] = 0;
      },
    });
    vm.registry.add({ helpers: [mock] });
    expect(run(vm, "get_prandom_u32")).toBe(7n);
    vm.registry.removeHelper(mock);
    expect(vm.registry.helpersById.has(proto.id)).toBe(false);
    if (original !== undefined) vm.registry.add({ helpers: [original] });
    expect(vm.registry.helpersById.get(proto.id)).toBe(original);
  });
});
