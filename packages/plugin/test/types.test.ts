import { describe, expect, expectTypeOf, it } from "vitest";
import {
  arg,
  type CallbackArg,
  defineHelper,
  defineProgType,
  type HelperDefinition,
  type HelperEnv,
  type MapArg,
  type MapMemory,
  ret,
} from "../src/index.ts";

const common = { id: 0x1_0000, name: "typed", summary: "Shows types." } as const;

/** Definitions below must not compile; running them may or may not be refused as well. */
const attempt = (define: () => unknown): void => {
  try {
    define();
  } catch (error) {
    expect(error).toMatchObject({ code: "PLUGIN_HELPER" });
  }
};

describe("types of a helper's implementation", () => {
  it("follow from its arguments", () => {
    defineHelper({
      ...common,
      args: [
        arg.map("table"),
        arg.mapKey("key", { of: "table" }),
        arg.memIn("data", { size: "len", nullable: true }),
        arg.size("len"),
        arg.u32("index"),
      ],
      returns: ret.u64(),
      call(args, env) {
        expectTypeOf(args.table).toEqualTypeOf<MapArg>();
        expectTypeOf(args.key).toEqualTypeOf<MapMemory>();
        expectTypeOf(args.data).toEqualTypeOf<Uint8Array | null>();
        expectTypeOf(args.len).toEqualTypeOf<number>();
        expectTypeOf(args.index).toEqualTypeOf<number>();
        expectTypeOf(env).toEqualTypeOf<HelperEnv>();
        return 1n;
      },
    });
    defineHelper({
      ...common,
      args: [
        arg.u64("value"),
        arg.s32("delta"),
        arg.memOut("out", { sizeBytes: 8 }),
        arg.func("each"),
        arg.ctx("ctx"),
      ],
      returns: ret.void(),
      call(args) {
        expectTypeOf(args.value).toEqualTypeOf<bigint>();
        expectTypeOf(args.delta).toEqualTypeOf<number>();
        expectTypeOf(args.out).toEqualTypeOf<Uint8Array>();
        expectTypeOf(args.each).toEqualTypeOf<CallbackArg>();
        expectTypeOf(args.ctx).toEqualTypeOf<bigint>();
      },
    });
    expect.assertions(0);
  });

  it("refuse an argument that is not declared", () => {
    attempt(() =>
      defineHelper({
        ...common,
        args: [arg.u64("value")],
        returns: ret.u64(),
        // @ts-expect-error there is no argument of this name
        call: ({ other }) => other,
      }),
    );
    expect.assertions(0);
  });

  it("refuse a result of another kind", () => {
    attempt(() =>
      // @ts-expect-error a helper that returns a number cannot return text
      defineHelper({ ...common, args: [], returns: ret.errno(), call: () => "done" }),
    );
    attempt(() =>
      // @ts-expect-error a helper that returns a number must return one
      defineHelper({ ...common, args: [], returns: ret.u32(), call: () => {} }),
    );
    expect.assertions(0);
  });
});

describe("types of a helper's definition", () => {
  it("refuse a sixth argument", () => {
    attempt(() =>
      defineHelper({
        ...common,
        // @ts-expect-error programs have five argument registers
        args: [arg.u64("a"), arg.u64("b"), arg.u64("c"), arg.u64("d"), arg.u64("e"), arg.u64("f")],
        returns: ret.u64(),
        raw: () => {},
      }),
    );
  });

  it("refuse links to arguments that do not exist", () => {
    attempt(() =>
      // @ts-expect-error the key belongs to a map that is not declared
      defineHelper({
        ...common,
        args: [arg.map("table"), arg.mapKey("key", { of: "tables" })],
        returns: ret.u64(),
        raw: () => {},
      }),
    );
    attempt(() =>
      // @ts-expect-error the memory names a size that is not declared
      defineHelper({
        ...common,
        args: [arg.memOut("out", { size: "length" }), arg.size("len")],
        returns: ret.u64(),
        raw: () => {},
      }),
    );
  });

  it("refuse program types and map types that do not exist", () => {
    attempt(() =>
      // @ts-expect-error there is no such program type
      defineHelper({
        ...common,
        args: [],
        returns: ret.u64(),
        progTypes: ["xpd"],
        raw: () => {},
      }),
    );
    // @ts-expect-error there is no such map type
    arg.map("table", { types: ["hashmap"] });
    expect.assertions(0);
  });

  it("keep what a definition promises", () => {
    type Definition = HelperDefinition<readonly [], ReturnType<typeof ret.errno>>;
    expectTypeOf<Definition["returns"]["kind"]>().toEqualTypeOf<"int">();
    expectTypeOf<ReturnType<typeof ret.void>>().toEqualTypeOf<{ readonly kind: "void" }>();
    expect(ret.errno()).toEqual({ kind: "int", min: -4095n, max: 0n });
    expect(ret.u32()).toEqual({ kind: "int", min: 0n, max: 0xffff_ffffn });
    expect(ret.int(-1n, 5n)).toEqual({ kind: "int", min: -1n, max: 5n });
  });
});

describe("types of a program type", () => {
  it("refuse an incomplete plugin", () => {
    // @ts-expect-error a program type needs a context
    const incomplete = defineProgType({ type: "xdp", summary: "", source: "", verdictName: () => undefined });
    expect(incomplete.type).toBe("xdp");
  });
});
