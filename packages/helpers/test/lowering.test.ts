import { protoOf } from "@tsbpf/abi";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { kernelHelpers } from "../src/index.ts";
import { loweredIds } from "../src/lowering.ts";
import { fakeMachine, ipv4Frame } from "./fake-machine.ts";

const words = kernelHelpers.filter((helper) => helper.wasm?.kind === "words");

describe("helpers that generated code calls with numbers", () => {
  it("are all implemented", () => {
    const implemented = new Set(
      kernelHelpers.filter((helper) => helper.wasm !== undefined).map((one) => one.proto.id),
    );
    expect([...loweredIds].sort((a, b) => a - b)).toEqual([...implemented].sort((a, b) => a - b));
    for (const id of loweredIds) expect(protoOf(id)?.isVariadic ?? false).toBe(false);
  });

  it.each(words.map((helper) => [helper.proto.name, helper] as const))(
    "%s answers as with registers, whatever the high halves",
    (name, helper) => {
      const progType = name.includes("xdp") || name === "bpf_csum_diff" ? "xdp" : "sched_cls";
      const small = fc.integer({ min: -20, max: 80 });
      fc.assert(
        fc.property(
          fc.array(small, { minLength: 5, maxLength: 5 }),
          fc.array(fc.integer(), { minLength: 5, maxLength: 5 }),
          (low, high) => {
            const make = () => {
              const machine = fakeMachine({ progType, packet: ipv4Frame() });
              machine.put(0, ipv4Frame());
              // Pointers go where the prototype has them; sizes stay within the buffer.
              const args = helper.proto.args.map((arg, idx) => {
                if (arg.kind === "ctx") return machine.env.ctxAddress;
                if (arg.kind === "mem") return machine.buffer + 8 * idx;
                return arg.kind === "size" ? Math.abs(low[idx]!) : low[idx]!;
              });
              return { machine, args };
            };
            const one = make();
            for (const [idx, arg] of one.args.entries()) {
              one.machine.regs[2 * idx + 2] = arg;
              one.machine.regs[2 * idx + 3] = high[idx]!;
            }
            helper.raw!(one.machine.regs, one.machine.env);
            const other = make();
            if (helper.wasm?.kind !== "words") return;
            const answer = helper.wasm.bind(other.machine.env)(...other.args.map((arg) => arg | 0));
            expect(one.machine.regs[0]).toBe(answer | 0);
            expect(one.machine.regs[1]).toBe(helper.wasm.result === "s32" ? answer >> 31 : 0);
            expect(other.machine.packet.bytes()).toEqual(one.machine.packet.bytes());
            expect(other.machine.take(0, 200)).toEqual(one.machine.take(0, 200));
          },
        ),
        { numRuns: 15 },
      );
    },
  );
});
