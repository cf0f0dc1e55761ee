import { expect, it } from "vitest";
import { createVm } from "../src/index.ts";

/** The first byte of the packet, by a legacy load, which asks the machine where the packet lies. */
const FIRST_BYTE = `
  r6 = r1
  r0 = *(u8 *)skb[0]
  exit
`;

it.each(["interpreter", "jit"] as const)("gives legacy loads the packet of each call, %s", (engine) => {
  const prog = createVm().load(FIRST_BYTE, { progType: "socket_filter", engine });
  for (const first of [1, 77, 200]) {
    const packet = new Uint8Array(64).fill(first);
    expect(prog.executePacket(packet)).toBe(first);
    expect(prog.run({ packet }).retval).toBe(first);
  }
});
