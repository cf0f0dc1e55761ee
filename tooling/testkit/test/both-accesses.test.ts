import { describe, expect, it } from "vitest";
import { type BothCase, bothEngines } from "../src/index.ts";

const PACKET = Uint8Array.from({ length: 64 }, (_, i) => i);

function expectEqual(one: BothCase): readonly { trap?: { code: string }; r0?: bigint; insnCount: number }[] {
  const { interpreter, jit } = bothEngines({ inputs: [{ packet: PACKET }], ...one });
  expect(jit.runs).toEqual(interpreter.runs);
  expect(jit.maps).toEqual(interpreter.maps);
  expect(Buffer.compare(jit.memory, interpreter.memory)).toBe(0);
  return jit.runs as never;
}

const COUNTS = { counts: { type: "array", valueSize: 8, maxEntries: 4 } } as const;

describe("both engines agree on accesses", () => {
  it.each([
    ["null", "r1 = 8\nr0 = *(u32 *)(r1 + 0)\nexit", "RUN_NULL"],
    ["past the frame", "r0 = *(u64 *)(r10 - 4)\nexit", "RUN_BOUNDS"],
    ["below the frame", "r0 = *(u64 *)(r10 - 516)\nexit", "RUN_BOUNDS"],
    ["a wide address", "r1 = 0x100010000 ll\nr0 = *(u8 *)(r1 + 0)\nexit", "RUN_ADDRESS"],
    ["an address that wraps", "r1 = -1\nr0 = *(u8 *)(r1 + 16)\nexit", "RUN_NULL"],
    [
      "an atomic off its alignment",
      "r1 = r10\nr1 += -7\nr2 = 1\nlock *(u64 *)(r1 - 8) += r2\nexit",
      "RUN_UNALIGNED",
    ],
    ["past the packet", "r1 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r1 + 64)\nexit", "RUN_BOUNDS"],
  ])("%s", (_name, source, code) => {
    expect(expectEqual({ source })[0]!.trap?.code).toBe(code);
  });

  // Each compares with the packet's end, r3, before it goes where that does not say that it may.
  it.each([
    [
      "one byte further than compared",
      "r4 = r2\nr4 += 14\nif r4 > r3 goto out\nr0 = *(u16 *)(r2 + 63)\nexit",
    ],
    ["before the packet", "r4 = r2\nr4 += 14\nif r4 > r3 goto out\nr0 = *(u8 *)(r2 - 1)\nexit"],
    ["where the comparison failed", "r4 = r2\nr4 += 65\nif r4 <= r3 goto out\nr0 = *(u8 *)(r2 + 64)\nexit"],
    [
      "below the packet by a difference",
      "r5 = 4096\nr4 = r2\nr4 -= r5\nr5 = r4\nr5 += 8\nif r5 > r3 goto out\nr0 = *(u64 *)(r4 + 0)\nexit",
    ],
    [
      "below the packet by a sum that wraps",
      "r5 = -4096\nr2 += r5\nr4 = r2\nr4 += 8\nif r4 > r3 goto out\nr0 = *(u64 *)(r2 + 0)\nexit",
    ],
    [
      "below the packet by 64 bits of it",
      "r4 = -4096\n*(u64 *)(r2 + 0) = r4\nr5 = *(u64 *)(r2 + 0)\nr2 += r5\nr4 = r2\nr4 += 8\nif r4 > r3 goto out\nr0 = *(u64 *)(r2 + 0)\nexit",
    ],
    [
      "past an end that moved",
      "r6 = r2\nr7 = r3\nr2 = -40\ncall bpf_xdp_adjust_tail\nr4 = r6\nr4 += 64\nif r4 > r7 goto out\nr0 = *(u8 *)(r6 + 60)\nexit",
    ],
    [
      "on one of two ways that meet",
      "r4 = r2\nif r2 == 5 goto other\nr5 = 4096\nr4 -= r5\nother:\nr5 = r4\nr5 += 8\nif r5 > r3 goto out\nr0 = *(u64 *)(r4 + 0)\nexit",
    ],
  ])("%s", (_name, code) => {
    const source = `r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\n${code}\nout:\nr0 = 99\nexit`;
    const [run] = expectEqual({ source });
    expect(run!.r0 ?? run!.trap?.code).not.toBe(99n);
  });

  it("when a packet shrinks between check and use", () => {
    const source = `
      r6 = r1
      r7 = *(u32 *)(r1 + 0)
      r0 = *(u8 *)(r7 + 40)
      r1 = r6
      r2 = -40
      call bpf_xdp_adjust_tail
      r0 = *(u8 *)(r7 + 40)
      exit`;
    expect(expectEqual({ source })[0]!.trap?.code).toBe("RUN_BOUNDS");
  });

  it("when a pointer walks off the packet in a loop", () => {
    const source = `
      r1 = *(u32 *)(r1 + 0)
      r0 = 0
    l:
      r2 = *(u8 *)(r1 + 0)
      r0 += r2
      *(u8 *)(r1 + 0) = r0
      r1 += 1
      goto l`;
    const [run] = expectEqual({ source });
    expect(run!.trap?.code).toBe("RUN_BOUNDS");
  });

  it("when an access straddles two elements of an array whose values touch", () => {
    const source = `
      *(u32 *)(r10 - 4) = 0
      r1 = map[counts] ll
      r2 = r10
      r2 += -4
      call bpf_map_lookup_elem
      if r0 == 0 goto out
      r1 = *(u64 *)(r0 + 0)
      r1 = *(u64 *)(r0 + 8)
      r1 = *(u64 *)(r0 + 4)
    out:
      exit`;
    expect(expectEqual({ source, vm: { maps: COUNTS } })[0]!.trap?.code).toBe("RUN_BOUNDS");
  });
});
