import { protoOf } from "@tsbpf/abi";
import { expect, it } from "vitest";
import { defineHelper } from "../../plugin/src/index.ts";
import { Harness } from "./support.ts";

const TIMES = 2;
const BPF_LOOP = 181;
const GET_RANDOM = 7;

/** Calls back, and reads its arguments anew each time: a callback leaves them alone. */
const loop = defineHelper({
  proto: protoOf(BPF_LOOP)!,
  summary: "Calls a function n times and tells what r3 was.",
  raw(regs, env) {
    for (let i = 0; i < TIMES; i++) env.callBack(regs[4]!, regs[5]!, [i, 0, regs[6]!, regs[7]!]);
    regs[0] = regs[6]!;
    regs[1] = 0;
  },
});

it("a callback whose helper runs another machine's callbacks leaves the arguments below it alone", () => {
  const source = (r3: number, body: string): string =>
    `r1 = 1; r2 = func f; r3 = ${r3}; r4 = 0; call ${BPF_LOOP}; exit; f: ${body}; exit`;
  const inner = new Harness({ helpers: [loop], isProven: true });
  const innerProg = inner.prepare(source(77, "r0 = 0"));
  const runOther = defineHelper({
    proto: protoOf(GET_RANDOM)!,
    summary: "Runs a program on another machine.",
    raw(regs) {
      regs[0] = Number(inner.r0(innerProg));
      regs[1] = 0;
    },
  });
  const outer = new Harness({ helpers: [loop, runOther], isProven: true });
  expect(outer.r0(outer.prepare(source(5, `call ${GET_RANDOM}`)))).toBe(5n);
});
