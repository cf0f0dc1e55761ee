import { describe, expect, it } from "vitest";
import { jsonLines, tsbpf } from "./cli.ts";

const EXIT_2 = "b7000000020000009500000000000000";

describe("cases", () => {
  const answers = (cases: readonly unknown[], words: readonly string[] = []) =>
    jsonLines(
      tsbpf(
        ["cases", ...words],
        cases.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join("\n"),
      ).stdout,
    );

  it("answers in order, and a bad line never stops the rest", () => {
    const got = answers([
      { name: "a", prog_type: "xdp", insns: EXIT_2, run: { data: "00".repeat(64) } },
      "no json",
      { name: "b", prog_type: "xdp", insns: "zz" },
      { name: "c", prog_type: 6, insns: EXIT_2, run: [{ data: "11".repeat(14), runs: 2 }] },
    ]);
    expect(got.map((one) => one.name)).toEqual(["a", null, "b", "c"]);
    expect(got[0]).toMatchObject({
      loaded: true,
      errno: 0,
      retval: 2,
      data_out: "00".repeat(64),
      insn_count: 2,
    });
    expect(got[1]).toHaveProperty("error");
    expect(got[2]).toMatchObject({ loaded: false, code: "HEX_MALFORMED" });
    expect(got[3]?.runs).toHaveLength(2);
  });

  it("refuses with errno, name and line of the kernel", () => {
    const [one] = answers([{ name: "x", prog_type: "xdp", insns: "bf300000000000009500000000000000" }]);
    expect(one).toMatchObject({ loaded: false, errno: 13, errname: "EACCES", errline: "R3 !read_ok" });
    const [unverified] = answers(
      [{ name: "x", prog_type: "xdp", insns: "bf300000000000009500000000000000" }],
      ["--no-verify"],
    );
    expect(unverified).toMatchObject({ loaded: true });
  });

  it("creates maps, names them in code and dumps them", () => {
    // r1 = map; *(u32 *)(r10 - 4) = 1; *(u64 *)(r10 - 16) = 7; r2 = r10 - 4; r3 = r10 - 16; r4 = 0; call update; exit
    const insns = [
      "1811000000000000",
      "0000000000000000",
      "620afcff01000000",
      "7a0af0ff07000000",
      "bfa2000000000000",
      "07020000fcffffff",
      "bfa3000000000000",
      "07030000f0ffffff",
      "b704000000000000",
      "8500000002000000",
      "9500000000000000",
    ].join("");
    const [one] = answers([
      {
        name: "map",
        prog_type: "xdp",
        insns,
        maps: [{ type: 1, key_size: 4, value_size: 8, max_entries: 4 }],
        fixups: [{ insn: 0, map: 0 }],
        run: { data: "00".repeat(64) },
      },
    ]);
    expect(one).toMatchObject({ loaded: true, retval: 0, maps: [[["01000000", "0700000000000000"]]] });
  });

  it("says when a map cannot be made", () => {
    const [one] = answers([
      {
        name: "m",
        prog_type: "xdp",
        insns: EXIT_2,
        maps: [{ type: 2, key_size: 8, value_size: 8, max_entries: 4 }],
      },
    ]);
    expect(one).toMatchObject({ loaded: false, errno: 22, errname: "EINVAL" });
    expect(one).toHaveProperty("error");
  });
});

describe("plugin", () => {
  it("takes memory and program as hex and prints r0 as hex", () => {
    // r0 = *(u8 *)(r1 + 1); exit
    expect(tsbpf(["plugin", "aa bb"], "71 10 01 00 00 00 00 00 95 00 00 00 00 00 00 00")).toMatchObject({
      status: 0,
      stdout: "bb\n",
    });
    expect(tsbpf(["plugin", "", "--program", EXIT_2]).stdout).toBe("2\n");
  });

  it("gives the size of the memory in r2, on both engines", () => {
    // r0 = r2; exit
    for (const engine of ["--interpret", "--jit"]) {
      expect(tsbpf(["plugin", "0000000100000002", engine], "bf200000000000009500000000000000").stdout).toBe(
        "8\n",
      );
    }
    // call pc+1; exit; r0 = r2; exit
    const passed = "85100000010000009500000000000000bf200000000000009500000000000000";
    expect(tsbpf(["plugin", "0000000100000002", "--jit"], passed).stdout).toBe("8\n");
  });

  it("calls helpers by number, in the instruction or in a register", () => {
    // r1 = -1; r2 = 5; callx r2; r0 = 2; exit
    const callx = "b7010000ffffffffb7020000050000008d0200000000000095000000000000009500000000000000";
    expect(tsbpf(["plugin"], callx)).toMatchObject({ status: 0, stdout: "ffffffffffffffff\n" });
    // r1..r5 = 1..5; call 0
    const gather =
      "b701000001000000b702000002000000b703000003000000b704000004000000b70500000500000085000000000000009500000000000000";
    expect(tsbpf(["plugin", "", "--jit"], gather).stdout).toBe("102030405\n");
  });

  it("fails by name on a bad access and on a bad program", () => {
    expect(tsbpf(["plugin", "aa"], "71 10 05 00 00 00 00 00 95 00 00 00 00 00 00 00")).toMatchObject({
      status: 1,
      stdout: "",
    });
    expect(tsbpf(["plugin"], "ff").stderr).toMatch(/ISA_LENGTH/);
  });

  it("prints its version", () => {
    expect(tsbpf(["--version"]).stdout).toMatch(/^tsbpf \d+\.\d+\.\d+ \(\w+.*\), node 2/);
  });
});
