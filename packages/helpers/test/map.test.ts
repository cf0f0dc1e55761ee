import type { BpfMap } from "@tsbpf/plugin";
import { describe, expect, it, vi } from "vitest";
import { ERR, fakeMachine, fakeMap } from "./fake-machine.ts";

const at = (map: BpfMap) => map.address;

describe("map helpers", () => {
  it("hand keys, values, flags and CPU to the map", () => {
    const lookup = vi.fn(() => 0x4_0000);
    const update = vi.fn(() => -17);
    const remove = vi.fn(() => -2);
    const map = fakeMap("hash", { lookup, update, delete: remove });
    const machine = fakeMachine({ maps: [map] });
    expect(machine.call("map_lookup_elem", at(map), 100)).toBe(0x4_0000n);
    expect(lookup).toHaveBeenCalledWith(100, 1);
    expect(machine.call("map_update_elem", at(map), 100, 200, (5n << 32n) | 3n)).toBe(-17n);
    expect(update).toHaveBeenCalledWith(100, 200, 5 * 2 ** 32 + 3, 1);
    expect(machine.call("map_delete_elem", at(map), 100)).toBe(ERR.ENOENT);
    expect(remove).toHaveBeenCalledWith(100, 1);
  });

  it("give addresses above 2 GiB unsigned", () => {
    const map = fakeMap("hash", { lookup: () => 0xc000_0000 });
    expect(fakeMachine({ maps: [map] }).call("map_lookup_elem", at(map), 100)).toBe(0xc000_0000n);
  });

  it("trap on a register that holds no map", () => {
    const machine = fakeMachine();
    const trap = expect.objectContaining({ code: "RUN_MAP" });
    expect(() => machine.call("map_lookup_elem", 0x5000, 100)).toThrow(trap);
    expect(() => machine.call("map_lookup_elem", 1n << 40n, 100)).toThrow(trap);
  });

  it("push, pop and peek (HLP-87..89)", () => {
    const push = vi.fn(() => 0);
    const map = fakeMap("queue", { push, pop: () => -2, peek: () => 0 });
    const machine = fakeMachine({ maps: [map] });
    expect(machine.call("map_push_elem", at(map), 100, 2)).toBe(0n);
    expect(push).toHaveBeenCalledWith(100, 2);
    expect(machine.call("map_pop_elem", at(map), 100)).toBe(ERR.ENOENT);
    expect(machine.call("map_peek_elem", at(map), 100)).toBe(0n);
    const plain = fakeMap("hash");
    const other = fakeMachine({ maps: [plain] });
    for (const name of ["map_push_elem", "map_pop_elem", "map_peek_elem"]) {
      expect(other.call(name, at(plain), 100, 0)).toBe(ERR.EOPNOTSUPP);
    }
  });

  it("look up other CPUs' values, as far as there are CPUs (HLP-195)", () => {
    const map = fakeMap("percpu_array", { lookupPercpu: (_, cpu) => 1000 + cpu });
    const machine = fakeMachine({ maps: [map] });
    expect(machine.call("map_lookup_percpu_elem", at(map), 100, 3)).toBe(1003n);
    expect(machine.call("map_lookup_percpu_elem", at(map), 100, 4)).toBe(0n);
  });
});

describe("bpf_for_each_map_elem (HLP-164)", () => {
  const elements = [10, 20, 30];
  const map = fakeMap("hash", {
    forEach(visit) {
      let count = 0;
      for (const element of elements) {
        count++;
        if (!visit(element, element + 1)) break;
      }
      return count;
    },
  });

  it("passes map, key, value and context", () => {
    const seen: number[][] = [];
    const machine = fakeMachine({
      maps: [map],
      callBack: (lo, hi, args) => {
        seen.push([lo, hi, ...Array.from(args)]);
        return 0;
      },
    });
    expect(machine.call("for_each_map_elem", at(map), (7n << 32n) | 5n, 0x123n, 0)).toBe(3n);
    expect(seen[1]).toEqual([5, 7, at(map), 0, 20, 0, 21, 0, 0x123, 0]);
  });

  it("stops when the callback says so and counts the element", () => {
    const machine = fakeMachine({ maps: [map], callBack: () => 1 });
    expect(machine.call("for_each_map_elem", at(map), 5, 0, 0)).toBe(1n);
  });

  it.each([[1n], [1n << 40n]])("refuses flags %i", (flags) => {
    expect(fakeMachine({ maps: [map] }).call("for_each_map_elem", at(map), 5, 0, flags)).toBe(ERR.EINVAL);
  });
});

describe("bpf_loop (HLP-181)", () => {
  it("counts up and passes the context", () => {
    const seen: number[][] = [];
    const machine = fakeMachine({ callBack: (_lo, _hi, args) => seen.push(Array.from(args)) && 0 });
    expect(machine.call("loop", 3, 5, 0xabc, 0)).toBe(3n);
    expect(seen.map((args) => [args[0], args[2]])).toEqual([
      [0, 0xabc],
      [1, 0xabc],
      [2, 0xabc],
    ]);
  });

  it("counts the iteration that stops it", () => {
    const machine = fakeMachine({ callBack: (_lo, _hi, args) => (args[0] === 4 ? 1 : 0) });
    expect(machine.call("loop", 100, 5, 0, 0)).toBe(5n);
  });

  it.each([
    [0, 0, 0n],
    [8_388_609, 0, ERR.E2BIG],
    [1, 1, ERR.EINVAL],
  ])("answers %i loops with flags %i by %i", (count, flags, answer) => {
    expect(fakeMachine().call("loop", count, 5, 0, flags)).toBe(answer);
  });
});

describe("storage helpers (HLP-107, HLP-108)", () => {
  it("create values on demand, once", () => {
    const values = new Map<bigint, number>();
    const machine: ReturnType<typeof fakeMachine> = fakeMachine({
      maps: [
        fakeMap("task_storage", {
          storage: {
            valueFor: (id, create) => {
              if (!values.has(id) && create) values.set(id, machine.buffer + 512);
              return values.get(id) ?? 0;
            },
            removeValue: (id) => (values.delete(id) ? 0 : -2),
          },
        }),
      ],
    });
    const map = 0x1_0000;
    const initial = machine.put(0, "12345678");
    expect(machine.call("task_storage_get", map, 77, 0, 0)).toBe(0n);
    expect(machine.call("task_storage_get", map, 77, initial, 2)).toBe(0n);
    expect(machine.call("task_storage_get", map, 0, initial, 1)).toBe(0n);
    expect(machine.call("task_storage_get", map, 77, initial, 1)).toBe(BigInt(machine.buffer + 512));
    expect(machine.text(512)).toBe("12345678");
    expect(machine.call("task_storage_delete", map, 77)).toBe(0n);
    expect(machine.call("task_storage_delete", map, 77)).toBe(ERR.ENOENT);
    expect(machine.call("task_storage_delete", map, 0)).toBe(ERR.EINVAL);
  });

  it("exchange pointers (HLP-194)", () => {
    const machine = fakeMachine();
    expect(machine.call("kptr_xchg", machine.buffer, 0x1234_5678_9abcn)).toBe(0n);
    expect(machine.call("kptr_xchg", machine.buffer, 0)).toBe(0x1234_5678_9abcn);
  });
});

describe("locks (HLP-93)", () => {
  it("can be taken again once given back, and trap otherwise", () => {
    const machine = fakeMachine();
    machine.call("spin_lock", machine.buffer);
    expect(machine.take(0, 4)[0]).toBe(1);
    expect(() => machine.call("spin_lock", machine.buffer)).toThrow(
      expect.objectContaining({ code: "RUN_DEADLOCK" }),
    );
    machine.call("spin_unlock", machine.buffer);
    machine.call("spin_lock", machine.buffer);
  });
});

it("tail calls that fail go on with -1 (HLP-12)", () => {
  expect(fakeMachine().call("tail_call", 0, 0, 0)).toBe(-1n);
});
