import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isBpfAllowed, type KernelCase, KernelClient } from "../src/index.ts";
import { COUNTING_FIXUPS, countingProgram, exit, hexOf, movImm, packet, u64Hex } from "./programs.ts";

const ARRAY = { type: 2, key_size: 4, value_size: 8, max_entries: 1 };

describe.skipIf(!isBpfAllowed())("programs that stay loaded", () => {
  let client: KernelClient;
  beforeEach(() => {
    client = new KernelClient();
  });
  afterEach(() => client.close());

  const counting: KernelCase = {
    prog_type: "xdp",
    insns: countingProgram(1),
    maps: [ARRAY],
    fixups: COUNTING_FIXUPS,
  };

  it("run over thousands of packets and keep their maps", async () => {
    const prog = await client.open(counting);
    const runs = Array.from({ length: 1000 }, (_, i) => ({ data: packet(14 + (i % 100)) }));
    for (let batch = 0; batch < 4; batch++) {
      const answers = await prog.run(runs);
      expect(answers).toHaveLength(1000);
      expect(answers.every((one) => one.errno === 0 && one.retval === 2)).toBe(true);
      expect(answers[7]?.data_out).toBe(packet(21));
    }
    expect(await prog.dumpMaps()).toEqual([[["00000000", u64Hex(4000)]]]);
    await prog.update(0, [["00000000", u64Hex(7)]]);
    await prog.run([{ data: packet(64) }]);
    expect(await prog.dumpMaps()).toEqual([[["00000000", u64Hex(8)]]]);
    await prog.close();
    await expect(prog.run([])).rejects.toMatchObject({ code: "KERNEL_REQUEST" });
  });

  it("stand side by side", async () => {
    const one = await client.open(counting);
    const two = await client.open(counting);
    await one.run([{ data: packet(64) }]);
    expect(await one.dumpMaps()).toEqual([[["00000000", u64Hex(1)]]]);
    expect(await two.dumpMaps()).toEqual([[["00000000", u64Hex(0)]]]);
  });

  it("are not opened when the kernel refuses", async () => {
    const bad = client.open({ prog_type: "xdp", insns: hexOf(exit()) });
    await expect(bad).rejects.toMatchObject({ code: "KERNEL_REJECTED", message: "EACCES: R0 !read_ok" });
  });

  it("share a BTF blob by name", async () => {
    await client.nameBtf("empty", "");
    const answer = await client.ask({ prog_type: "xdp", insns: hexOf(exit()), btf: "@empty" });
    expect(answer.error).toContain("BTF");
  });

  it("never attach or hook anything", async () => {
    const prog = await client.open({
      ...counting,
      maps: [ARRAY, { type: 16, key_size: 4, value_size: 8, max_entries: 1 }],
    });
    const live = prog.run([{ data: packet(64), flags: 2 }]);
    await expect(live).rejects.toMatchObject({ code: "KERNEL_REQUEST" });
    const cpu = prog.update(1, [["00000000", u64Hex(192)]]);
    await expect(cpu).rejects.toThrow(/type 16/);
  });

  it("survive bad lines", async () => {
    const answers = await Promise.all([
      client.ask({ prog_type: "no such type", insns: "" }),
      client.ask({ prog_type: "xdp", insns: "zz" }),
      client.ask({ prog_type: "xdp", insns: "00" }),
      client.ask({ prog_type: "xdp", insns: "", maps: [{ type: 2, max_entries: 2 ** 31, value_size: 64 }] }),
      client.ask({ prog_type: "xdp", insns: hexOf(movImm(0, 1), exit()), run: { data: packet(64) } }),
    ]);
    expect(answers.map((one) => one.error !== undefined)).toEqual([true, true, true, true, false]);
    expect(answers.at(-1)?.retval).toBe(1);
  });

  it("stop at the time limit of a case", async () => {
    const answer = await client.ask({
      ...counting,
      run: { data: packet(64), repeat: 1 << 24 },
      timeout: 0.01,
    });
    expect(answer.timed_out).toBe(true);
  });
});
