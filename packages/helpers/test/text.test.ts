import { describe, expect, it } from "vitest";
import { ERR, fakeMachine } from "./fake-machine.ts";

const convert = (name: string, text: string, base: number | bigint, length = text.length) => {
  const machine = fakeMachine();
  machine.put(256, new Uint8Array(8).fill(0x55));
  const answer = machine.call(name, machine.put(0, text), length, base, machine.buffer + 256);
  return [answer, machine.memory.view.getBigInt64(machine.buffer + 256, true)] as const;
};

describe("bpf_strtol (HLP-105)", () => {
  it.each([
    ["  -42x", 10, 5n, -42n],
    ["08", 0, 1n, 0n],
    ["0x1f", 0, 4n, 31n],
    ["0x1f", 16, 4n, 31n],
    ["0xg", 0, 1n, 0n],
    ["777", 8, 3n, 511n],
    ["9223372036854775807", 10, 19n, 9223372036854775807n],
    ["-9223372036854775808", 10, 20n, -9223372036854775808n],
    ["9223372036854775808", 10, ERR.ERANGE, 0n],
    ["-9223372036854775809", 10, ERR.ERANGE, 0n],
    ["+5", 10, ERR.EINVAL, 0n],
    ["0x", 16, ERR.EINVAL, 0n],
    ["", 10, ERR.EINVAL, 0n],
    ["-", 10, ERR.EINVAL, 0n],
    ["12", 2, ERR.EINVAL, 0n],
    ["12", 32, ERR.EINVAL, 0n],
  ])("%j in base %i gives %i and %i", (text, base, answer, value) => {
    expect(convert("strtol", text, base)).toEqual([answer, value]);
  });

  it("looks at 63 digits and no byte past the length", () => {
    expect(convert("strtol", "0".repeat(80), 10)[0]).toBe(63n);
    expect(convert("strtol", "1234", 10, 2)).toEqual([2n, 12n]);
  });
});

describe("bpf_strtoul (HLP-106)", () => {
  it.each([
    ["18446744073709551615", 10, 20n, -1n],
    ["18446744073709551616", 10, ERR.ERANGE, 0n],
    ["-1", 10, ERR.EINVAL, 0n],
    ["7 ", 10, 1n, 7n],
    ["7", 1n << 32n, ERR.EINVAL, 0n],
  ])("%j in base %i gives %i and %i", (text, base, answer, value) => {
    expect(convert("strtoul", text, base)).toEqual([answer, value]);
  });
});

describe("bpf_strncmp (HLP-182)", () => {
  it.each([
    ["abc", "abc", 3, 0n],
    ["abc", "abd", 3, -1n],
    ["abd", "abc", 2, 0n],
    ["b", "abc", 1, 1n],
    ["\xff", "a", 1, 1n],
    ["ab\0x", "ab\0y", 4, 0n],
  ])("%j and %j over %i bytes", (one, other, size, answer) => {
    const machine = fakeMachine();
    expect(machine.call("strncmp", machine.put(0, one), size, machine.put(64, `${other}\0`))).toBe(answer);
  });
});

describe("reading memory (HLP-112..115)", () => {
  it("copies what can be read", () => {
    const machine = fakeMachine();
    const from = machine.put(100, "hello\0world");
    expect(machine.call("probe_read_kernel", machine.buffer, 8, from)).toBe(0n);
    expect(machine.take(0, 8)).toEqual(Uint8Array.from(Buffer.from("hello\0wo")));
    expect(machine.call("probe_read_kernel_str", machine.buffer, 20, from)).toBe(6n);
    expect(machine.call("probe_read_kernel_str", machine.buffer, 3, from)).toBe(3n);
    expect(machine.text(0)).toBe("he");
    expect(machine.call("probe_read_user_str", machine.buffer, 0, from)).toBe(0n);
  });

  it.each([
    ["probe_read_kernel", 0n, ERR.ERANGE],
    ["probe_read_kernel", 0xffff_8880_0000_0000n, ERR.EFAULT],
    ["probe_read_kernel_str", 4095n, ERR.ERANGE],
    ["probe_read_user", 0n, ERR.EFAULT],
    ["probe_read_user_str", 1n, ERR.EFAULT],
    ["probe_read", 0n, ERR.EFAULT],
    ["copy_from_user", 1n << 40n, ERR.EFAULT],
  ])("%s at %i fails with %i and zeroes", (name, from, errno) => {
    const machine = fakeMachine();
    machine.put(0, new Uint8Array(16).fill(0xaa));
    expect(machine.call(name, machine.buffer, 8, from)).toBe(errno);
    expect(machine.take(0, 9)).toEqual(Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0xaa]));
  });

  it("never crosses the end of what can be read", () => {
    const machine = fakeMachine();
    expect(machine.call("probe_read_user", machine.buffer, 8, machine.buffer + 4092)).toBe(ERR.EFAULT);
    expect(machine.call("probe_read_user", machine.buffer, 4, machine.buffer + 4092)).toBe(0n);
  });
});
