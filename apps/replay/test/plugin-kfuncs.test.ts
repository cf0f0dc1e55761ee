import { createBtfBuilder, parseBtf } from "@tsbpf/btf";
import { arg, defineHelper, defineKfunc, ret } from "@tsbpf/plugin";
import { describe, expect, it } from "vitest";
import { loadProgram } from "../src/run/load.ts";
import { loadPlugins } from "../src/run/plugins.ts";

const twice = defineKfunc({
  name: "my_twice",
  summary: "Doubles.",
  args: [arg.u64("n", { max: 100n })],
  returns: ret.u64(),
  call: ({ n }) => n * 2n,
});
const thrice = defineHelper({
  id: 0x1_0007,
  name: "my_thrice",
  summary: "Triples.",
  args: [arg.u64("n")],
  returns: ret.u64(),
  call: ({ n }) => n * 3n,
});

const io = (text: string) => ({
  readAll: async () => new TextEncoder().encode(text),
  loadPlugin: async () => ({ twice, thrice }),
});
const options = { object: "code.s", engine: "jit", verify: "strict", plugins: ["mine.mjs"] } as const;

describe("kernel functions of plugin files", () => {
  it("are told from helpers", async () => {
    const { helpers, kfuncs } = await loadPlugins(["mine.mjs"], io(""));
    expect(helpers).toEqual([thrice]);
    expect(kfuncs).toEqual([twice]);
  });

  it("are proven and called", async () => {
    const { prog } = await loadProgram(options, io("r1 = 4\ncall my_twice\nexit"));
    expect(prog.run({ packet: new Uint8Array(64) }).retval).toBe(8);
    await expect(loadProgram(options, io("r1 = 400\ncall my_twice\nexit"))).rejects.toThrow(
      /n must be proven to lie in/,
    );
  });

  it("stand beside the types of a kernel", async () => {
    const kernelBtf = parseBtf(createBtfBuilder().encode());
    const { vm } = await loadProgram({ ...options, kernelBtf }, io("r0 = 2\nexit"));
    expect(vm.kernelBtf).toBe(kernelBtf);
  });
});
