import { existsSync } from "node:fs";
import { printHexBytes } from "@tsbpf/base";
import { afterEach, describe, expect, it, vi } from "vitest";
import { isBpfAllowed, type KernelCase, probeBpf, runKernelCases } from "../src/index.ts";
import {
  addImm,
  atomicAdd64,
  COUNTING_FIXUPS,
  call,
  callKfunc,
  callSubprog,
  countingProgram,
  exit,
  hexOf,
  jumpIfAbove,
  jumpIfZero,
  load8,
  load32,
  loadMap,
  movImm,
  movReg,
  packet,
  store8,
  storeImm32,
  storeImm64,
  u64Hex,
} from "./programs.ts";

const ARRAY = { type: 2, key_size: 4, value_size: 8, max_entries: 1 };
const HASH = { type: 1, key_size: 4, value_size: 8, max_entries: 8 };

const askOne = async (one: KernelCase) => {
  const [answer] = await runKernelCases([one]);
  return answer!;
};

describe("without a kernel", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it("answers the probe with yes or a reason", () => {
    const { allowed, kernel, why } = probeBpf();
    expect(allowed).toBe(isBpfAllowed());
    if (allowed) expect(kernel).not.toBe("");
    else expect(why).not.toBe("");
  });

  it("reports a client that does not start", async () => {
    vi.stubEnv("TSBPF_PYTHON", "no-such-python");
    await expect(runKernelCases([{ prog_type: 1, insns: "" }])).rejects.toMatchObject({
      code: "KERNEL_CLIENT_GONE",
    });
  });
});

describe.skipIf(!isBpfAllowed())("verdicts", () => {
  it("accepts and refuses as Linux does, in the order of the cases", async () => {
    const answers = await runKernelCases([
      { name: "two", prog_type: "xdp", insns: hexOf(movImm(0, 2), exit()) },
      { name: "none", prog_type: 6, insns: hexOf(exit()) },
      { name: "endless", prog_type: "socket_filter", insns: hexOf(movImm(0, 0), callSubprog(-2), exit()) },
    ]);
    expect(answers.map((one) => [one.name, one.loaded, one.errno, one.errname])).toEqual([
      ["two", true, 0, undefined],
      ["none", false, 13, "EACCES"],
      ["endless", false, 7, "E2BIG"],
    ]);
    expect(answers[0]).toMatchObject({ processed_insns: 2, verified_insns: 2 });
    expect(answers[1]).toMatchObject({ errline: "R0 !read_ok", processed_insns: 1 });
    expect(answers[2]?.errline).toBe("the call stack of 9 frames is too deep");
    expect(answers[1]?.log).toContain("0: R1=ctx() R10=fp0");
  });

  it("refuses GPL helpers without a license", async () => {
    const insns = hexOf(movImm(0, 0), call(6), exit());
    const answer = await askOne({ prog_type: "xdp", insns, license: "Proprietary" });
    expect(answer).toMatchObject({ loaded: false, errname: "EINVAL" });
    expect(answer.errline).toContain("GPL");
  });

  it("carries BTF and func_info", async () => {
    // INT int; FUNC_PROTO () -> int; FUNC main global, FUNC sub static
    const strings = "\0int\0main\0sub\0";
    const words = [
      [1, 0x0100_0000, 4, 0x0100_0020],
      [0, 0x0d00_0000, 1],
      [5, 0x0c00_0001, 2],
      [10, 0x0c00_0000, 2],
    ].flat();
    const header = [0x0001_eb9f, 24, 0, words.length * 4, words.length * 4, strings.length];
    const bytes = new Uint8Array(new Uint32Array([...header, ...words]).buffer);
    const btf = printHexBytes(bytes) + printHexBytes(new TextEncoder().encode(strings));
    const funcInfo = (second: number) =>
      printHexBytes(new Uint8Array(new Uint32Array([0, 3, second, 4]).buffer));
    const insns = hexOf(callSubprog(1), exit(), movImm(0, 7), exit());
    const base = { prog_type: "socket_filter", insns, btf, run: { data: packet(64) } };
    const [good, bad] = await runKernelCases([
      { ...base, func_info: funcInfo(2) },
      { ...base, func_info: funcInfo(3) },
    ]);
    expect(good).toMatchObject({ loaded: true, retval: 7 });
    expect(bad).toMatchObject({ loaded: false, errname: "EINVAL" });
  });

  it.skipIf(!existsSync("/sys/kernel/btf/vmlinux"))("finds kfuncs by name", async () => {
    const answer = await askOne({
      prog_type: "sched_cls",
      insns: hexOf(callKfunc(), callKfunc(), movImm(0, 3), exit()),
      kfuncs: [
        { insn: 0, name: "bpf_rcu_read_lock" },
        { insn: 1, name: "bpf_rcu_read_unlock" },
      ],
      run: { data: packet(64) },
    });
    expect(answer).toMatchObject({ loaded: true, retval: 3 });
    const unknown = await askOne({
      prog_type: "sched_cls",
      insns: hexOf(callKfunc(), exit()),
      kfuncs: [{ insn: 0, name: "no_such_kfunc" }],
    });
    expect(unknown.error).toContain("no_such_kfunc");
  });
});

describe.skipIf(!isBpfAllowed())("runs", () => {
  // increments the first byte of the packet, returns what it was
  const bump = hexOf(
    load32(2, 1, 0),
    load32(3, 1, 4),
    movReg(4, 2),
    addImm(4, 14),
    movImm(0, 0),
    jumpIfAbove(4, 3, 4),
    load8(0, 2, 0),
    movReg(5, 0),
    addImm(5, 1),
    store8(2, 0, 5),
    exit(),
  );

  it("gives return value and packet back", async () => {
    const answer = await askOne({ prog_type: "xdp", insns: bump, run: { data: `2a${packet(20).slice(2)}` } });
    expect(answer).toMatchObject({ loaded: true, retval: 0x2a, data_out: `2b${packet(20).slice(2)}` });
  });

  it("repeats over the same packet, but starts each run with a fresh one", async () => {
    const answer = await askOne({
      prog_type: "xdp",
      insns: bump,
      run: [{ data: packet(14), repeat: 3 }, { data: packet(14), runs: 2 }, { data: "00" }],
    });
    expect(answer.runs?.map((run) => [run.errno, run.retval])).toEqual([
      [0, 2],
      [0, 0],
      [0, 0],
      [22, 0],
    ]);
    expect(answer.runs?.[0]?.data_out?.slice(0, 2)).toBe("03");
  });

  it("takes and returns a context", async () => {
    // data, data_end, data_meta, ifindex, queue, egress: four bytes of metadata before a packet of 20
    const ctx = printHexBytes(new Uint8Array(new Uint32Array([4, 24, 0, 0, 0, 0]).buffer));
    const insns = hexOf(load32(0, 1, 8), load32(2, 1, 0), movImm(0, 2), exit());
    const answer = await askOne({ prog_type: "xdp", insns, run: { data: packet(24), ctx } });
    expect(answer).toMatchObject({ loaded: true, retval: 2, data_out: packet(24) });
    expect(answer.ctx_out?.slice(0, 16)).toBe("0400000018000000");
  });

  it("fills maps, counts in them and reads them", async () => {
    for (const type of [2, 6]) {
      const answer = await askOne({
        prog_type: "xdp",
        insns: countingProgram(5),
        maps: [{ ...ARRAY, type, init: [["00000000", u64Hex(100)]] }],
        fixups: COUNTING_FIXUPS,
        run: { data: packet(64), runs: 3 },
        dump_each: true,
      });
      expect(answer.maps).toEqual([[["00000000", u64Hex(115)]]]);
      expect(answer.runs?.map((run) => run.maps)).toEqual(
        [105, 110, 115].map((n) => [[["00000000", u64Hex(n)]]]),
      );
    }
  });

  it("sorts hashes, follows inner maps, leaves out what is not to be dumped", async () => {
    const inner = { ...ARRAY, max_entries: 1 };
    const answer = await askOne({
      prog_type: "xdp",
      insns: hexOf(movImm(0, 1), exit()),
      maps: [
        {
          ...HASH,
          init: [
            ["02000000", u64Hex(2)],
            ["01000000", u64Hex(1)],
          ],
        },
        {
          type: 12,
          key_size: 4,
          value_size: 4,
          max_entries: 2,
          inner,
          init: [["01000000", { inner: true }]],
        },
        { ...HASH, dump: false },
      ],
      run: { data: packet(64) },
    });
    expect(answer.maps).toEqual([
      [
        ["01000000", u64Hex(1)],
        ["02000000", u64Hex(2)],
      ],
      null,
      null,
    ]);
  });

  it("puts programs into program arrays", async () => {
    const jump = hexOf(movReg(6, 1), loadMap(2), movImm(3, 1), call(12), movImm(0, 9), exit());
    const target: KernelCase = { prog_type: "xdp", insns: hexOf(movImm(0, 4), exit()) };
    const maps = [{ type: 3, key_size: 4, value_size: 4, max_entries: 2 }];
    const fixups = [{ insn: 1, map: 0 }];
    const [hit, miss] = await runKernelCases([
      {
        prog_type: "xdp",
        insns: jump,
        maps: [{ ...maps[0]!, init: [["01000000", { prog: target }]] }],
        fixups,
        run: { data: packet(64) },
      },
      { prog_type: "xdp", insns: jump, maps, fixups, run: { data: packet(64) } },
    ]);
    expect(hit).toMatchObject({ loaded: true, retval: 4 });
    expect(miss).toMatchObject({ loaded: true, retval: 9 });
  });

  it("reads ring buffers and perf buffers", async () => {
    const output = (helper: number) => [
      movReg(6, 1),
      storeImm64(10, -8, 0x1234),
      ...(helper === 130 ? [loadMap(1), movReg(2, 10), addImm(2, -8), movImm(3, 8), movImm(4, 0)] : []),
      ...(helper === 25
        ? [loadMap(2), makeCurrentCpu(), movReg(4, 10), addImm(4, -8), movImm(5, 8)].flat()
        : []),
      call(helper),
      movImm(0, 2),
      exit(),
    ];
    // 0xffffffff does not fit a signed immediate: a 32-bit move gives it
    const makeCurrentCpu = () => ({ op: 0xb4, dst: 3, src: 0, off: 0, imm: -1 });
    const [ring, perf] = await runKernelCases([
      {
        prog_type: "xdp",
        insns: hexOf(...output(130)),
        maps: [{ type: 27, max_entries: 4096 }],
        fixups: [{ insn: 2, map: 0 }],
        run: { data: packet(64), runs: 2 },
      },
      {
        prog_type: "xdp",
        insns: hexOf(...output(25)),
        maps: [{ type: 4, key_size: 4, value_size: 4, max_entries: 128, perf_pages: 1 }],
        fixups: [{ insn: 2, map: 0 }],
        run: { data: packet(64) },
      },
    ]);
    expect(ring?.maps).toEqual([
      [
        ["", u64Hex(0x1234)],
        ["", u64Hex(0x1234)],
      ],
    ]);
    // the record is padded to a multiple of eight with its own size word
    expect(perf?.maps?.[0]?.map(([, record]) => String(record).slice(0, 16))).toEqual([u64Hex(0x1234)]);
  });
});

describe.skipIf(!isBpfAllowed())("atomic counters", () => {
  it("return the program's own word too", async () => {
    const insns = hexOf(
      storeImm64(10, -8, 40),
      movImm(1, 2),
      atomicAdd64(10, -8, 1),
      load32(0, 10, -8),
      exit(),
    );
    expect(await askOne({ prog_type: "socket_filter", insns, run: { data: packet(64) } })).toMatchObject({
      retval: 42,
    });
  });

  it("skip what the lookup does not find", async () => {
    const insns = hexOf(
      storeImm32(10, -4, 9),
      movReg(2, 10),
      addImm(2, -4),
      loadMap(1),
      call(1),
      jumpIfZero(0, 2),
      movImm(0, 1),
      exit(),
      movImm(0, 3),
      exit(),
    );
    const answer = await askOne({
      prog_type: "xdp",
      insns,
      maps: [HASH],
      fixups: [{ insn: 3, map: 0 }],
      run: { data: packet(64) },
    });
    expect(answer).toMatchObject({ loaded: true, retval: 3, maps: [[]] });
  });
});
