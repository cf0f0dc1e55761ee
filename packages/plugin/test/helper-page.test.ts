import { HELPER_PROTOS, protoByName } from "@tsbpf/abi";
import { describe, expect, it } from "vitest";
import { arg, defineHelper, defineKfunc, printHelperPage, ret } from "../src/index.ts";

describe("the manual page of a helper", () => {
  it("says what the verifier asks of a kernel helper, and that nobody runs it here", () => {
    const proto = protoByName("bpf_map_lookup_elem");
    const page = proto === undefined ? "" : printHelperPage(proto, undefined);
    expect(page).toMatch(/^bpf_map_lookup_elem \(helper 1, since 3\.18\)\n {2}void \*bpf_map_lookup_elem\(/);
    expect(page).toMatch(/\n {2}r1 {2}map: map\n {2}r2 {2}key: map_key, read\n {2}r0 {2}map_value or null\n/);
    expect(page).toContain("is judged by the verifier, not run here");
    expect(page).toMatch(/\n {2}for .*xdp/);
  });

  it("is made of what a plugin declares", () => {
    const helper = defineHelper({
      id: 0x1_0001,
      name: "tagged",
      summary: "Copies a tag.",
      args: [arg.memOut("out", { size: "len" }), arg.size("len", { min: 1n, max: 64n })],
      returns: ret.int(0n, 7n),
      isGplOnly: true,
      progTypes: ["xdp"],
      call: () => 0,
    });
    expect(printHelperPage(helper.proto, helper.summary).split("\n")).toEqual([
      "tagged (helper 65537, of a plugin)",
      expect.stringContaining("tagged(out, len)"),
      "",
      "  Copies a tag.",
      "",
      "  r1  out: mem, write, size in len",
      "  r2  len: size, at least 1, at most 64",
      "  r0  int, 0..7",
      "",
      "  needs a GPL-compatible license",
      "",
      "  for xdp",
    ]);
    const kfunc = defineKfunc({
      name: "half",
      summary: "Halves.",
      args: [],
      returns: ret.u64(),
      call: () => 0n,
    });
    expect(printHelperPage(kfunc.proto, kfunc.summary)).toMatch(/^half \(kernel function, of a plugin\)/);
  });

  it("fits a terminal", () => {
    for (const proto of Object.values(HELPER_PROTOS))
      for (const line of printHelperPage(proto, "Does.")
        .split("\n")
        .filter((one) => !one.includes("(")))
        expect(line.length).toBeLessThanOrEqual(101);
  });
});
