import { readdirSync, readFileSync } from "node:fs";
import type { MapSpec, ProgTypeName } from "@tsbpf/abi";
import { makeInsn } from "@tsbpf/isa";
import { walkCapture } from "@tsbpf/trace";
import { createVm, LiveObject, type Prog, type Vm } from "@tsbpf/vm";
import { describe, expect, it } from "vitest";
import { Random } from "../../fuzz/src/random.ts";
import { randomProg } from "../../fuzz/src/random-prog.ts";
import { verifierCase } from "../../fuzz/src/verifier-prog.ts";
import { SoundnessOracle } from "../src/index.ts";

/** More: `SOUND_PROGS=10000 SOUND_SEED=1 SOUND_STEP=1 npx vitest run --project tooling tooling/testkit/test/soundness`. */
const COUNT = Number(process.env.SOUND_PROGS ?? 40);
const FIRST_SEED = Number(process.env.SOUND_SEED ?? 1);
/** Every how manieth packet of the capture runs. */
const STEP = Number(process.env.SOUND_STEP ?? 97);

const load = (vm: Vm, source: string): Prog => vm.load(source, { verify: "off" });

/** Runs a program that differs from the verified one in the given slots. */
function runChanged(source: string, changes: Readonly<Record<number, ReturnType<typeof makeInsn>>>) {
  const vm = createVm();
  const { linked } = load(vm, source);
  const insns = linked.insns.map((insn, slot) => changes[slot] ?? insn);
  const oracle = new SoundnessOracle();
  oracle.run(vm, { linked: { ...linked, insns } }, [{ packet: new Uint8Array(64) }]);
  return oracle.violations;
}

describe("the soundness oracle finds", () => {
  it("a scalar outside its range (S-5)", () => {
    const [first] = runChanged("r6 = 5\nr0 = r6\nexit", { 0: makeInsn(0xb7, { dst: 6, imm: 6 }) });
    expect(first).toMatchObject({ slot: 1, what: "outside" });
    expect(first?.text).toContain("r6 is 0x6, known as 5");
  });

  it("a scalar outside its known bits", () => {
    const source = "call bpf_get_prandom_u32\nr0 &= 6\nr6 = r0\nr0 = 0\nexit";
    expect(runChanged(source, {})).toEqual([]);
    const [first] = runChanged(source, { 1: makeInsn(0xb7, { dst: 0, imm: 1 }) });
    expect(first).toMatchObject({ slot: 2, what: "outside" });
  });

  it("a stack slot that holds something else, and a zero that is none (S-30)", () => {
    const store = (imm: number) => makeInsn(0x7a, { dst: 10, off: -8, imm });
    const [spill] = runChanged("*(u64 *)(r10 - 8) = 7\nr0 = 0\nexit", { 0: store(8) });
    expect(spill?.text).toContain("fp-8 is 0x8");
    const [zero] = runChanged("*(u64 *)(r10 - 8) = 0\nr0 = 0\nexit", { 0: store(1) });
    expect(zero?.text).toContain("fp-8 is 0x1");
  });

  it("a pointer of another kind, and one at another offset", () => {
    const [kind] = runChanged("r2 = r10\nr0 = 0\nexit", { 0: makeInsn(0xbf, { dst: 2, src: 1 }) });
    expect(kind?.text).toContain("known as fp0");
    const [offset] = runChanged("r2 = r10\nr2 += -8\nr0 = 0\nexit", {
      1: makeInsn(0x07, { dst: 2, imm: -16 }),
    });
    expect(offset?.text).toContain("known as fp-8");
  });

  it("a packet pointer with less behind it than was checked (S-171)", () => {
    const source = `
      r2 = *(u32 *)(r1 + 0)
      r3 = *(u32 *)(r1 + 4)
      r4 = r2
      r4 += 14
      if r4 > r3 goto out
      r0 = *(u8 *)(r2 + 13)
    out:
      r0 = 0
      exit`;
    expect(runChanged(source, {})).toEqual([]);
    const [first] = runChanged(source, { 3: makeInsn(0x07, { dst: 4, imm: 70 }) });
    expect(first).toMatchObject({ what: "outside" });
  });

  it("a register of a caller's frame that its callee changed", () => {
    const source = "r6 = 1\ncall f\nr0 = r6\nexit\nf:\nr0 = 0\nexit";
    expect(runChanged(source, {})).toEqual([]);
    const [first] = runChanged(source, { 0: makeInsn(0xb7, { dst: 6, imm: 2 }) });
    expect(first?.text).toContain("frame 0 r6");
  });

  it("a slot that was never walked, and a trap", () => {
    const source = "r0 = 0\nif r0 == 0 goto out\nr0 = 1\nout:\nexit";
    const [walked] = runChanged(source, { 1: makeInsn(0x55, { dst: 0, imm: 0 }) });
    expect(walked).toMatchObject({ slot: 2, what: "never walked" });
    const [trap] = runChanged("r2 = *(u64 *)(r10 - 8)\nr0 = 0\nexit", {
      0: makeInsn(0x79, { dst: 2, src: 10, off: 8 }),
    });
    expect(trap).toMatchObject({ slot: 0, what: "trap" });
  });
});

const samples = new URL("../../../samples/", import.meta.url);
const read = (path: string) => new Uint8Array(readFileSync(new URL(path, samples)));
const packets = [...walkCapture(read("captures/lab.pcap"))]
  .filter((_record, idx) => idx % STEP === 0)
  .map((record) => ({ packet: record.data.slice() }));
const objects = readdirSync(samples, { recursive: true, encoding: "utf8" }).filter(
  // The other builds of the same sources walk more instructions, or the same.
  (path) => path.endsWith(".bpf.o") && (STEP === 1 || !/\.(v\d|be)\.bpf\.o$|crc/.test(path)),
);

describe("runs stay inside the verifier's states", () => {
  it.each(objects)("samples/%s over packets of a capture", (path) => {
    const vm = createVm({ cpuCount: 2 });
    const object = new LiveObject(vm, vm.readSource(read(path), { name: path }), {});
    const oracle = new SoundnessOracle();
    for (const { name } of object.spec.progs) oracle.run(vm, object.prog(name), packets);
    expect(oracle.violations).toEqual([]);
    expect(oracle.stepCount).toBeGreaterThan(0);
    expect([...oracle.skipped.values()].filter((why) => !why.startsWith("LIMIT_INSNS"))).toEqual([]);
  });

  it("of random programs that the verifier accepts", () => {
    let ranCount = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + COUNT; seed++) {
      const { text, prog_type } = verifierCase(seed);
      const vm = createVm(SMALL);
      for (const map of VERIFIER_MAPS) vm.createMap(map.name, map);
      const prog = tryLoad(vm, text, prog_type as ProgTypeName);
      if (prog === undefined) continue;
      const oracle = new SoundnessOracle(RANDOM_LIMITS);
      const inputs = prog_type === "tracepoint" ? [{}] : randomPackets(seed);
      if (oracle.run(vm, prog, inputs)) ranCount++;
      expect(oracle.violations, `seed ${seed}`).toEqual([]);
    }
    expect(ranCount).toBeGreaterThan(COUNT / 5);
  });

  it("of random programs that keep the rules of the engines", () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + 2 * COUNT; seed++) {
      const vm = createVm(SMALL);
      for (const map of ENGINE_MAPS) vm.createMap(map.name, map);
      const progType = seed % 5 === 0 ? "socket_filter" : "xdp";
      const source = randomProg({ seed, maps: ENGINE_MAPS, progType, isSafe: seed % 2 === 0 });
      const prog = vm.load(source, { verify: "off" });
      vm.maps.get("pa")?.progSlots?.setProg(1, prog.engineProg);
      const oracle = new SoundnessOracle(RANDOM_LIMITS);
      oracle.run(vm, prog, randomPackets(seed));
      expect(oracle.violations, `seed ${seed}`).toEqual([]);
    }
  });
});

const SMALL = { memory: { initialBytes: 1 << 18 }, maxPacketBytes: 2048 };
const RANDOM_LIMITS = { insnLimit: 20_000, budget: 5_000 };

/** The maps that both generators name. */
const mapOf = (name: string, type: "array" | "hash" | "prog_array", sizes: readonly number[]): MapSpec => {
  const [keyBytes = 4, valueBytes = 8, maxEntries = 4, flags = 0] = sizes;
  return { name, type, keyBytes, valueBytes, maxEntries, flags };
};
const VERIFIER_MAPS = [
  mapOf("arr", "array", [4, 48, 4]),
  mapOf("hash", "hash", [8, 16, 4]),
  mapOf("ro", "array", [4, 32, 2, 0x80]),
];
const ENGINE_MAPS = [
  mapOf("arr", "array", [4, 8, 4]),
  mapOf("h", "hash", [4, 8, 4]),
  mapOf("pa", "prog_array", [4, 4, 3]),
];

/** Programs that do not link cannot run; the verifier's tests judge them. */
function tryLoad(vm: Vm, source: string, progType: ProgTypeName): Prog | undefined {
  try {
    return vm.load(source, { progType, verify: "off" });
  } catch (thrown) {
    if (/frame pointer is read only/.test((thrown as Error).message)) return undefined;
    throw thrown;
  }
}

function randomPackets(seed: number) {
  const random = new Random(seed);
  return Array.from({ length: 3 }, () => ({
    packet: Uint8Array.from({ length: random.range(14, 90) }, () => random.below(256)),
  }));
}
