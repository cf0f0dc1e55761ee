import type { MapSpec } from "@tsbpf/abi";
import { canRunBatch, PACKET_DESC, runBatch } from "@tsbpf/jit";
import { describe, expect, it } from "vitest";
import { Random } from "../../../tooling/fuzz/src/random.ts";
import { randomProg } from "../../../tooling/fuzz/src/random-prog.ts";
import { createVm, type EngineName, type Prog, type Vm } from "../src/index.ts";

const MAPS: readonly MapSpec[] = [
  { name: "arr", type: "array", keyBytes: 4, valueBytes: 8, maxEntries: 4, flags: 0 },
  { name: "h", type: "hash", keyBytes: 4, valueBytes: 8, maxEntries: 4, flags: 0 },
  { name: "pa", type: "prog_array", keyBytes: 4, valueBytes: 4, maxEntries: 3, flags: 0 },
];
const BATCH_MAX = 16;
/** Where `xdp_md` has what descriptors say. */
const IFINDEX = 12;
const RX_QUEUE = 16;

interface Outcome {
  readonly retval: number | undefined;
  readonly insnCount: number;
  readonly trap: string | undefined;
}

interface Case {
  readonly source: Parameters<Vm["load"]>[0];
  readonly packet: Uint8Array;
  /** Lengths of the packets; all of them begin at the same place, so that addresses are those of single runs. */
  readonly lengths: readonly number[];
  readonly budget: number;
}

interface Ready {
  readonly vm: Vm;
  readonly prog: Prog;
  readonly descAddress: number;
}

function prepare({ source, packet }: Case, engine: EngineName): Ready {
  const vm = createVm();
  for (const map of MAPS) vm.createMap(map.name, map);
  const prog = vm.load(source, { engine, progType: "xdp", verify: "off" });
  const descAddress = vm.memory.allocRaw(BATCH_MAX * PACKET_DESC.bytes, 64);
  prog.context().load({ packet });
  return { vm, prog, descAddress };
}

function runEach({ prog }: Ready, { lengths, budget }: Case): Outcome[] {
  const buffer = prog.context().packet;
  return lengths.map((bytes) => {
    const start = buffer?.dataStart ?? 0;
    buffer?.setBounds(start, start + bytes);
    const { retval, insnCount, trap } = prog.runAgain({ budget });
    return {
      retval: trap === undefined ? retval : undefined,
      insnCount,
      trap: trap && `${trap.code} ${trap.message}`,
    };
  });
}

/** Runs the batch; undefined when the program cannot. */
function runTogether({ vm, prog, descAddress }: Ready, { lengths, budget }: Case): Outcome[] | undefined {
  const machine = prog.machine();
  if (!canRunBatch(prog.engineProg, machine, budget)) return undefined;
  const context = prog.context();
  const { packet } = context;
  const { view, regions } = vm.memory;
  const data = packet?.dataStart ?? 0;
  // The descriptors' packets lie where the packet of single runs does.
  regions.remove(packet?.start ?? 0);
  for (const [i, bytes] of lengths.entries()) {
    const at = descAddress + i * PACKET_DESC.bytes;
    view.setUint32(at + PACKET_DESC.data, data, true);
    view.setUint32(at + PACKET_DESC.dataEnd, data + bytes, true);
    view.setUint32(at + PACKET_DESC.dataMeta, data, true);
    view.setUint32(at + PACKET_DESC.ifindex, view.getUint32(context.address + IFINDEX, true), true);
    view.setUint32(at + PACKET_DESC.rxQueue, view.getUint32(context.address + RX_QUEUE, true), true);
  }
  const traps: (string | undefined)[] = [];
  runBatch(prog.engineProg, {
    machine,
    ctxAddress: context.address,
    descAddress,
    count: lengths.length,
    budget,
    onTrap: (index, trap) => {
      traps[index] = `${trap.code} ${trap.message}`;
    },
  });
  return lengths.map((_, i) => {
    const at = descAddress + i * PACKET_DESC.bytes;
    expect(view.getUint32(at + PACKET_DESC.isTrap, true)).toBe(traps[i] === undefined ? 0 : 1);
    const verdict = view.getUint32(at + PACKET_DESC.verdict, true);
    return {
      retval: traps[i] === undefined ? verdict : undefined,
      insnCount: view.getUint32(at + PACKET_DESC.insnCount, true),
      trap: traps[i],
    };
  });
}

const contents = ({ vm }: Ready): unknown =>
  MAPS.slice(0, 2).map(({ name }) => [...(vm.maps.get(name)?.entries() ?? [])]);

/** Compares a batch with single runs of both engines; returns how many packets trapped, or -1 when it cannot run. */
function compare(one: Case, about: string): number {
  const batched = prepare(one, "jit");
  const together = runTogether(batched, one);
  if (together === undefined) return -1;
  for (const engine of ["interpreter", "jit"] as const) {
    const single = prepare(one, engine);
    expect(together, `${about}, ${engine}`).toEqual(runEach(single, one));
    expect(contents(batched), `maps, ${about}, ${engine}`).toEqual(contents(single));
  }
  return together.filter(({ trap }) => trap !== undefined).length;
}

const COUNT = Number(process.env.RANDOM_PROGS ?? 150);

const LOOKUP = `
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[arr]
  call map_lookup_elem
  if r0 == 0 goto none
  r1 = *(u64 *)(r0 + 0)
  r1 += 1
  *(u64 *)(r0 + 0) = r1
none:`;

describe("batches of programs without proofs", () => {
  const packet = Uint8Array.from({ length: 90 }, (_, i) => 7 * i);

  it("run and trap as single runs on both engines do: random programs", () => {
    let batches = 0;
    let traps = 0;
    for (let seed = 1; seed <= COUNT; seed++) {
      const random = new Random(seed);
      const source = randomProg({ seed, maps: MAPS, progType: "xdp", isSafe: false });
      const lengths = Array.from({ length: random.range(1, BATCH_MAX) }, () => random.range(14, 90));
      const budget = random.pick([30, 200, 3000]);
      const found = compare({ source, packet, lengths, budget }, `seed ${seed}`);
      if (found < 0) continue;
      batches++;
      traps += found;
    }
    expect(batches).toBeGreaterThan(COUNT / 10);
    expect(traps).toBeGreaterThan(COUNT / 10);
  });

  it("trap at the packet's end, wherever that was for the packet before", () => {
    // The pointer goes through the stack, so nothing is known of it.
    const text = `r9 = r1 ${LOOKUP}
      r1 = *(u32 *)(r9 + 0)
      *(u64 *)(r10 - 16) = r1
      r2 = *(u64 *)(r10 - 16)
      r0 = *(u8 *)(r2 + 40)
      *(u8 *)(r2 + 20) = 1
      exit`;
    const lengths = [90, 41, 40, 90, 14, 60, 40, 41];
    expect(compare({ source: text, packet, lengths, budget: 1000 }, "ends")).toBe(3);
  });

  it("give every packet the whole budget, no registers and a stack of zeros", () => {
    const text = `r9 = r1
      r6 = *(u32 *)(r9 + 4)
      r7 = *(u32 *)(r9 + 0)
      r6 -= r7
      r0 = *(u64 *)(r10 - 8)
      *(u64 *)(r10 - 8) = 5
      r0 += r8
      r8 = 3
    next:
      r0 += 1
      r6 -= 1
      if r6 != 0 goto next
      exit`;
    for (let budget = 1; budget < 80; budget += 3) {
      const traps = compare(
        { source: text, packet, lengths: [14, 20, 15, 24, 14], budget },
        `budget ${budget}`,
      );
      expect(traps).toBe([14, 20, 15, 24, 14].filter((bytes) => 9 + 3 * bytes > budget).length);
    }
  });

  it("need a budget", () => {
    const { prog } = prepare({ source: "r0 = 2\nexit", packet, lengths: [], budget: 0 }, "jit");
    expect(canRunBatch(prog.engineProg, prog.machine())).toBe(false);
    expect(canRunBatch(prog.engineProg, prog.machine(), 100)).toBe(true);
    expect(prog.budget).toBe(100_000_000);
  });

  it("leave the VM to single runs as they found it", () => {
    const one: Case = {
      source: "r2 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r2 + 30)\nexit",
      packet,
      lengths: [60, 20],
      budget: 99,
    };
    const { vm, prog, descAddress } = prepare(one, "jit");
    const address = vm.memory.allocRaw(64, 64);
    vm.memory.u8.fill(9, address, address + 64);
    for (const [i, bytes] of one.lengths.entries()) {
      const at = descAddress + i * PACKET_DESC.bytes;
      for (const field of [PACKET_DESC.data, PACKET_DESC.dataMeta])
        vm.memory.view.setUint32(at + field, address, true);
      vm.memory.view.setUint32(at + PACKET_DESC.dataEnd, address + bytes, true);
    }
    const codes: string[] = [];
    for (let i = 0; i < 3; i++) {
      expect(prog.run({ packet }).retval).toBe(packet[30]);
      expect(prog.run({ packet: packet.subarray(0, 30) }).trap?.code).toBe("RUN_BOUNDS");
      runBatch(prog.engineProg, {
        machine: prog.machine(),
        ctxAddress: prog.context().address,
        descAddress,
        count: 2,
        budget: 99,
        onTrap: (index, { code }) => codes.push(`${index} ${code}`),
      });
      expect(vm.memory.view.getUint32(descAddress + PACKET_DESC.verdict, true)).toBe(9);
    }
    expect(codes).toEqual(["1 RUN_BOUNDS", "1 RUN_BOUNDS", "1 RUN_BOUNDS"]);
  });
});
