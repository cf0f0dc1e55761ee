import { parseFormat } from "@tsbpf/abi";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ERR, fakeMachine } from "./fake-machine.ts";

const ALL = 0xffff_ffff_ffff_ffffn;

/** Formats into a buffer of 200 bytes and returns the text, or the error. */
function print(format: string, args: readonly bigint[] = [], size = 200): string | bigint {
  const machine = fakeMachine();
  const data = machine.put(1024, new Uint8Array(BigUint64Array.from(args).buffer));
  const answer = machine.call(
    "snprintf",
    machine.buffer,
    size,
    machine.put(2048, `${format}\0`),
    data,
    args.length * 8,
  );
  if (answer < 0n) return answer;
  const text = machine.text(0);
  expect(answer).toBe(BigInt(text.length + 1));
  return text;
}

describe("formats (HP-1..HP-6)", () => {
  it.each([
    ["%d %i", [ALL, 5n], "-1 5"],
    ["%u %x %X", [ALL, 0xabcn, 0xabcn], "4294967295 abc ABC"],
    ["%ld %lu %lx", [ALL, ALL, ALL], "-1 18446744073709551615 ffffffffffffffff"],
    ["%lld", [1n << 63n], "-9223372036854775808"],
    ["%5d|%-5d|%05d", [-7n, -7n, -7n], "   -7|-7   |-0007"],
    ["%+d|% d|%+u", [3n, 3n, 3n], "+3| 3|3"],
    ["%c%3c|%-3c|", [65n, 66n, 67n], "A  B|C  |"],
    ["100%% %d", [1n], "100% 1"],
    ["%px", [0x12ab_cdefn], "0000000012abcdef"],
    ["%ps %pB", [0x12n, 0x34n], "0x12 0x34"],
    ["%p", [0n], "0000000000000000"],
    ["caf\xc3\xa9\n", [], "caf\xc3\xa9\n"],
  ])("%j", (format, args, text) => {
    expect(print(format, args)).toBe(text);
  });

  it.each([
    ["%.2f"],
    ["%hd"],
    ["%*d"],
    ["%#x"],
    ["%n"],
    ["%"],
    ["%l"],
    ["%sx"],
    ["%pz"],
    ["%pi5"],
    ["%5%"],
    ["\x01"],
    ["\x7f"],
  ])("refuses %j", (format) => {
    expect(print(format, [1n, 2n])).toBe(ERR.EINVAL);
    expect(parseFormat(Buffer.from(format, "latin1"))).toBeUndefined();
  });

  it("refuses too few arguments and ignores too many", () => {
    expect(print("%d %d", [1n])).toBe(ERR.EINVAL);
    expect(print("%d", [1n, 2n])).toBe("1");
  });

  it("reads strings and addresses, empty and zero when they cannot be read", () => {
    const machine = fakeMachine();
    const text = BigInt(machine.put(100, "text\0"));
    const ip = BigInt(machine.put(200, Uint8Array.from([1, 2, 3, 254])));
    const ip6 = BigInt(
      machine.put(
        300,
        Uint8Array.from({ length: 16 }, (_, idx) => idx),
      ),
    );
    const run = (format: string, ...args: bigint[]) => {
      const data = machine.put(1024, new Uint8Array(BigUint64Array.from(args).buffer));
      machine.call(
        "snprintf",
        machine.buffer + 512,
        200,
        machine.put(2048, `${format}\0`),
        data,
        args.length * 8,
      );
      return machine.text(512);
    };
    expect(run("%s|%6s|%-6s|%pks", text, text, text, text)).toBe("text|  text|text  |text");
    expect(run("%s|%s|", 0n, 1n)).toBe("||");
    expect(run("%pI4 %pi4 %pI4", ip, ip, 0n)).toBe("1.2.3.254 001.002.003.254 0.0.0.0");
    expect(run("%pI6c %pi6", ip6, ip6)).toBe(
      "0001:0203:0405:0607:0809:0a0b:0c0d:0e0f 000102030405060708090a0b0c0d0e0f",
    );
  });

  it("gives the same hash for the same pointer and never the pointer", () => {
    const [one, again] = [print("%p", [0x1234_5678n]), print("%pK", [0x1234_5678n])];
    expect(one).toBe(again);
    expect(one).toMatch(/^[0-9a-f]{16}$/);
    expect(one).not.toContain("12345678");
  });

  it("counts what does not fit, at no cost", () => {
    const machine = fakeMachine();
    const format = machine.put(2048, "hello world\0");
    expect(machine.call("snprintf", machine.buffer, 5, format, 0, 0)).toBe(12n);
    expect(machine.text(0)).toBe("hell");
    expect(machine.call("snprintf", 0, 0, format, 0, 0)).toBe(12n);
    const wide = machine.put(2048, "%8388607d\0");
    expect(machine.call("snprintf", machine.buffer, 5, wide, machine.buffer + 1024, 8)).toBe(8_388_608n);
  });

  it.each([
    [4, ERR.EINVAL],
    [104, ERR.EINVAL],
  ])("refuses %i bytes of arguments", (bytes, errno) => {
    const machine = fakeMachine();
    expect(machine.call("snprintf", machine.buffer, 9, machine.put(2048, "x\0"), machine.buffer, bytes)).toBe(
      errno,
    );
  });

  it("prints any number as BigInt does", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: ALL }), (value) => {
        const texts = [
          value.toString(16),
          BigInt.asIntN(64, value),
          BigInt.asUintN(32, value),
          BigInt.asIntN(32, value),
        ];
        expect(print("%lx %ld %u %d", [value, value, value, value])).toBe(texts.join(" "));
      }),
      { numRuns: 100 },
    );
  });

  it("survives any format", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."%dspxXiuclI46K 0+-#.*9\n\x01"), maxLength: 30 }),
        (format) => {
          const answer = print(format, [1n, ALL, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n, 11n, 12n], 512);
          expect(typeof answer === "string" || answer === ERR.EINVAL).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("bpf_trace_printk and bpf_trace_vprintk (HLP-6, HLP-177)", () => {
  it("record a line and return its length", () => {
    const machine = fakeMachine();
    const format = machine.put(0, "a %d %s\n\0");
    const text = machine.put(64, "text\0");
    expect(machine.call("trace_printk", format, 9, 7, text, 0)).toBe(9n);
    expect(machine.effects).toEqual([{ kind: "printk", text: "a 7 text\n", cpu: 1 }]);
  });

  it.each([
    ["without a NUL", "abc", 3, ERR.EINVAL],
    ["with four conversions", "%d%d%d%d\0", 9, ERR.EINVAL],
    ["with a NUL inside", "ab\0cd\0", 6, 2n],
  ])("answer a format %s", (_, format, size, answer) => {
    const machine = fakeMachine();
    expect(machine.call("trace_printk", machine.put(0, format), size, 1, 2, 3)).toBe(answer);
  });

  it("cut a line at 1023 bytes and return the whole length", () => {
    const machine = fakeMachine();
    expect(machine.call("trace_printk", machine.put(0, "%2000d\0"), 7, 5, 0, 0)).toBe(2000n);
    expect((machine.effects[0] as { text: string }).text).toHaveLength(1023);
  });

  it("take up to twelve values from an array", () => {
    const machine = fakeMachine();
    const data = machine.put(
      1024,
      new Uint8Array(BigUint64Array.from({ length: 12 }, (_, idx) => BigInt(idx)).buffer),
    );
    const format = machine.put(0, `${"%d".repeat(12)}\0`);
    expect(machine.call("trace_vprintk", format, 25, data, 96)).toBe(14n);
    expect(machine.call("trace_vprintk", format, 25, data, 88)).toBe(ERR.EINVAL);
    expect(machine.call("trace_vprintk", format, 25, 0, 96)).toBe(ERR.EINVAL);
    expect(machine.call("trace_vprintk", machine.put(0, "x\0"), 2, 0, 0)).toBe(1n);
  });

  it("record nothing when nobody listens", () => {
    const machine = fakeMachine({ isRecording: false });
    expect(machine.call("trace_printk", machine.put(0, "x\0"), 2, 0, 0, 0)).toBe(1n);
    expect(machine.effects).toEqual([]);
  });
});
