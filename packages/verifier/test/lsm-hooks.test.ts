import { ATTACH_TYPES } from "@tsbpf/abi";
import { type BtfTypeInput, createBtfBuilder, parseBtf } from "@tsbpf/btf";
import { describe, expect, it } from "vitest";
import { isScalarStruct } from "../src/btf/scalar-struct.ts";
import type { Verdict } from "../src/index.ts";
import { verifyProg } from "../src/index.ts";
import { judge, type ProgParts, progOf } from "./prog.ts";

const builder = createBtfBuilder();
const add = (type: BtfTypeInput): number => builder.addType(type);
const INT = add({ kind: "int", name: "int", sizeBytes: 4, encoding: "signed", offsetBits: 0, sizeBits: 32 });
const VOID = 0;

function hook(name: string, returns = INT): void {
  const type = add({
    kind: "func_proto",
    name: "",
    returns,
    params: [{ name: "n", type: INT }],
    isVariadic: false,
  });
  add({ kind: "func", name, type, linkage: "static" });
}
for (const name of ["file_open", "file_mprotect", "audit_rule_known", "getprocattr", "path_chown"])
  hook(`bpf_lsm_${name}`);
hook("bpf_lsm_task_free", VOID);
hook("bpf_lsm_bprm_committed_creds", VOID);
hook("vfs_truncate");
hook("vfs_read");
const KERNEL = parseBtf(builder.encode());
const SLEEPABLE = 16;

/** Judges a program on a hook of Linux's security modules. */
const onHook = (attachTarget: string, text: string, parts: ProgParts = {}): Verdict =>
  verifyProg(
    { ...progOf(text, { type: "lsm", attachType: ATTACH_TYPES.lsm_mac, ...parts }), attachTarget },
    { kernelBtf: KERNEL },
  );
const refusal = (verdict: Verdict): string => (verdict.isAccepted ? "" : verdict.message);
const result = (attachTarget: string, value: number, parts: ProgParts = {}): string =>
  refusal(onHook(attachTarget, `r0 = ${value}\nexit`, parts));

describe("results on hooks of security modules (H-160)", () => {
  it("are 0 or an error", () => {
    for (const value of [0, -1, -4095]) expect(result("file_open", value)).toBe("");
    const bounds = "should have been in [-4095, 0]";
    expect(result("file_open", 1)).toBe(`At program exit the register R0 has smin=1 smax=1 ${bounds}`);
    expect(result("file_open", -4096)).toContain(bounds);
  });

  it("are yes or no where the hook asks so", () => {
    for (const value of [0, 1]) expect(result("audit_rule_known", value)).toBe("");
    for (const value of [-1, 2]) expect(result("audit_rule_known", value)).toContain("in [0, 1]");
  });

  it("may be those of the program before", () => {
    const text = "r6 = *(u64 *)(r1 + 8)\nr0 = 0\nif w6 == 0 goto out\nw0 = w6\nout: exit";
    expect(refusal(onHook("file_open", text))).toBe("");
    expect(refusal(onHook("audit_rule_known", text))).toBe("");
    expect(refusal(onHook("file_open", "r0 = *(u64 *)(r1 + 0)\nexit"))).toContain("[-4095, 0]");
  });

  it("compare 32 bits", () => {
    expect(refusal(onHook("file_open", "w0 = -1\nexit"))).toBe("");
  });

  it("are not read where the hook has none", () => {
    expect(result("task_free", 7)).toBe("");
    expect(refusal(onHook("bprm_committed_creds", "r6 = r1\nexit"))).toBe("");
    expect(refusal(onHook("file_open", "r6 = r1\nexit"))).toBe("R0 !read_ok");
  });

  it("of programs of a cgroup are 0 or 1, and 1 where the hook has none", () => {
    const parts = { attachType: ATTACH_TYPES.lsm_cgroup };
    for (const value of [0, 1]) expect(result("file_open", value, parts)).toBe("");
    expect(result("file_open", -1, parts)).toContain("in [0, 1]");
    expect(result("task_free", 1, parts)).toBe("");
    expect(result("task_free", 0, parts)).toContain("in [1, 1]");
  });
});

describe("hooks of security modules (H-88)", () => {
  it("take programs that sleep where nothing forbids it", () => {
    expect(result("file_open", 0, { flags: SLEEPABLE })).toBe("");
    expect(result("path_chown", 0, { flags: SLEEPABLE })).toBe("");
    expect(result("file_mprotect", 0, { flags: SLEEPABLE })).toBe("bpf_lsm_file_mprotect is not sleepable");
  });

  it("take programs that are open to the GPL alone", () => {
    expect(result("file_open", 0, { license: "none" })).toBe(
      "LSM programs must have a GPL compatible license",
    );
  });

  it("take none where Linux forbids it", () => {
    const id = KERNEL.idsOf("bpf_lsm_getprocattr", "func")[0];
    expect(result("getprocattr", 0)).toBe(`attach_btf_id ${id} points to disabled hook bpf_lsm_getprocattr`);
  });
});

describe("helpers that depend on the target (H-4)", () => {
  const PATH = "r1 = *(u64 *)(r1 + 0)\nr2 = r10\nr2 += -8\nr3 = 8\ncall bpf_d_path\nr0 = 0\nexit";
  const REFUSED = "helper call is not allowed in probe";

  it("print paths on hooks that may sleep", () => {
    expect(refusal(onHook("file_open", PATH))).not.toBe(REFUSED);
    expect(refusal(onHook("file_mprotect", PATH))).toBe(REFUSED);
  });

  it("print paths in functions that are known to be safe", () => {
    const parts = { type: "tracing", attachType: ATTACH_TYPES.trace_fentry } as const;
    expect(refusal(onHook("vfs_truncate", PATH, parts))).not.toBe(REFUSED);
    expect(refusal(onHook("vfs_read", PATH, parts))).toBe(REFUSED);
  });
});

describe("walks over tasks of cgroups (K-40)", () => {
  const WALK = "r1 = r10\nr1 += -8\nr2 = 0\nr3 = 0\ncall bpf_iter_css_task_new\nr0 = 0\nexit";
  const REFUSED = "css_task_iter is only allowed in bpf_lsm, bpf_iter and sleepable progs";

  it("are for hooks of security modules, not for packets", () => {
    expect(refusal(judge(WALK, { type: "sched_cls" }))).toBe(REFUSED);
    expect(refusal(onHook("file_open", WALK))).not.toBe(REFUSED);
  });
});

describe("structs of numbers (H-140)", () => {
  const types = createBtfBuilder();
  const int = types.addType({
    kind: "int",
    name: "int",
    sizeBytes: 4,
    encoding: "signed",
    offsetBits: 0,
    sizeBits: 32,
  });
  const struct = (...members: readonly number[]): number =>
    types.addType({
      kind: "struct",
      name: "s",
      sizeBytes: 4,
      members: members.map((type) => ({ name: "m", type, offsetBits: 0, bitfieldBits: 0 })),
      hasBitfields: false,
    });
  const array = (elem: number, count: number): number =>
    types.addType({ kind: "array", name: "", elem, index: int, count });
  const flat = struct(int);
  const nested = [flat];
  for (let i = 0; i < 4; i++) nested.push(struct(nested.at(-1) ?? flat));
  const withPtr = struct(int, types.addType({ kind: "ptr", name: "", type: int }));
  const arrays = {
    full: struct(array(int, 3)),
    empty: struct(array(int, 0)),
    ofStructs: struct(array(flat, 2)),
  };
  const btf = parseBtf(types.encode());
  const isScalar = (id: number): boolean => isScalarStruct(btf, btf.type(id));

  it("hold numbers, arrays of them, and three levels of structs", () => {
    expect(nested.map(isScalar)).toEqual([true, true, true, true, false]);
    expect(isScalar(withPtr)).toBe(false);
    expect(isScalar(int)).toBe(false);
    expect([arrays.full, arrays.empty, arrays.ofStructs].map(isScalar)).toEqual([true, false, false]);
  });
});
