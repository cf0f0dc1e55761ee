import { afterEach, beforeEach, expect, it, type MockInstance, vi } from "vitest";
import { Bounds } from "../../jit/src/run/bounds.ts";
import { createVm } from "../src/index.ts";

/** Looks at the memory, which checked accesses need where no bounds that they know hold. */
let looks: MockInstance;
beforeEach(() => {
  looks = vi.spyOn(Bounds.prototype, "remember");
});
afterEach(() => {
  looks.mockRestore();
});

const PACKETS = [new Uint8Array(64).fill(1), new Uint8Array(1500).fill(2)];

/** Runs a program without proofs on packets, and again on the same; returns how often the second time asked the memory. */
function looksAgain(text: string): number {
  const prog = createVm().load(text, { engine: "jit", verify: "off" });
  const first = PACKETS.map((packet) => prog.run({ packet }).retval);
  looks.mockClear();
  expect(PACKETS.map((packet) => prog.run({ packet }).retval)).toEqual(first);
  return looks.mock.calls.length;
}

const BOUNDS_OK = ["r2 = *(u32 *)(r1 + 0)", "r3 = *(u32 *)(r1 + 4)"];

it("asks the memory about neither the context nor a packet that it bounds, though nobody may write the one", () => {
  const text = [...BOUNDS_OK, "r0 = *(u8 *)(r2 + 13)", "r4 = *(u32 *)(r1 + 12)", "r0 += r4", "exit"].join(
    "\n",
  );
  const prog = createVm().load(text, { engine: "jit", verify: "off" });
  for (const packet of PACKETS) prog.run({ packet });
  expect(looks).not.toHaveBeenCalled();
});

it("gives accesses that are 32 slots apart bounds of their own", () => {
  const text = [
    ...BOUNDS_OK,
    "r5 = r10",
    "r5 += r0",
    "*(u64 *)(r10 - 8) = 7",
    "r4 = *(u64 *)(r5 - 8)",
    ...new Array<string>(29).fill("r4 += 1"),
    "r6 = r2",
    "r6 &= -1",
    "r0 = *(u8 *)(r6 + 0)",
    "exit",
  ].join("\n");
  expect(looksAgain(text)).toBe(0);
});
