import { describe, expect, it } from "vitest";
import { createServices } from "../src/index.ts";
import { ERR, fakeMachine } from "./fake-machine.ts";

const TASK = { pid: 12, tgid: 10, uid: 1000, gid: 100, comm: "a-name-of-more-than-15", cgroupId: 77n };

describe("clocks (HLP-5, HLP-125, HLP-160, HLP-208, HLP-118)", () => {
  it("advance with each reading and repeat in each VM", () => {
    const read = () => {
      const machine = fakeMachine({ services: { startNs: 0xffff_fff0n, stepNs: 8 } });
      return Array.from({ length: 4 }, () => machine.call("ktime_get_ns"));
    };
    expect(read()).toEqual([0xffff_fff0n, 0xffff_fff8n, 0x1_0000_0000n, 0x1_0000_0008n]);
    expect(read()).toEqual(read());
  });

  it("can be set and can stand still", () => {
    const services = createServices({ stepNs: 0, startNs: 5n });
    expect([services.clock.ktimeNs(), services.clock.bootNs()]).toEqual([5n, 5n]);
    services.clock.setNs(1_000_000_000_000n);
    services.clock.advanceNs(7n);
    expect(services.clock.ktimeNs()).toBe(1_000_000_000_007n);
  });

  it("derive from one another", () => {
    const { clock } = createServices({ stepNs: 0, startNs: 10_007_000_001n, bootEpochNs: 0n });
    expect(clock.coarseNs()).toBe(10_004_000_000n);
    expect(clock.taiNs()).toBe(47_007_000_001n);
    expect(clock.jiffies()).toBe(4_294_967_296n - 75_000n + 2501n);
    const machine = fakeMachine({ services: { stepNs: 0, startNs: 10_007_000_001n, bootEpochNs: 0n } });
    expect(machine.call("ktime_get_boot_ns")).toBe(10_007_000_001n);
    expect(machine.call("ktime_get_coarse_ns")).toBe(10_004_000_000n);
    expect(machine.call("ktime_get_tai_ns")).toBe(47_007_000_001n);
    expect(machine.call("jiffies64")).toBe(4_294_894_797n);
  });

  it.each([[{ stepNs: -1 }], [{ stepNs: 0.5 }], [{ stepNs: 2 ** 32 }], [{ ticksPerSecond: 0 }]])(
    "refuse %j",
    (options) => {
      expect(() => createServices(options)).toThrow(expect.objectContaining({ code: "RUN_SERVICES" }));
    },
  );
});

describe("randomness and the CPU (HLP-7, HLP-8, HLP-42)", () => {
  it("gives the same numbers for the same seed", () => {
    const read = (seed?: number) => {
      const machine = fakeMachine({ services: seed === undefined ? {} : { seed } });
      return Array.from({ length: 5 }, () => machine.call("get_prandom_u32"));
    };
    expect(read()).toEqual(read());
    expect(read(5)).not.toEqual(read(6));
    expect(read(0)[0]).not.toBe(0n);
    expect(read().every((value) => value >= 0n && value < 2n ** 32n)).toBe(true);
  });

  it("names CPU and node", () => {
    const machine = fakeMachine({ services: { numaNode: 3 } });
    expect(machine.call("get_smp_processor_id")).toBe(1n);
    expect(machine.call("get_numa_node_id")).toBe(3n);
  });
});

describe("the task (HLP-14..16, HLP-80, HLP-123)", () => {
  const machine = fakeMachine({ services: { task: TASK } });

  it("has ids", () => {
    expect(machine.call("get_current_pid_tgid")).toBe((10n << 32n) | 12n);
    expect(machine.call("get_current_uid_gid")).toBe((100n << 32n) | 1000n);
    expect(machine.call("get_current_cgroup_id")).toBe(77n);
    expect([0, 1, 2, -1].map((level) => machine.call("get_current_ancestor_cgroup_id", level))).toEqual([
      1n,
      77n,
      0n,
      0n,
    ]);
    expect(machine.call("get_cgroup_classid")).toBe(0n);
  });

  it.each([
    [32, "a-name-of-more-"],
    [16, "a-name-of-more-"],
    [4, "a-n"],
    [1, ""],
  ])("has a name that is cut to %i bytes and padded", (size, name) => {
    machine.put(0, new Uint8Array(40).fill(0xaa));
    expect(machine.call("get_current_comm", machine.buffer, size)).toBe(0n);
    expect(machine.text(0)).toBe(name);
    expect(machine.take(name.length, size - name.length + 1)).toEqual(
      Uint8Array.from([...new Uint8Array(size - name.length), 0xaa]),
    );
  });

  it("has no name in other pid namespaces", () => {
    machine.put(0, new Uint8Array(8).fill(0xaa));
    expect(machine.call("get_ns_current_pid_tgid", 1, 2, machine.buffer, 8)).toBe(ERR.EINVAL);
    expect(machine.take(0, 8)).toEqual(new Uint8Array(8));
  });

  it.each([
    ["send_signal", 9, 0n],
    ["send_signal_thread", 64, 0n],
    ["send_signal", 65, ERR.EINVAL],
  ])("gets signals: %s %i answers %i (HLP-109)", (name, signal, answer) => {
    expect(machine.call(name, signal)).toBe(answer);
  });

  it("gets no signals when it is the kernel's own", () => {
    expect(fakeMachine().call("send_signal", 9)).toBe(ERR.EPERM);
  });

  it("keeps a return value for the length of a run (HLP-186, HLP-187)", () => {
    expect(machine.call("get_retval")).toBe(0n);
    expect(machine.call("set_retval", -13)).toBe(0n);
    expect(machine.call("get_retval")).toBe(-13n);
  });

  it("has a pointer that is no memory address", () => {
    expect(BigInt.asUintN(64, machine.call("get_current_task")) >> 32n).not.toBe(0n);
  });
});
