import { CSUM_STATE, SKB_STATE } from "@tsbpf/abi";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ERR, fakeMachine, ipv4Frame, range } from "./fake-machine.ts";

const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);

describe("bpf_csum_diff (HLP-28, HF-4)", () => {
  it.each([
    [words(1), words(2), 0, 1n],
    [words(0x1234_5678), words(), 0, 0x9753n],
    [words(), words(), 0x1234_5678, 0x68acn],
    [words(), words(), 0xffff_ffff, 0xffffn],
    [words(), words(), 0x1_ffff, 1n],
    [words(0xffff_ffff), words(0), 0, 0n],
    [words(0), words(), 0, 0n],
  ])("case %#", (from, to, seed, sum) => {
    const machine = fakeMachine();
    const answer = machine.call(
      "csum_diff",
      machine.put(0, from),
      from.length,
      machine.put(512, to),
      to.length,
      seed,
    );
    expect(answer).toBe(sum);
  });

  it("takes sizes that are no multiples of 4", () => {
    const machine = fakeMachine();
    expect(machine.call("csum_diff", 0, 0, machine.put(0, Uint8Array.of(1, 2, 3)), 3, 0)).toBe(0x204n);
  });

  it("is what summing 16-bit words gives, modulo 0xffff", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        (data, seed) => {
          const machine = fakeMachine();
          let sum = seed;
          for (const [idx, byte] of data.entries()) sum += byte * (idx % 2 === 0 ? 1 : 256);
          const answer = machine.call("csum_diff", 0, 0, machine.put(1, data), data.length, seed);
          expect(Number(answer) % 0xffff).toBe(sum % 0xffff);
          expect(answer === 0n).toBe(seed === 0 && data.every((byte) => byte === 0));
        },
      ),
      { numRuns: 100 },
    );
  });
});

/** Replaces in a checksum at offset 20 of a frame; returns the answer and the two bytes. */
function replace(
  name: string,
  before: number,
  args: readonly [from: number, to: number, flags: number],
  state = 0,
) {
  const machine = fakeMachine({ progType: "sched_cls", packet: range(64) });
  const { view } = machine.memory;
  view.setUint16(machine.packet.dataStart + 20, before);
  view.setUint32(machine.env.ctxAddress + SKB_STATE.csumState, state, true);
  const answer = machine.call(name, machine.env.ctxAddress, 20, ...args);
  return [answer, view.getUint16(machine.packet.dataStart + 20).toString(16)] as const;
}

describe("checksum replacement (HLP-10, HLP-11, HF-2)", () => {
  it.each([
    [0, [1, 2, 4], [0n, "feff"]],
    [0, [0x1234, 0x4321, 2], [0n, "12cf"]],
    [0, [0, 1, 0], [0n, "feff"]],
    [0, [1, 2, 0], [ERR.EINVAL, "0"]],
    [0, [1, 2, 3], [ERR.EINVAL, "0"]],
    [0, [1, 2, 16 + 4], [ERR.EINVAL, "0"]],
  ] as const)("l3: %i with %j", (before, args, after) => {
    expect(replace("l3_csum_replace", before, args)).toEqual(after);
  });

  it.each([
    [0, [1, 2, 4], [0n, "feff"]],
    [0, [1, 2, 32 + 4], [0n, "0"]],
    [0, [1, 2, 64 + 32 + 4], [0n, "feff"]],
    [0x0100, [0, 1, 32 + 4], [0n, "ffff"]],
    [0, [1, 2, 256 + 4], [ERR.EINVAL, "0"]],
  ] as const)("l4: %i with %j", (before, args, after) => {
    expect(replace("l4_csum_replace", before, args)).toEqual(after);
  });

  it("changes a partial checksum for the pseudo header alone, and not complemented (HF-3)", () => {
    expect(replace("l4_csum_replace", 0x0500, [1, 2, 4], CSUM_STATE.partial)).toEqual([0n, "500"]);
    expect(replace("l4_csum_replace", 0x0500, [1, 2, 16 + 4], CSUM_STATE.partial)).toEqual([0n, "600"]);
  });

  it.each([
    [63, ERR.EFAULT],
    [62, 0n],
    [64, ERR.EFAULT],
    [65_536, ERR.EFAULT],
    [21, ERR.EFAULT],
  ])("answers offset %i by %i", (offset, answer) => {
    const machine = fakeMachine({ progType: "sched_cls", packet: range(64) });
    expect(machine.call("l3_csum_replace", machine.env.ctxAddress, offset, 1, 2, 4)).toBe(answer);
  });
});

describe("checksum state (HLP-40, HLP-135)", () => {
  it("counts verified checksums", () => {
    const machine = fakeMachine({ progType: "sched_cls", packet: ipv4Frame() });
    const level = (request: number) => machine.call("csum_level", machine.env.ctxAddress, request);
    expect(level(0)).toBe(ERR.EACCES);
    expect([level(1), level(0), level(1), level(0)]).toEqual([0n, 0n, 0n, 1n]);
    expect([level(2), level(2), level(0)]).toEqual([0n, 0n, ERR.EACCES]);
    expect([level(1), level(3), level(0), level(4)]).toEqual([0n, 0n, ERR.EACCES, ERR.EINVAL]);
  });

  it("adds to a complete sum only", () => {
    const machine = fakeMachine({ progType: "sched_cls", packet: ipv4Frame() });
    const ctx = machine.env.ctxAddress;
    expect(machine.call("csum_update", ctx, 5)).toBe(ERR.ENOTSUPP);
    machine.memory.view.setUint32(ctx + SKB_STATE.csumState, CSUM_STATE.complete, true);
    machine.memory.view.setUint32(ctx + SKB_STATE.csum, 0xffff_fffe, true);
    expect(machine.call("csum_update", ctx, 5)).toBe(4n);
  });
});
