import { makeProgSpec } from "@tsbpf/abi";
import { INSN_ROWS, type Insn, type InsnRow, insnOfRow, makeWide, rowOfId } from "@tsbpf/isa";
import { describe, expect, it } from "vitest";
import { bothEngines } from "../src/index.ts";

const row = (id: string): InsnRow => rowOfId(id)!;
const FP = 10;
const VALUES = [0n, 1n, -1n, 2n, 0x8000_0000n, -0x8000_0000n, 1n << 63n, 0x1122_3344_5566_7788n, 33n, 65n];
const IMMS = [0, 1, -1, 33, 65, 0x7fff_ffff, -0x8000_0000, -13];
const EXIT = insnOfRow(row("exit"));

/** Sets r0..r9 to values, runs instructions, and stores all registers where the test can see them. */
function around(body: readonly Insn[], values: readonly bigint[]): Insn[] {
  const before = Array.from({ length: 10 }, (_, reg) =>
    makeWide(reg, 0, values[reg % values.length]!),
  ).flat();
  const after = Array.from({ length: 10 }, (_, reg) =>
    insnOfRow(row("stx64"), { dst: FP, src: reg, off: -8 * (reg + 1) }),
  );
  return [...before, ...body, ...after, EXIT];
}

function expectEqual(insns: readonly Insn[], type: "xdp" | "socket_filter" = "xdp"): void {
  const source = makeProgSpec(insns, { name: "row", type });
  const input = { packet: Uint8Array.from({ length: 64 }, (_, i) => 3 * i) };
  for (const isProven of [false, true]) {
    const { interpreter, jit } = bothEngines({ source, inputs: [input], isProven });
    expect(jit.runs).toEqual(interpreter.runs);
    expect(Buffer.compare(jit.memory, interpreter.memory)).toBe(0);
  }
}

const rowsOf = (...kinds: string[]): InsnRow[] =>
  INSN_ROWS.filter(({ action }) => kinds.includes(action.kind));

/** Shifts values so that pairs of operands differ from test to test. */
const rotated = (by: number): bigint[] => VALUES.map((_, i) => VALUES[(i * 3 + by) % VALUES.length]!);

describe("every instruction on both engines", () => {
  it.each(rowsOf("alu", "end").map((one) => [one.id, one] as const))("%s", (_id, one) => {
    const bodies = (one.imm === "any" ? IMMS : [0]).map((imm) =>
      insnOfRow(one, {
        dst: 2,
        ...(one.src === "reg" ? { src: 3 } : {}),
        ...(one.imm === "any" ? { imm } : {}),
      }),
    );
    // The last form has both operands in one register.
    if (one.src === "reg") bodies.push(insnOfRow(one, { dst: 4, src: 4 }));
    for (const by of [0, 1, 2, 5]) expectEqual(around(bodies, rotated(by)));
    // All values on the left of one, which is r3, r8 and so on in turn.
    for (const value of VALUES) expectEqual(around(bodies.slice(0, 1), [value, 3n, value, -1n, 0n]));
  });

  it.each(rowsOf("branch").map((one) => [one.id, one] as const))("%s", (_id, one) => {
    const insns: Insn[] = [];
    // Each jump that is taken skips an addition of its own weight.
    for (const [i, imm] of IMMS.entries()) {
      const fields = { dst: 2 + (i % 3), ...(one.src === "reg" ? { src: 5 + (i % 4) } : { imm }) };
      insns.push(insnOfRow(one, { ...fields, off: 1 }), insnOfRow(row("add64.k"), { dst: 0, imm: 1 << i }));
    }
    for (let by = 0; by < VALUES.length; by++) expectEqual(around(insns, rotated(by)));
  });

  it.each(rowsOf("load", "store", "atomic").map((one) => [one.id, one] as const))("%s", (_id, one) => {
    const { action } = one;
    const isBaseSrc =
      action.kind === "load" || (action.kind === "atomic" && action.atomicOp === "load_acquire");
    const fields = isBaseSrc ? { dst: 2, src: FP } : { dst: FP, ...(one.src === "reg" ? { src: 3 } : {}) };
    const body = [-96, -104, -112].flatMap((off, i) => [
      insnOfRow(row("stx64"), { dst: FP, src: 4 + i, off }),
      insnOfRow(one, { ...fields, off, ...(one.imm === "any" ? { imm: -2 } : {}) }),
    ]);
    for (let by = 0; by < VALUES.length; by++) expectEqual(around(body, rotated(by)));
    // Equal old value and r0, so that an exchange happens.
    expectEqual(around(body, [0x55n, 1n, 2n, 3n, 0x55n, 0x55n, 0x1_0000_0055n]));
  });

  it.each([
    [
      "ld abs",
      ["ldabs8", "ldabs16", "ldabs32"],
      [0, 10, 61, 62, 63, 64, -1, -0x10_0000, -0x20_0000, -0x1000],
    ],
    ["ld ind", ["ldind8", "ldind16", "ldind32"], [0, 10, 58, -4]],
  ] as const)("%s (ISA-110..ISA-112)", (_name, ids, imms) => {
    for (const id of ids) {
      for (const imm of imms) {
        const load = insnOfRow(row(id), { imm, ...(row(id).src === "reg" ? { src: 2 } : {}) });
        const code = [
          insnOfRow(row("mov64.x"), { dst: 6, src: 1 }),
          insnOfRow(row("mov64.k"), { dst: 2, imm: 3 }),
          insnOfRow(row("mov64.k"), { dst: 0, imm: 9 }),
          load,
          insnOfRow(row("add64.k"), { dst: 0, imm: 1 }),
          EXIT,
        ];
        expectEqual(code, "socket_filter");
      }
    }
  });
});
