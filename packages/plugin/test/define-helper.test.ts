import { CUSTOM_HELPER_ID_FIRST, protoByName } from "@tsbpf/abi";
import { describe, expect, it } from "vitest";
import { arg, defineHelper, defineKfunc, type HelperPlugin, ret } from "../src/index.ts";

const flowTag = defineHelper({
  id: CUSTOM_HELPER_ID_FIRST + 1,
  name: "flow_tag",
  summary: "Copy the tag stored for a flow into a caller buffer.",
  args: [
    arg.map("tags"),
    arg.mapKey("flow", { of: "tags" }),
    arg.memOut("out", { size: "out_len" }),
    arg.size("out_len", { min: 1n, max: 64n }),
    arg.u64("flags", { max: 0n }),
  ],
  returns: ret.errno(),
  progTypes: ["xdp", "sched_cls"],
  call({ tags, flow, out }) {
    const hit = tags.lookup(flow);
    if (hit === null) return -2;
    out.set(hit.bytes.subarray(0, out.length));
    return 0;
  },
});

/** Defines a helper that is right but for what a test changes. */
const define = (change: Record<string, unknown>): HelperPlugin =>
  defineHelper({
    id: CUSTOM_HELPER_ID_FIRST,
    name: "a_helper",
    summary: "Does something.",
    args: [],
    returns: ret.u64(),
    raw: () => {},
    ...change,
  } as never);

const refusal = (text: RegExp) =>
  expect.objectContaining({ code: "PLUGIN_HELPER", message: expect.stringMatching(text) });

describe("defineHelper", () => {
  it("makes the prototype that the verifier reads", () => {
    expect(flowTag.proto).toMatchObject({
      id: 0x1_0001,
      name: "flow_tag",
      ret: { kind: "int", min: -4095n, max: 0n },
      isGplOnly: false,
      invalidatesPacket: false,
      maySleep: false,
      callsBack: false,
      since: "custom",
      progTypes: ["xdp", "sched_cls"],
      signature: "flow_tag(tags, flow, out, out_len, flags)",
    });
    expect(flowTag.proto.args.map((one) => one.kind)).toEqual(["map", "map_key", "mem", "size", "scalar"]);
    expect(flowTag.proto.args[4]).toMatchObject({ type: "u64", max: 0n });
    expect([typeof flowTag.call, flowTag.raw]).toEqual(["function", undefined]);
  });

  it("takes effects as given and sees callbacks in the arguments", () => {
    const helper = define({
      args: [arg.func("each"), arg.callbackCtx("state")],
      isGplOnly: true,
      maySleep: true,
      invalidatesPacket: true,
    });
    expect(helper.proto).toMatchObject({
      callsBack: true,
      isGplOnly: true,
      maySleep: true,
      invalidatesPacket: true,
    });
    expect(helper.proto.progTypes).toBeUndefined();
  });

  it("implements a prototype that exists", () => {
    const proto = protoByName("ktime_get_ns")!;
    const raw = () => {};
    expect(defineHelper({ proto, summary: "Counts.", source: "a page", raw })).toEqual({
      proto,
      args: proto.args,
      summary: "Counts.",
      source: "a page",
      raw,
    });
  });

  it.each([
    ["an id of the kernel's", { id: 5 }, /id 5 found/],
    ["an id that is no number", { id: Number.NaN }, /id NaN found/],
    ["an id that no instruction holds", { id: 2 ** 31 }, /id 2147483648 found/],
    ["a name that is no identifier", { name: "a helper" }, /C identifier/],
    ["an empty name", { name: "" }, /C identifier/],
    [
      "six arguments",
      { args: "abcdef".split("").map((name) => arg.u64(name)) },
      /6 arguments found, 5 allowed/,
    ],
    ["two bodies", { call: () => 0 }, /exactly one of call and raw/],
    ["no body", { raw: undefined }, /exactly one of call and raw/],
    ["two arguments of one name", { args: [arg.u64("a"), arg.u32("a")] }, /same name/],
    ["a key of no map", { args: [arg.mapKey("key", { of: "map" })] }, /key names map, which is no argument/],
    ["memory of no size", { args: [arg.memIn("data", {})] }, /needs sizeBytes or size/],
    ["memory of an unknown size", { args: [arg.memIn("data", { size: "len" })] }, /data names len/],
  ])("refuses %s", (_, change, text) => {
    expect(() => define(change)).toThrow(refusal(text));
  });

  it.each([
    ["the first free id", { id: CUSTOM_HELPER_ID_FIRST }],
    ["the last id", { id: 2 ** 31 - 1 }],
    ["five arguments", { args: "abcde".split("").map((name) => arg.u64(name)) }],
    ["memory of a fixed size", { args: [arg.memInOut("data", { sizeBytes: 8 })] }],
  ])("takes %s", (_, change) => {
    expect(define(change).proto.name).toBe("a_helper");
  });
});

describe("defineKfunc", () => {
  const raw = () => {};
  const definition = {
    name: "bpf_mine",
    summary: "Does it.",
    args: [arg.ctx("ctx"), arg.u32("count")],
    returns: ret.u64(),
    raw,
  } as const;

  it("makes what defineHelper makes, without an id", () => {
    const kfunc = defineKfunc({ ...definition, signature: "u64 bpf_mine(void *ctx, u32 count)" });
    const helper = defineHelper({ ...definition, id: CUSTOM_HELPER_ID_FIRST });
    expect(kfunc).toEqual({
      ...helper,
      proto: { ...helper.proto, id: 0, signature: "u64 bpf_mine(void *ctx, u32 count)" },
    });
  });

  it("prints a prototype that is not given", () => {
    expect(defineKfunc(definition).proto.signature).toBe("bpf_mine(ctx, count)");
  });

  it("refuses what defineHelper refuses", () => {
    expect(() => defineKfunc({ ...definition, name: "bpf mine" })).toThrow(refusal(/C identifier/));
    expect(() => defineKfunc({ ...definition, call: () => 0n })).toThrow(
      refusal(/exactly one of call and raw/),
    );
  });
});
