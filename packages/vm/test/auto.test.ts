import { describe, expect, it } from "vitest";
import { createVm, type EngineName, type Prog, type Vm } from "../src/index.ts";

const maps = {
  hits: { type: "array", valueSize: 8, maxEntries: 1 },
  own: { type: "percpu_array", valueSize: 8, maxEntries: 1 },
  progs: { type: "prog_array", valueSize: 4, maxEntries: 2 },
} as const;

const count = (map: string, label: string): string => `
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[${map}]
  call map_lookup_elem
  if r0 == 0 goto ${label}
  r1 = *(u64 *)(r0 + 0)
  r1 += 1
  *(u64 *)(r0 + 0) = r1
${label}:`;

/** Counts in maps, asks for random numbers, and is so large that the interpreter begins. */
function source(links: number): string {
  const lines = [
    "r6 = *(u32 *)(r1 + 12)",
    count("hits", "a"),
    count("own", "b"),
    "call get_prandom_u32",
    "r7 = r0",
  ];
  for (let i = 0; i < links; i++) lines.push(`if r6 == ${i + 1} goto s${i}`, `r7 += ${i & 0xff}`, `s${i}:`);
  return [...lines, "r0 = r7", "exit"].join("\n");
}

const LARGE = source(6000);
const make = (): Vm => createVm({ maps, cpuCount: 2 });
// Without the verifier, which would take most of the time: the engines are told nothing, and run with checks.
const load = (vm: Vm, engine: EngineName, text = LARGE): Prog =>
  vm.load(text, { engine, name: engine, verify: "off" });

function outcome(vm: Vm, prog: Prog, cpu: number): unknown {
  const { retval, insnCount, trap } = prog.run({ packet: new Uint8Array(64) }, { cpu });
  const key = new Uint8Array(4);
  return { retval, insnCount, trap, hits: vm.maps.get("hits")?.get(key), own: vm.maps.get("own")?.get(key) };
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

describe("the engine auto", () => {
  it("runs small programs in the jit from the first run on", () => {
    const prog = load(make(), "auto", "r0 = 2\nexit");
    expect(prog.run({ packet: new Uint8Array(64) }).retval).toBe(2);
    expect(prog.engineProg.engine).toBe("jit");
    expect(prog.compiling).toBeUndefined();
    expect(prog.compileReports).toMatchObject([{ slotCount: 2 }]);
  });

  it("begins large ones in the interpreter, goes on in the jit, and gives the results of either", async () => {
    const [vm, reference] = [make(), make()];
    const [prog, other] = [load(vm, "auto"), load(reference, "interpreter")];
    expect(prog.engineProg.engine).toBe("interpreter");
    expect(prog.compiling).toEqual({ state: "waiting" });
    let switchedAt = -1;
    for (let i = 0; i < 2000 && (switchedAt < 0 || i < switchedAt + 6); i++) {
      expect(outcome(vm, prog, i % 2)).toEqual(outcome(reference, other, i % 2));
      await pause();
      if (switchedAt < 0 && prog.engineProg.engine === "jit") switchedAt = i;
    }
    expect(switchedAt).toBeGreaterThan(0);
    expect(prog.compiling).toEqual({ state: "done" });
    expect(prog.compileReports[0]).toMatchObject({ prog: "auto", isReused: false });
  });

  it("leaves callers that never let go of the thread with the interpreter, and right results", () => {
    const [vm, reference] = [make(), make()];
    const [prog, other] = [load(vm, "auto"), load(reference, "jit")];
    for (let i = 0; i < 5; i++) expect(outcome(vm, prog, 0)).toEqual(outcome(reference, other, 0));
    expect(prog.engineProg.engine).toBe("interpreter");
    expect(prog.compiling).toEqual({ state: "compiling" });
  });

  it("can be waited for, before any run and by several", async () => {
    const prog = load(make(), "auto");
    await Promise.all([prog.untilCompiled(), prog.untilCompiled()]);
    expect(prog.engineProg.engine).toBe("jit");
    expect(prog.run({ packet: new Uint8Array(64) }).trap).toBeUndefined();
    expect(prog.compileReports.length).toBeGreaterThan(0);
  });

  it("changes the engine of packets that are replayed", async () => {
    const [prog, other] = [load(make(), "auto"), load(make(), "interpreter")];
    const packet = new Uint8Array(64);
    for (let i = 0; i < 3; i++) expect(prog.executePacket(packet)).toBe(other.executePacket(packet));
    await prog.untilCompiled();
    expect(prog.engineProg.engine).toBe("jit");
    for (let i = 0; i < 3; i++) expect(prog.executePacket(packet)).toBe(other.executePacket(packet));
    expect(prog.machine().insnCount).toBe(other.machine().insnCount);
  });

  it("changes what tail calls reach", async () => {
    const vm = make();
    const target = load(vm, "auto");
    const text = "r2 = map[progs]\nr3 = 0\ncall tail_call\nr0 = 7\nexit";
    const caller = load(vm, "jit", text);
    vm.maps.get("progs")?.progSlots?.setProg(0, target);
    const before = outcome(vm, caller, 0) as { insnCount: number };
    await target.untilCompiled();
    const after = outcome(vm, caller, 0) as { insnCount: number };
    expect(target.engineProg.engine).toBe("jit");
    expect(after.insnCount).toBe(before.insnCount);
  });

  it("keeps runs whose hooks listen to steps with the interpreter", async () => {
    const prog = load(make(), "auto", "r0 = 2\nexit");
    let steps = 0;
    prog.run({ packet: new Uint8Array(64) }, { hooks: { onStep: () => void steps++ } });
    expect(steps).toBe(2);
  });

  it("goes on in the interpreter with what the jit refuses", async () => {
    const lines = Array.from({ length: 400_001 }, () => "r0 = 1");
    const prog = load(make(), "auto", [...lines, "exit"].join("\n"));
    await prog.untilCompiled();
    expect(prog.compiling).toMatchObject({ state: "refused", reason: { code: "UNSUPPORTED_JIT_SIZE" } });
    expect(prog.run({ packet: new Uint8Array(64) }).retval).toBe(1);
  });
});

describe("compiled modules", () => {
  it("serve equal programs of VMs that are made alike, and no others", () => {
    const run = (text: string): Prog => {
      const prog = load(make(), "jit", text);
      prog.run({ packet: new Uint8Array(64) });
      return prog;
    };
    const text = source(3);
    const first = run(text);
    const second = run(text);
    const other = run(source(4));
    expect(first.compileReports).toMatchObject([{ isReused: false }]);
    expect(second.compileReports).toMatchObject([{ isReused: true }]);
    expect(other.compileReports).toMatchObject([{ isReused: false }]);
  });
});
