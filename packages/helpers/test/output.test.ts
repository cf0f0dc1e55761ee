import { RING_RECORD } from "@tsbpf/abi";
import type { RingBuffer } from "@tsbpf/plugin";
import { describe, expect, it } from "vitest";
import { ERR, fakeMachine, fakeMap, range } from "./fake-machine.ts";

const CURRENT_CPU = 0xffff_ffffn;

describe("bpf_perf_event_output (HLP-25)", () => {
  const perf = fakeMap("perf_event_array");
  const emit = (flags: bigint, readers: "all" | "slots" = "all", progType: "xdp" | "kprobe" = "xdp") => {
    const slots = fakeMap("perf_event_array", {
      hostSlots: { objectAt: (index) => (index === 1 ? {} : undefined), setObject: () => 0 },
    });
    const machine = fakeMachine({
      progType,
      packet: range(64),
      maps: [slots],
      services: { perfReaders: readers },
    });
    machine.put(0, "payload!");
    const answer = machine.call(
      "perf_event_output",
      machine.env.ctxAddress,
      slots.address,
      flags,
      machine.buffer,
      8,
    );
    return { answer, effects: machine.effects };
  };

  it("records data, then packet bytes", () => {
    const { answer, effects } = emit((3n << 32n) | CURRENT_CPU);
    expect(answer).toBe(0n);
    const data = Uint8Array.from([...Buffer.from("payload!"), 0, 1, 2]);
    expect(effects).toEqual([{ kind: "perf_event", map: perf.spec.name, cpu: 1, data }]);
  });

  it.each([
    [1n, 0n],
    [4n, ERR.E2BIG],
    [0x8000_0000n, ERR.E2BIG],
    [0n, ERR.EOPNOTSUPP],
    [(64n << 32n) | CURRENT_CPU, 0n],
    [(65n << 32n) | CURRENT_CPU, ERR.EFAULT],
    [1n << 52n, ERR.EINVAL],
  ])("answers flags %i by %i", (flags, answer) => {
    expect(emit(flags).answer).toBe(answer);
  });

  it("knows only the slots that are read when told so", () => {
    expect(emit(1n, "slots").answer).toBe(0n);
    expect(emit(0n, "slots").answer).toBe(ERR.ENOENT);
  });

  it("takes no packet length from programs without packets", () => {
    expect(emit((1n << 32n) | CURRENT_CPU, "all", "kprobe").answer).toBe(ERR.EINVAL);
    expect(emit(CURRENT_CPU, "all", "kprobe").answer).toBe(0n);
  });
});

/** A ring that gives out one record after another and never gets full. */
function fakeRing(machine: () => ReturnType<typeof fakeMachine>) {
  const log: string[] = [];
  let next = 1024;
  const ring: RingBuffer = {
    reserve(size, flags) {
      if (flags !== 0 || size > 1000) return 0;
      const record = machine().buffer + next + 8;
      next += size + 8;
      machine().memory.view.setUint32(record + RING_RECORD.length, 0x8000_0000 + size, true);
      machine().memory.view.setUint32(record + RING_RECORD.owner, 0x1_0000, true);
      return record;
    },
    submit: (_address, flags) => log.push(`submit ${flags}`) * 0,
    discard: (_address, flags) => log.push(`discard ${flags}`) * 0,
    output: (_address, size, flags) => (flags > 3 ? -22 : size > 1000 ? -11 : 0),
    query: (what) => (what === 1 ? 4096 : what === 3 ? 2 ** 33 + 8 : 0),
    consume: () => 0,
  };
  return { ring, log };
}

describe("ring buffers (HLP-130..134)", () => {
  const setUp = () => {
    const { ring, log } = fakeRing(() => machine);
    const machine: ReturnType<typeof fakeMachine> = fakeMachine({ maps: [fakeMap("ringbuf", { ring })] });
    return { machine, log, map: 0x1_0000 };
  };

  it("reserve, submit and discard records", () => {
    const { machine, log, map } = setUp();
    const first = Number(machine.call("ringbuf_reserve", map, 8, 0));
    const second = Number(machine.call("ringbuf_reserve", map, 4, 0));
    machine.memory.u8.set(Buffer.from("recorded"), first);
    machine.memory.u8.set(Buffer.from("gone"), second);
    machine.call("ringbuf_submit", first, 1);
    machine.call("ringbuf_discard", second, 2);
    expect(log).toEqual(["submit 1", "discard 2"]);
    expect(machine.effects).toEqual([
      {
        kind: "ringbuf",
        map: "a_ringbuf",
        data: Uint8Array.from(Buffer.from("recorded")),
        isDiscarded: false,
      },
      { kind: "ringbuf", map: "a_ringbuf", data: Uint8Array.from(Buffer.from("gone")), isDiscarded: true },
    ]);
  });

  it.each([
    [1001, 0],
    [8, 1],
    [1n << 32n, 0],
  ])("cannot reserve %i bytes with flags %i", (size, flags) => {
    const { machine, map } = setUp();
    expect(machine.call("ringbuf_reserve", map, size, flags)).toBe(0n);
  });

  it.each([[0], [5], [4096]])("leave address %i alone when it is no record", (address) => {
    const { machine, log } = setUp();
    machine.call("ringbuf_submit", address, 0);
    expect([log, machine.effects]).toEqual([[], []]);
  });

  it.each([
    [8, 0n, 0n],
    [8, 4n, ERR.EINVAL],
    [8, 1n << 40n, ERR.EINVAL],
    [1001, 0n, ERR.EAGAIN],
  ])("answer %i bytes with flags %i by %i", (size, flags, answer) => {
    const { machine, map } = setUp();
    expect(machine.call("ringbuf_output", map, machine.put(0, "12345678"), size, flags)).toBe(answer);
    expect(machine.effects.length).toBe(answer === 0n ? 1 : 0);
  });

  it("answer questions with 64 bits", () => {
    const { machine, map } = setUp();
    expect([1, 3, 9].map((what) => machine.call("ringbuf_query", map, what))).toEqual([
      4096n,
      8_589_934_600n,
      0n,
    ]);
  });
});

describe("dynptrs (HLP-197..203)", () => {
  it("bound what they point to", () => {
    const machine = fakeMachine();
    const data = machine.put(0, "abcdefgh");
    const at = machine.buffer + 512;
    const to = machine.buffer + 600;
    expect(machine.call("dynptr_from_mem", data, 8, 0, at)).toBe(0n);
    expect(machine.call("dynptr_read", to, 4, at, 4, 0)).toBe(0n);
    expect(machine.text(600)).toBe("efgh");
    expect(machine.call("dynptr_read", to, 4, at, 5, 0)).toBe(ERR.E2BIG);
    expect(machine.call("dynptr_read", to, 4, at, 0, 1)).toBe(ERR.EINVAL);
    expect(machine.call("dynptr_write", at, 6, machine.put(700, "XY"), 2, 0)).toBe(0n);
    expect(machine.text(0)).toBe("abcdefXY");
    expect(machine.call("dynptr_write", at, 7, machine.buffer + 700, 2, 1)).toBe(ERR.E2BIG);
    expect(machine.call("dynptr_write", at, 6, machine.buffer + 700, 2, 1)).toBe(ERR.EINVAL);
    expect(machine.call("dynptr_data", at, 4, 4)).toBe(BigInt(data + 4));
    expect(machine.call("dynptr_data", at, 4, 5)).toBe(0n);
  });

  it.each([
    [0x100_0000, 0, ERR.E2BIG],
    [0xff_ffff, 0, 0n],
    [8, 1, ERR.EINVAL],
  ])("of %i bytes with flags %i answer %i and are null on failure", (size, flags, answer) => {
    const machine = fakeMachine();
    const at = machine.buffer + 512;
    expect(machine.call("dynptr_from_mem", machine.buffer, size, flags, at)).toBe(answer);
    if (answer !== 0n) {
      expect(machine.call("dynptr_data", at, 0, 1)).toBe(0n);
      expect(machine.call("dynptr_read", machine.buffer, 1, at, 0, 0)).toBe(ERR.EINVAL);
    }
  });

  it("hold ring buffer records", () => {
    const { ring, log } = fakeRing(() => machine);
    const machine: ReturnType<typeof fakeMachine> = fakeMachine({ maps: [fakeMap("ringbuf", { ring })] });
    const at = machine.buffer + 512;
    expect(machine.call("ringbuf_reserve_dynptr", 0x1_0000, 4, 0, at)).toBe(0n);
    expect(machine.call("dynptr_write", at, 0, machine.put(0, "data"), 4, 0)).toBe(0n);
    machine.call("ringbuf_submit_dynptr", at, 0);
    expect(machine.effects).toMatchObject([{ kind: "ringbuf", data: Uint8Array.from(Buffer.from("data")) }]);
    machine.call("ringbuf_submit_dynptr", at, 0);
    expect(log).toEqual(["submit 0"]);
    expect(machine.call("ringbuf_reserve_dynptr", 0x1_0000, 2000, 0, at)).toBe(ERR.EINVAL);
    expect(machine.call("ringbuf_reserve_dynptr", 0x1_0000, 8, 1, at)).toBe(ERR.EINVAL);
    expect(machine.call("ringbuf_reserve_dynptr", 0x1_0000, 0x100_0000, 0, at)).toBe(ERR.E2BIG);
    machine.call("ringbuf_discard_dynptr", at, 0);
    expect(log).toEqual(["submit 0"]);
  });

  it("show what user space produced (HLP-209)", () => {
    const seen: string[] = [];
    const machine: ReturnType<typeof fakeMachine> = fakeMachine({
      maps: [
        fakeMap("user_ringbuf", {
          userRing: {
            produce: () => 0,
            drain: (visit) => {
              let count = 0;
              for (const text of ["one", "two", "six"]) {
                count++;
                if (!visit(machine.put(100, text), 3)) break;
              }
              return count;
            },
          },
        }),
      ],
      callBack: (_lo, _hi, args) => {
        expect(machine.call("dynptr_read", machine.buffer, 3, args[0]!, 0, 0)).toBe(0n);
        expect(machine.call("dynptr_write", args[0]!, 0, machine.buffer, 3, 0)).toBe(ERR.EINVAL);
        seen.push(Buffer.from(machine.take(0, 3)).toString());
        return seen.length === 2 ? 1 : 0;
      },
    });
    expect(machine.call("user_ringbuf_drain", 0x1_0000, 5, 0, 0)).toBe(2n);
    expect(seen).toEqual(["one", "two"]);
    expect(machine.call("user_ringbuf_drain", 0x1_0000, 5, 0, 4)).toBe(ERR.EINVAL);
  });
});
