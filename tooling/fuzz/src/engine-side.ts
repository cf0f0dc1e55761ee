import { MAP_FLAGS, type MapSpec, type ProgSpec, type ProgTypeName } from "@tsbpf/abi";
import { InputError, TrapError } from "@tsbpf/base";
import { canRunBatch, createJit, PACKET_DESC, runBatch } from "@tsbpf/jit";
import type { BpfMap } from "@tsbpf/plugin";
import { beginRun, type CallEvent, type Engine, type EngineProg, type RunHooks } from "@tsbpf/runtime";
import { loadFor } from "@tsbpf/testkit";
import type { Verdict } from "@tsbpf/verifier";
import { createVm, Prog, type ProgSource, type Vm } from "@tsbpf/vm";

const mapOf = (
  name: string,
  type: MapSpec["type"],
  [keyBytes, valueBytes, maxEntries]: readonly [number, number, number],
  flags = 0,
): MapSpec => ({ name, type, keyBytes, valueBytes, maxEntries, flags });

/** Maps of random programs: the first three as `randomProg` asks for them. */
export const ENGINE_MAPS: readonly MapSpec[] = [
  mapOf("a", "array", [4, 8, 4]),
  mapOf("h", "hash", [4, 8, 4]),
  mapOf("progs", "prog_array", [4, 4, 4]),
  mapOf("pa", "percpu_array", [4, 8, 4]),
  mapOf("ph", "percpu_hash", [4, 8, 4]),
  mapOf("lru", "lru_hash", [4, 8, 3]),
  mapOf("plru", "lru_percpu_hash", [8, 8, 3]),
  mapOf("wide", "hash", [8, 24, 4], MAP_FLAGS.noPrealloc),
  mapOf("one", "array", [4, 16, 1]),
  mapOf("trie", "lpm_trie", [8, 8, 8], MAP_FLAGS.noPrealloc),
  mapOf("queue", "queue", [0, 8, 3]),
  mapOf("stack", "stack", [0, 8, 3]),
  mapOf("bloom", "bloom_filter", [0, 8, 8]),
  mapOf("ring", "ringbuf", [0, 0, 4096]),
  mapOf("dev", "devmap", [4, 4, 3]),
  mapOf("perf", "perf_event_array", [4, 4, 2]),
];

/** Maps that the programs of the other generator name. */
const VERIFIER_MAPS: readonly MapSpec[] = [
  mapOf("arr", "array", [4, 48, 4]),
  mapOf("hash", "hash", [8, 16, 4]),
  mapOf("ro", "array", [4, 32, 2], MAP_FLAGS.readOnlyProg),
];

const PROG_TYPES: readonly ProgTypeName[] = ["xdp", "sched_cls", "socket_filter", "tracepoint"];
const UNLIMITED = Number.MAX_SAFE_INTEGER;
const SANE_PACKET_BYTES = 4096;
/** Puts what generated code keeps for itself on both machines; one for all, so that its module is compiled once. */
const layoutJit = createJit();

/** How a program is entered. */
export type Way = "execute" | "repeat" | "hooks" | "packet" | "batch";

export interface RunOrder {
  readonly way: Way;
  readonly packet: Uint8Array | undefined;
  readonly budget: number;
}

export interface SideOptions {
  readonly isShared: boolean;
  readonly recordEffects: boolean;
}

/** A machine on which one engine runs the programs of a session. */
export class EngineSide {
  readonly vm: Vm;
  private readonly engine: Engine;
  private readonly descAddress: number;
  /** What generated code keeps for itself, which the other machine has and does not use. */
  private readonly ownStart: number;
  private readonly ownEnd: number;

  constructor(engine: Engine, { isShared, recordEffects }: SideOptions) {
    this.engine = engine;
    this.vm = createVm({
      memory: { initialBytes: 1 << 18, isShared },
      maxPacketBytes: 2048,
      recordEffects,
    });
    for (const map of [...ENGINE_MAPS, ...VERIFIER_MAPS]) this.vm.createMap(map.name, map);
    for (const type of PROG_TYPES) this.vm.machines.context(0, this.vm.registry.progType(type));
    this.vm.machines.machine(0);
    this.ownStart = this.vm.memory.allocatedEnd;
    this.descAddress = this.vm.memory.allocRaw(PACKET_DESC.bytes);
    loadFor(this.vm, layoutJit, "r0 = 0\nexit", { verify: "off" }).execute({ packet: new Uint8Array(64) });
    this.ownEnd = this.vm.memory.allocatedEnd;
  }

  load(
    source: ProgSource,
    progType: ProgTypeName,
    how: { isProven: boolean; verdict?: Verdict },
  ): EngineProg {
    const { isProven, verdict } = how;
    const name = typeof source === "object" && "insns" in source ? source.name : "prog";
    return loadFor(this.vm, this.engine, source, {
      verify: verdict === undefined ? "off" : "warn",
      progType,
      isProven,
      ...(verdict === undefined ? {} : { verdicts: new Map([[name, verdict]]) }),
    }).engineProg;
  }

  /** Says whether a program can be linked at all. */
  links(spec: ProgSpec): boolean {
    try {
      this.vm.load(spec, { verify: "off" });
      return true;
    } catch (thrown) {
      if (thrown instanceof InputError) return false;
      throw thrown;
    }
  }

  /** Puts a program where tail calls find it. */
  place(slot: number, prog: EngineProg): void {
    this.vm.maps.get("progs")?.progSlots?.setProg(slot, prog);
  }

  /** Runs a program and says as plain values what it did. */
  run(engineProg: EngineProg, { way, packet, budget }: RunOrder): unknown {
    const limits = budget === UNLIMITED ? {} : { budget };
    const prog = new Prog({ engineProg, verdict: undefined, machines: this.vm.machines, limits });
    const input = packet === undefined ? {} : { packet };
    if (way === "packet" && packet !== undefined) return this.runPacket(prog, packet);
    if (way === "batch" && packet !== undefined && canRunBatch(engineProg, prog.machine()))
      return this.runBatch(prog, packet);
    const events: unknown[] = [];
    const { r0, insnCount, effects, trap } = prog.execute(input, {
      budget,
      ...(way === "repeat" ? { repeat: 3 } : {}),
      ...(way === "hooks" ? { hooks: listener(events) } : {}),
    });
    return {
      // r0 of a run that a trap ended is nothing that anybody may read.
      r0: trap === undefined ? r0 : undefined,
      insnCount,
      effects: [...effects],
      events,
      trap: describeTrap(trap),
      packet: this.packetOf(prog),
    };
  }

  private runPacket(prog: Prog, packet: Uint8Array): unknown {
    let low: number | undefined;
    let trap: TrapError | undefined;
    try {
      low = prog.executePacket(packet);
    } catch (thrown) {
      if (!(thrown instanceof TrapError)) throw thrown;
      trap = thrown;
    }
    const { insnCount } = prog.machine();
    return { low, insnCount, trap: describeTrap(trap), packet: this.packetOf(prog) };
  }

  private runBatch(prog: Prog, packet: Uint8Array): unknown {
    const { engineProg } = prog;
    const context = prog.context();
    const machine = prog.machine();
    const { view } = this.vm.memory;
    context.load({ packet });
    const at = this.descAddress;
    // A descriptor begins as an xdp_md does.
    this.vm.memory.u8.fill(0, at, at + PACKET_DESC.bytes);
    this.vm.memory.u8.copyWithin(at, context.address, context.address + PACKET_DESC.verdict);
    beginRun(machine, engineProg, context);
    let trap: TrapError | undefined;
    const onTrap = (_idx: number, found: TrapError): void => {
      trap = found;
    };
    runBatch(engineProg, { machine, ctxAddress: context.address, descAddress: at, count: 1, onTrap });
    return {
      low: trap === undefined ? view.getUint32(at + PACKET_DESC.verdict, true) : undefined,
      insnCount: view.getUint32(at + PACKET_DESC.insnCount, true),
      trap: describeTrap(trap),
    };
  }

  private packetOf(prog: Prog): unknown {
    const { packet } = prog.context();
    // A program without proofs may have written the packet's bounds in its context.
    const isSane = packet !== undefined && packet.lengthBytes >= 0 && packet.lengthBytes <= SANE_PACKET_BYTES;
    return isSane
      ? Buffer.from(prog.packetView()).toString("hex")
      : `${packet?.dataStart}..${packet?.dataEnd}`;
  }

  /** Name of the first map whose elements, in their order, are not those of the other machine. */
  mapThatDiffers(other: EngineSide): string | undefined {
    for (const [name, map] of this.vm.maps) {
      const others = other.vm.maps.get(name);
      if (others === undefined || !haveSameEntries(map, others)) return name;
    }
    return undefined;
  }

  /** The memory that was allocated, in pieces, without what generated code keeps for itself. */
  pieces(): readonly [Uint8Array, Uint8Array] {
    const { u8, allocatedEnd } = this.vm.memory;
    return [u8.subarray(0, this.ownStart), u8.subarray(this.ownEnd, allocatedEnd)];
  }
}

function haveSameEntries(one: BpfMap, other: BpfMap): boolean {
  const others = other.entries()[Symbol.iterator]();
  for (const [key, value] of one.entries()) {
    const { done, value: found } = others.next();
    if (done === true || Buffer.compare(key, found[0]) !== 0 || Buffer.compare(value, found[1]) !== 0)
      return false;
  }
  return others.next().done === true;
}

const describeTrap = (trap: TrapError | undefined): unknown =>
  trap === undefined
    ? undefined
    : { code: trap.code, slot: trap.details.slot, region: trap.details.region, text: trap.message };

/** Notes calls that leave the program, with arguments and results: the jit makes the others itself. */
function listener(events: unknown[]): RunHooks {
  const note =
    (isReturn: boolean) =>
    (_machine: unknown, { slot, target }: CallEvent, regs: Int32Array): void => {
      if (target.kind === "subprog" || target.kind === "indirect") return;
      const argCount = "helper" in target ? target.helper.proto.args.length : 0;
      const seen = isReturn ? regs.subarray(0, 2) : regs.subarray(2, 2 + 2 * argCount);
      events.push(`${isReturn ? "return" : "call"} ${slot} ${target.kind} ${seen.join(" ")}`);
    };
  return { onCall: note(false), onReturn: note(true) };
}
