import type { FuncSpec, ProgSpec } from "@tsbpf/abi";
import { type BtfTypeInput, createBtfBuilder } from "@tsbpf/btf";
import { describe, expect, it } from "vitest";
import { type Verdict, verifyProg } from "../src/index.ts";
import { type ProgParts, progOf } from "./prog.ts";

const builder = createBtfBuilder();
const add = (type: BtfTypeInput): number => builder.addType(type);
const int = (name: string, sizeBytes: number): number =>
  add({ kind: "int", name, sizeBytes, encoding: "signed", offsetBits: 0, sizeBits: sizeBytes * 8 });
const struct = (name: string): number =>
  add({ kind: "struct", name, sizeBytes: 4, members: [], hasBitfields: false });
const ptr = (type: number): number => add({ kind: "ptr", name: "", type });
const INT = int("int", 4);
const LONG = int("long", 8);
const SKB = ptr(struct("__sk_buff"));
const XDP = ptr(struct("xdp_md"));
const INT_PTR = ptr(INT);

function func(
  name: string,
  params: readonly number[],
  returns = INT,
  linkage: "global" | "static" = "global",
): number {
  const type = add({
    kind: "func_proto",
    name: "",
    returns,
    params: params.map((one, i) => ({ name: `p${i}`, type: one })),
    isVariadic: false,
  });
  return add({ kind: "func", name, type, linkage });
}

const MAIN = func("main", [SKB]);
const HIT = func("hit", [SKB, INT]);
const SAME = func("same", [SKB, INT]);
const OTHERS = {
  fewer: func("fewer", [SKB]),
  otherResult: func("otherResult", [SKB, INT], SKB),
  otherKind: func("otherKind", [INT, INT]),
  wide: func("wide", [SKB, LONG]),
  otherContext: func("otherContext", [XDP, INT]),
  hidden: func("hidden", [SKB, INT], INT, "static"),
  toInt: func("toInt", [INT_PTR, INT]),
};
func("unused", [SKB, INT]);
const HIDDEN_HIT = func("hiddenHit", [SKB, INT], INT, "static");
const BTF = builder.encode();

const record = (name: string, slot: number, btfTypeId: number): FuncSpec => ({
  name,
  slot,
  linkage: "global",
  btfTypeId,
});

const TARGET_TEXT = "r2 = 1\ncall hit\nr0 = 0\nexit\nhit:\nr0 = 0\nexit";

function target(parts: ProgParts = {}, hit = { name: "hit", id: HIT }, text = TARGET_TEXT): ProgSpec {
  const spec = progOf(text, { type: "sched_cls", ...parts });
  return { ...spec, btf: BTF, funcs: [record("main", 0, MAIN), record(hit.name, 4, hit.id)] };
}

interface Judged {
  readonly targetProg?: ProgSpec | undefined;
  readonly name?: string;
  readonly id?: number;
  readonly replaces?: string;
  readonly flags?: number;
}

function judge(text: string, given: Judged = {}): Verdict {
  const { name = "same", id = SAME, replaces = "hit", flags = 0 } = given;
  const targetProg = "targetProg" in given ? given.targetProg : target();
  const spec: ProgSpec = {
    ...progOf(text, { type: "ext", flags }),
    btf: BTF,
    funcs: id === 0 ? [] : [record(name, 0, id)],
    attachTarget: replaces,
  };
  return verifyProg(spec, { logLevel: 2, ...(targetProg === undefined ? {} : { targetProg }) });
}

describe("programs that replace a function (C-170..C-174)", () => {
  it("get the function's arguments, and the rules of the target's type", () => {
    const one = judge("r0 = *(u32 *)(r1 + 0)\nr0 += r2\nexit");
    expect([one.isAccepted, one.message]).toEqual([true, ""]);
    expect(one.log).toContain("Validating same() func#0...\n");
    expect(judge("r0 = r3\nexit").message).toBe("R3 !read_ok");
    expect(judge("call bpf_skb_vlan_pop\nexit").message).toBe(
      "Extension program changes packet data, while original does not",
    );
    expect(judge("r1 = r10\ncall bpf_xdp_adjust_head\nexit").isAccepted).toBe(false);
  });

  it("need a target with the function", () => {
    expect(judge("r0 = 0\nexit", { targetProg: undefined }).message).toBe(
      "Tracing programs must provide btf_id",
    );
    expect(judge("r0 = 0\nexit", { replaces: "unused" }).message).toBe("Subprog unused doesn't exist");
    expect(judge("r0 = 0\nexit", { replaces: "nowhere" }).message).toBe(
      "Tracing programs must provide btf_id",
    );
  });

  it("say why the target is refused itself", () => {
    const broken = target({}, undefined, "r2 = 1\ncall hit\nr0 = r9\nexit\nhit:\nr0 = 0\nexit");
    const one = judge("r0 = 0\nexit", { targetProg: broken });
    expect([one.code, one.message]).toEqual([
      "CALL_EXTENSION",
      "the target program is refused itself: R9 !read_ok",
    ]);
  });

  it.each([
    ["fewer", "fewer() has 1 args while hit() has 2 args"],
    ["otherResult", "Return type PTR of otherResult() doesn't match type INT of hit()"],
    ["otherKind", "arg0 in otherKind() is INT while hit() has PTR"],
    ["wide", "arg1 in wide() has size 8 while hit() has 4"],
    ["otherContext", "arg0 otherContext(struct xdp_md *) doesn't match hit(struct __sk_buff *)"],
    ["hidden", "hidden() is not a global function"],
    ["toInt", "arg0 in toInt() is not a pointer to context"],
  ] as const)("have the function's prototype: %s", (name, message) => {
    const one = judge("r0 = 0\nexit", { name, id: OTHERS[name] });
    expect([one.code, one.errnoName, one.message]).toEqual(["CALL_EXTENSION", "EINVAL", message]);
  });

  it("need types, and a function that is global and reliable", () => {
    expect(judge("r0 = 0\nexit", { id: 0 }).message).toBe("Program extension requires BTF");
    const hidden = target({}, { name: "hiddenHit", id: HIDDEN_HIT });
    const targetProg = {
      ...hidden,
      funcs: hidden.funcs.map((one, i) => (i === 1 ? { ...one, linkage: "static" as const } : one)),
    };
    expect(judge("r0 = 0\nexit", { targetProg, replaces: "hiddenHit" }).message).toBe(
      "hiddenHit() is not a global function",
    );
  });

  it("replace no function of an extension or of a program at a function's entry", () => {
    const entry = target({ type: "tracing", attachType: 24 });
    expect(judge("r0 = 0\nexit", { targetProg: entry }).isAccepted).toBe(false);
    const again = { ...target(), type: "ext" as const };
    expect(judge("r0 = 0\nexit", { targetProg: again }).isAccepted).toBe(false);
  });

  it("do not sleep", () => {
    expect(judge("r0 = 0\nexit", { flags: 16 }).code).toBe("CALL_SLEEPABLE");
  });
});
