import { HELPER_PROTOS, kfuncByName, protoOf } from "@tsbpf/abi";
import { describe, expect, it } from "vitest";
import { kernelHelpers, kernelKfuncs } from "../src/index.ts";

describe("kernelHelpers", () => {
  it("implements each helper at most once, in order of id", () => {
    const ids = kernelHelpers.map((helper) => helper.proto.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  });

  it("uses the prototypes of the tables and says what each helper does", () => {
    for (const helper of kernelHelpers) {
      expect(helper.proto).toBe(protoOf(helper.proto.id));
      expect(helper.raw, helper.proto.name).toBeDefined();
      expect(helper.summary, helper.proto.name).toMatch(/^[A-Z].*\.$/);
      expect(helper.source).toContain(helper.proto.name);
    }
  });

  it("leaves out what it does not implement", () => {
    const implemented = new Set(kernelHelpers.map((helper) => helper.proto.id));
    const absent = HELPER_PROTOS.filter((proto) => !implemented.has(proto.id));
    expect(absent.map((proto) => proto.name)).toContain("bpf_sys_bpf");
    expect(implemented.size + absent.length).toBe(211);
  });
});

describe("kernelKfuncs", () => {
  it("implements each function at most once", () => {
    const names = kernelKfuncs.map((kfunc) => kfunc.proto.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(kernelKfuncs.map((kfunc) => [kfunc.proto.name, kfunc] as const))(
    "takes the prototype of %s from the tables",
    (name, kfunc) => {
      const known = kfuncByName(name);
      expect(kfunc.proto.signature).toBe(known?.signature);
      const params = known!.signature.slice(known!.signature.indexOf("(") + 1, -1);
      expect(kfunc.args.length).toBe(params === "void" ? 0 : params.split(",").length);
      expect(kfunc.summary).toMatch(/^[A-Z].*\.$/);
    },
  );
});
