import { describe, expect, it, vi } from "vitest";
import { createVm, type SharedVm, type Vm, type VmOptions } from "../src/index.ts";

const COUNT = `
  r6 = 0
  *(u32 *)(r10 - 4) = r6
  r2 = r10
  r2 += -4
  r1 = map[hits]
  call map_lookup_elem
  if r0 == 0 goto out
  r1 = 1
  lock *(u64 *)(r0 + 0) += r1
  call get_smp_processor_id
  exit
out:
  r0 = 99
  exit`;

const maps = {
  hits: { type: "array", valueSize: 8, maxEntries: 1 },
  own: { type: "percpu_hash", keySize: 4, valueSize: 8, maxEntries: 10 },
} as const;
const options = (more: VmOptions): VmOptions => ({ maps, cpuCount: 2, ...more });
const load = (vm: Vm, engine: "interpreter" | "jit") => vm.load(COUNT, { engine });

describe("a VM that threads share", () => {
  const make = () => {
    const vm = createVm(options({ memory: { isShared: true } }));
    load(vm, "jit");
    return { vm, shared: vm.share(2) };
  };
  const join = (shared: SharedVm, thread: number, engine: "interpreter" | "jit") => {
    const vm = createVm(options({ memory: { joins: shared.memory } }));
    const prog = load(vm, engine);
    vm.enter(shared, thread);
    return prog;
  };

  it("runs programs on both CPUs over one set of maps, on either engine", () => {
    const { vm, shared } = make();
    const first = join(shared, 0, "jit");
    const second = join(shared, 1, "interpreter");
    const packet = new Uint8Array(64);
    for (let i = 0; i < 10; i++) {
      expect(first.run({ packet }, { cpu: 0 }).retval).toBe(0);
      expect(second.run({ packet }, { cpu: 1 }).retval).toBe(1);
      expect(first.executePacket(packet, 0)).toBe(0);
    }
    expect(vm.maps.get("hits")?.get(new Uint8Array(4))).toEqual(
      new Uint8Array(new BigUint64Array([30n]).buffer),
    );
  });

  it("says which map came out elsewhere", () => {
    const { shared } = make();
    const other = createVm({ maps: { own: maps.own, hits: maps.hits }, memory: { joins: shared.memory } });
    expect(() => other.enter(shared, 0)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_SHARED_LAYOUT", message: expect.stringMatching(/hits/) }),
    );
    expect(() => createVm({ memory: { joins: shared.memory } }).enter(shared, 0)).toThrow(/hits/);
  });

  it("makes no maps once it is shared, and none that threads cannot share", () => {
    const { vm } = make();
    const refused = expect.objectContaining({ code: "UNSUPPORTED_SHARED_MAP" });
    expect(() => vm.createMap("late", { type: "array", valueSize: 8 })).toThrow(refused);
    const hash = vm.registry.mapType("hash");
    const alone = { ...hash, sharing: undefined };
    const bare = { type: hash.type, summary: alone.summary, source: alone.source, check: alone.check };
    const strict = createVm({
      mapTypes: [{ ...bare, create: (spec, host) => hash.create(spec, host) }],
      memory: { isShared: true },
    });
    expect(() => strict.createMap("m", { type: "hash", keySize: 4, valueSize: 8 })).toThrow(refused);
  });

  it("refuses a map type that locks slots which refer to objects of one thread", () => {
    const { vm } = make();
    const table = vm.registry.mapType("prog_array");
    const locking = createVm({
      mapTypes: [{ ...table, sharing: "locked", create: (spec, host) => table.create(spec, host) }],
      memory: { isShared: true },
    });
    expect(() => locking.createMap("table", { type: "prog_array", valueSize: 4 })).toThrow(/must be "fixed"/);
  });

  it("ends an update that waits in vain for the lock in a value alike on both engines", () => {
    const spec = {
      name: "locked",
      type: "array",
      keyBytes: 4,
      valueBytes: 8,
      maxEntries: 1,
      flags: 0,
      valueFields: [{ kind: "bpf_spin_lock", offset: 0, sizeBytes: 4 }],
    } as const;
    const text = `
      r0 = 0
      *(u32 *)(r10 - 4) = r0
      *(u64 *)(r10 - 16) = r0
      r1 = map[locked]
      r2 = r10
      r2 += -4
      r3 = r10
      r3 += -16
      r4 = 4
      call map_update_elem
      exit`;
    const wait = vi.spyOn(Atomics, "wait").mockReturnValue("timed-out");
    const ends = (["interpreter", "jit"] as const).map((engine) => {
      const vm = createVm({ memory: { isShared: true } });
      const map = vm.createMap("locked", spec);
      map.set(new Uint8Array(4), new Uint8Array(8));
      const key = vm.memory.allocRaw(4, 4);
      const prog = vm.load(text, { engine, verify: "off" });
      vm.memory.view.setUint32(map.lookup(key, 0), 1, true);
      const { trap, insnCount } = prog.run({ packet: new Uint8Array(64) });
      return [trap?.code, trap?.details.slot, insnCount];
    });
    wait.mockRestore();
    expect(ends[0]).toEqual(["RUN_DEADLOCK", 10, 10]);
    expect(ends[1]).toEqual(ends[0]);
  });

  it("gives each CPU services of its own where options say so", () => {
    const vm = createVm({
      cpuCount: 2,
      servicesOf: (cpu) => ({ random: { u32: () => cpu + 100 } }),
    });
    const prog = vm.load("call get_prandom_u32\nexit", { progType: "xdp" });
    expect(prog.run({ packet: new Uint8Array(64) }, { cpu: 1 }).retval).toBe(101);
    expect(prog.run({ packet: new Uint8Array(64) }).retval).toBe(100);
  });
});
