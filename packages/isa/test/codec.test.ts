import { InputError } from "@tsbpf/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeInsns,
  encodeInsns,
  isSameInsn,
  isWide,
  makeInsn,
  makeWide,
  slotsOf,
  wideImm,
} from "../src/index.ts";
import { arbSlot } from "./samples.ts";

const thrown = (run: () => unknown): unknown => {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe("codec", () => {
  it("lays fields out as isa.md §2 says, and swaps bytes and register nibbles for big endian", () => {
    const insn = makeInsn(0x7b, { dst: 10, src: 1, off: -8, imm: 0x01020304 });
    expect([...encodeInsns([insn])]).toEqual([0x7b, 0x1a, 0xf8, 0xff, 0x04, 0x03, 0x02, 0x01]);
    expect([...encodeInsns([insn], "big")]).toEqual([0x7b, 0xa1, 0xff, 0xf8, 0x01, 0x02, 0x03, 0x04]);
  });

  it("decodes what it encodes: any slots, both byte orders", () => {
    fc.assert(
      fc.property(fc.array(arbSlot, { maxLength: 20 }), fc.constantFrom("little", "big"), (insns, endian) => {
        expect(decodeInsns(encodeInsns(insns, endian), endian)).toEqual(insns);
      }),
    );
  });

  it("encodes what it decodes: any bytes, both byte orders, at any place in a buffer", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 8, maxLength: 64 }),
        fc.constantFrom("little", "big"),
        (bytes, endian) => {
          const whole = bytes.subarray(bytes.length % 8);
          expect([...encodeInsns(decodeInsns(whole, endian), endian)]).toEqual([...whole]);
        },
      ),
    );
  });

  it("accepts no code, refuses a broken slot (ISA_LENGTH)", () => {
    expect(decodeInsns(new Uint8Array(0))).toEqual([]);
    const error = thrown(() => decodeInsns(new Uint8Array(15)));
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).summary()).toBe(
      "ISA_LENGTH: code of 15 bytes, whole 8-byte slots needed, 7 bytes left over",
    );
  });

  it("refuses registers and opcodes that do not fit their bits (ISA_FIELD_RANGE)", () => {
    expect(encodeInsns([makeInsn(0xff, { dst: 15, src: 15 })])).toHaveLength(8);
    for (const insn of [
      makeInsn(256),
      makeInsn(-1),
      makeInsn(0xb7, { dst: 16 }),
      makeInsn(0xbf, { src: -1 }),
    ]) {
      expect((thrown(() => encodeInsns([insn])) as InputError).code).toBe("ISA_FIELD_RANGE");
    }
  });
});

describe("wide loads", () => {
  it("split a 64-bit value over two slots and join it (ISA-10)", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (value) => {
        expect(wideImm(makeWide(3, 0, value), 0)).toBe(value);
      }),
    );
    expect(makeWide(1, 2, -2n).map((half) => half.imm)).toEqual([-2, -1]);
    expect(wideImm([makeInsn(0x18, { imm: -1 })], 0)).toBe(0xffff_ffffn);
  });

  it("are the only instructions of two slots", () => {
    for (let op = 0; op < 256; op++) {
      expect(isWide(makeInsn(op))).toBe(op === 0x18);
      expect(slotsOf(makeInsn(op))).toBe(op === 0x18 ? 2 : 1);
    }
  });
});

describe("isSameInsn", () => {
  it("compares every field", () => {
    fc.assert(
      fc.property(arbSlot, arbSlot, (a, b) => {
        expect(isSameInsn(a, { ...a })).toBe(true);
        expect(isSameInsn(a, b)).toBe(encodeInsns([a]).join() === encodeInsns([b]).join());
      }),
    );
  });
});
