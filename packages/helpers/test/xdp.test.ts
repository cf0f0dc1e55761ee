import { XDP_STATE } from "@tsbpf/abi";
import { describe, expect, it } from "vitest";
import { ERR, fakeMachine, range } from "./fake-machine.ts";

const xdp = (size = 64) => {
  const machine = fakeMachine({ packet: range(size) });
  return { machine, ctx: machine.env.ctxAddress, packet: machine.packet };
};

describe("bpf_xdp_adjust_head (HLP-44)", () => {
  it.each([
    [-216, 0n],
    [-217, ERR.EINVAL],
    [50, 0n],
    [51, ERR.EINVAL],
    [0, 0n],
    [-2_147_483_648, ERR.EINVAL],
  ])("by %i answers %i", (delta, answer) => {
    const { machine, ctx, packet } = xdp();
    const before = packet.lengthBytes;
    expect(machine.call("xdp_adjust_head", ctx, delta)).toBe(answer);
    expect(packet.lengthBytes).toBe(answer === 0n ? before - delta : before);
    expect(packet.metaStart).toBe(packet.dataStart);
  });

  it("takes metadata along", () => {
    const { machine, ctx, packet } = xdp();
    expect(machine.call("xdp_adjust_meta", ctx, -8)).toBe(0n);
    machine.memory.u8.set([1, 2, 3, 4, 5, 6, 7, 8], packet.metaStart);
    expect(machine.call("xdp_adjust_head", ctx, -10)).toBe(0n);
    expect(packet.dataStart - packet.metaStart).toBe(8);
    expect(machine.memory.u8[packet.metaStart]).toBe(1);
    expect(machine.call("xdp_adjust_head", ctx, -199)).toBe(ERR.EINVAL);
    expect(machine.call("xdp_adjust_head", ctx, -198)).toBe(0n);
  });
});

describe("bpf_xdp_adjust_meta (HLP-54)", () => {
  it.each([
    [-216, 0n],
    [-220, ERR.EINVAL],
    [-3, ERR.EACCES],
    [4, ERR.EINVAL],
    [0, 0n],
  ])("by %i answers %i", (delta, answer) => {
    const { machine, ctx } = xdp();
    expect(machine.call("xdp_adjust_meta", ctx, delta)).toBe(answer);
  });
});

describe("bpf_xdp_adjust_tail (HLP-65)", () => {
  it.each([
    [3456, 0n],
    [3457, ERR.EINVAL],
    [-50, 0n],
    [-51, ERR.EINVAL],
  ])("by %i answers %i", (delta, answer) => {
    const { machine, ctx, packet } = xdp();
    expect(machine.call("xdp_adjust_tail", ctx, delta)).toBe(answer);
    expect(packet.lengthBytes).toBe(answer === 0n ? 64 + delta : 64);
  });

  it("zeroes what it adds", () => {
    const { machine, ctx, packet } = xdp();
    machine.memory.u8.fill(0xaa, packet.dataEnd, packet.dataEnd + 8);
    machine.call("xdp_adjust_tail", ctx, 4);
    expect(packet.bytes().subarray(62)).toEqual(Uint8Array.of(62, 63, 0, 0, 0, 0));
    expect(machine.memory.regions.at(packet.dataEnd - 1)?.name).toBe("packet");
  });

  it("shrinks fragments before the linear part and grows the last page only", () => {
    const { machine, ctx, packet } = xdp();
    const { view } = machine.memory;
    view.setUint32(ctx + XDP_STATE.fragAddress, machine.buffer, true);
    view.setUint32(ctx + XDP_STATE.fragBytes, 1000, true);
    const length = () => machine.call("xdp_get_buff_len", ctx);
    expect(length()).toBe(1064n);
    expect(machine.call("xdp_adjust_tail", ctx, 3097)).toBe(ERR.EINVAL);
    expect(machine.call("xdp_adjust_tail", ctx, 3096)).toBe(0n);
    expect(length()).toBe(4160n);
    expect(machine.call("xdp_adjust_tail", ctx, -4100)).toBe(0n);
    expect([length(), packet.lengthBytes]).toEqual([60n, 60]);
    expect(machine.call("xdp_adjust_tail", ctx, -47)).toBe(ERR.EINVAL);
  });
});

describe("bpf_xdp_load_bytes and store_bytes (HLP-189, HLP-190)", () => {
  it.each([
    [0, 64, 0n],
    [60, 4, 0n],
    [60, 5, ERR.EINVAL],
    [65_536, 1, ERR.EFAULT],
    [0, 65_536, ERR.EFAULT],
    [65_535, 1, ERR.EINVAL],
  ])("at %i for %i bytes answer %i", (offset, size, answer) => {
    const { machine, ctx } = xdp();
    expect(machine.call("xdp_load_bytes", ctx, offset, machine.buffer, size)).toBe(answer);
    expect(machine.call("xdp_store_bytes", ctx, offset, machine.buffer, size)).toBe(answer);
  });

  it("cross into fragments", () => {
    const { machine, ctx, packet } = xdp();
    const { view, u8 } = machine.memory;
    const frags = machine.put(1024, Uint8Array.of(101, 102, 103, 104));
    view.setUint32(ctx + XDP_STATE.fragAddress, frags, true);
    view.setUint32(ctx + XDP_STATE.fragBytes, 4, true);
    expect(machine.call("xdp_load_bytes", ctx, 62, machine.buffer, 5)).toBe(0n);
    expect(machine.take(0, 5)).toEqual(Uint8Array.of(62, 63, 101, 102, 103));
    machine.put(0, Uint8Array.of(1, 2, 3));
    expect(machine.call("xdp_store_bytes", ctx, 63, machine.buffer, 3)).toBe(0n);
    expect([u8[packet.dataEnd - 1], u8[frags], u8[frags + 1]]).toEqual([1, 2, 3]);
    expect(machine.call("xdp_load_bytes", ctx, 66, machine.buffer, 2)).toBe(0n);
    expect(machine.take(0, 2)).toEqual(Uint8Array.of(103, 104));
  });
});
