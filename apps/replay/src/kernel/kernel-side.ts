import { ATTACH_TYPES, errnoName, PROG_TYPES, type ProgSpec } from "@tsbpf/abi";
import { InputError, UnsupportedError } from "@tsbpf/base";
import { classifyCall, encodeInsns } from "@tsbpf/isa";
import type { Effect, HelperPlugin } from "@tsbpf/plugin";
import type { MapContents, TraceDefinitions, TraceEvent } from "@tsbpf/trace";
import type { MachineOptions } from "../compare/machine-side.ts";
import { failed, type Outcome } from "../compare/outcome.ts";
import type { Side, SideMap } from "../compare/side.ts";
import type { ReplayIo } from "../io.ts";
import { frameOf } from "../run/frame.ts";
import { type LoadedProgram, loadProgram } from "../run/load.ts";
import { dependsOnHost } from "../trace/externals.ts";
import type { Visit } from "../trace/walk.ts";
import { Bpf } from "./bpf.ts";
import { type KernelCpus, KernelMaps } from "./kernel-maps.ts";
import { KernelRings } from "./kernel-rings.ts";
import { loadSyscalls } from "./syscalls.ts";

/** Bytes that a program may add to its packet. */
const DATA_ROOM_BYTES = 2048;

/**
 * Says which CPU programs run on in the kernel, and how many CPUs there can be.
 *
 * @throws UNSUPPORTED_KERNEL (UnsupportedError) where bpf(2) cannot be called.
 */
export async function kernelCpus(io: ReplayIo): Promise<KernelCpus> {
  const calls = await loadSyscalls();
  const text = new TextDecoder().decode(await io.readAll("/sys/devices/system/cpu/possible"));
  const last = Math.max(
    ...text
      .trim()
      .split(",")
      .map((span) => Number(span.split("-").at(-1))),
  );
  return { cpu: Math.min(...calls.allowedCpus()), count: last + 1 };
}

/** A program in the running kernel, run through BPF_PROG_TEST_RUN. Nothing is attached. */
export class KernelSide implements Side {
  readonly title: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly maps: ReadonlyMap<string, SideMap> | undefined;
  readonly mapsNote: string | undefined;
  readonly unreadable: ReadonlySet<string>;
  private readonly bpf: Bpf;
  private readonly unpin: () => void;
  private readonly progFd: number;
  private readonly here: LoadedProgram;
  private readonly options: MachineOptions;
  private readonly live: KernelMaps;
  private readonly rings: KernelRings;

  private constructor(parts: {
    readonly bpf: Bpf;
    readonly unpin: () => void;
    readonly progFd: number;
    readonly here: LoadedProgram;
    readonly options: MachineOptions;
    readonly maps: KernelMaps;
    readonly rings: KernelRings;
  }) {
    const { here, options, maps, rings } = parts;
    this.bpf = parts.bpf;
    this.unpin = parts.unpin;
    this.progFd = parts.progFd;
    this.here = here;
    this.options = options;
    this.live = maps;
    this.rings = rings;
    this.title = `${options.object} ${here.prog.name}, running kernel`;
    this.facts = { object: options.object, prog: here.prog.name, kernel: true };
    const asked = hostHelpers(here);
    const readable = maps.readable();
    this.maps = asked.length === 0 ? readable : undefined;
    this.unreadable = new Set([...maps.fds.keys()].filter((name) => !readable.has(name)));
    this.mapsNote =
      asked.length === 0
        ? undefined
        : `maps are not compared: what ${asked.join(" and ")} answers is the host's, and so is what depends on it`;
  }

  /**
   * Loads the object's maps and the program into the kernel.
   *
   * @throws KERNEL_REFUSED (InputError) when the kernel refuses the program; KERNEL_MAP, KERNEL_CALL (InputError);
   *   UNSUPPORTED_KERNEL (UnsupportedError) where bpf(2) cannot be called.
   */
  static async open(options: MachineOptions, io: ReplayIo, cpus: KernelCpus): Promise<KernelSide> {
    const calls = await loadSyscalls();
    // The specs come from here, as they are once maps have their sizes.
    const here = await loadProgram({ ...options, verify: "off" }, io, { isTestRun: true });
    const { spec } = here.prog.linked;
    if (spec.attachType === ATTACH_TYPES.xdp_devmap || spec.attachType === ATTACH_TYPES.xdp_cpumap) {
      throw new UnsupportedError(
        "UNSUPPORTED_TEST_RUN",
        `program ${spec.name} belongs to a map's entry, for which the kernel has no test run`,
      );
    }
    const unpin = calls.pin(cpus.cpu);
    const bpf = new Bpf(calls);
    try {
      const { object } = here;
      const btf = spec.btf ?? object.spec.btf;
      const btfFd = btf === undefined ? undefined : loadTypes(bpf, btf);
      const maps = new KernelMaps(
        bpf,
        [...object.maps.values()].map((map) => map.spec),
        cpus,
        btfFd,
      );
      const byName = new Map<string, number>();
      const load = (one: ProgSpec): number => {
        const known = byName.get(one.name);
        if (known !== undefined) return known;
        const fd = loadProg(bpf, one, maps, btfFd);
        byName.set(one.name, fd);
        return fd;
      };
      // Program arrays may name the program itself, and verification looks at the maps that exist.
      maps.fill((name) => {
        const found = object.spec.progs.find((one) => one.name === name);
        if (found === undefined) throw new InputError("PROG_CHOICE", `no program ${name} in the object`);
        return load(found);
      });
      const progFd = load(spec);
      const specs = [...object.maps.values()].map((map) => map.spec);
      const rings = new KernelRings(calls, specs, maps.fds);
      return new KernelSide({ bpf, unpin, progFd, here, options, maps, rings });
    } catch (error) {
      bpf.close();
      unpin();
      throw error;
    }
  }

  run(visit: Visit): Outcome {
    try {
      return this.testRun(visit);
    } catch (error) {
      if (!(error instanceof InputError) || error.code !== "RUN_INPUT") throw error;
      return failed({ kind: "refused", code: error.code, message: error.message });
    }
  }

  private testRun({ path, parser, cursor }: Visit): Outcome {
    const { here, options, bpf, progFd } = this;
    const { prog } = here;
    const isTrace = parser.trace !== undefined;
    const data = isTrace && !cursor.hasPacket ? undefined : frameOf({ prog, options }, path, cursor);
    const ctx = isTrace && cursor.hasCtx ? cursor.ctx() : undefined;
    // A packet of no bytes is none for the kernel, which refuses any for programs that take none.
    const given = data?.length === 0 ? undefined : data;
    const dataRoom = (data?.length ?? 0) + DATA_ROOM_BYTES;
    const result = bpf.testRun({ fd: progFd, data: given, ctx, dataRoom });
    if (result.errno !== 0) {
      const message = `the kernel refuses the input with ${errnoName(result.errno)}`;
      return failed({ kind: "refused", code: "KERNEL_TEST_RUN", message });
    }
    const verdict = prog.linked.progType.verdictName(result.retval) ?? `${result.retval}`;
    return {
      verdict,
      ...(data === undefined ? {} : { packet: result.data }),
      ...(result.ctx === undefined ? {} : { ctx: result.ctx }),
      ...(this.rings.isEmpty ? {} : { effects: this.rings.take(), effectKinds: RING_EFFECTS }),
    };
  }

  contents(trace: TraceDefinitions, contents: MapContents): void {
    const recorded = trace.maps[contents.mapIdx];
    const spec = recorded === undefined ? undefined : this.here.object.maps.get(recorded.name)?.spec;
    const fd = recorded === undefined ? undefined : this.live.fds.get(recorded.name);
    if (spec === undefined || fd === undefined) return;
    const step = contents.entryCount === 0 ? 0 : contents.values.length / contents.entryCount;
    for (let i = 0; i < contents.entryCount; i++) {
      const key = contents.keys.slice(i * spec.keyBytes, (i + 1) * spec.keyBytes);
      this.live.put(spec, fd, key, contents.values.slice(i * step, (i + 1) * step));
    }
  }

  changes(trace: TraceDefinitions, events: readonly TraceEvent[]): void {
    for (const event of events) {
      if (event.kind !== "map" || event.phase !== "before") continue;
      const name = trace.maps[event.mapIdx]?.name ?? "";
      const spec = this.here.object.maps.get(name)?.spec;
      const fd = this.live.fds.get(name);
      if (spec === undefined || fd === undefined) continue;
      const key = event.key ?? new Uint8Array(0);
      // As on the other side, a change that is refused changes nothing.
      if (event.change === "delete") this.bpf.deleteFromMap(fd, key);
      else if (event.value !== undefined) this.live.put(spec, fd, key, event.value, event.flags);
    }
  }

  close(): void {
    this.rings.close();
    this.bpf.close();
    this.unpin();
  }
}

/** What the kernel shows of a run's effects. */
const RING_EFFECTS: ReadonlySet<Effect["kind"]> = new Set(["ringbuf"]);

/** The object's types; without them programs load all the same, but for those that need them. */
function loadTypes(bpf: Bpf, btf: Uint8Array): number | undefined {
  try {
    return bpf.loadBtf(btf);
  } catch {
    return undefined;
  }
}

function loadProg(bpf: Bpf, spec: ProgSpec, maps: KernelMaps, btfFd: number | undefined): number {
  if (spec.kernelRefs.length > 0) {
    const names = spec.kernelRefs.map((ref) => ref.name).join(", ");
    throw new UnsupportedError(
      "UNSUPPORTED_KERNEL_SYMBOL",
      `program ${spec.name} refers to ${names} of the kernel, which cannot be resolved here`,
    );
  }
  const code = Buffer.from(encodeInsns(spec.insns));
  for (const { slot, mapIdx } of spec.mapRefs) {
    const fd = maps.fds.get(spec.maps[mapIdx]?.name ?? "") ?? -1;
    code.writeInt32LE(fd, slot * 8 + 4);
  }
  const funcs = Buffer.alloc(spec.funcs.length * 8);
  spec.funcs.forEach((func, idx) => {
    funcs.writeUInt32LE(func.slot, idx * 8);
    funcs.writeUInt32LE(func.btfTypeId, idx * 8 + 4);
  });
  const hasTypes =
    btfFd !== undefined && spec.funcs.length > 0 && spec.funcs.every((func) => func.btfTypeId !== 0);
  const { fd, log } = bpf.loadProg({
    type: PROG_TYPES[spec.type],
    attachType: spec.attachType,
    flags: spec.flags,
    name: spec.name,
    license: spec.license,
    code,
    ...(hasTypes ? { btfFd, funcs } : {}),
  });
  if (fd >= 0) return fd;
  const reason = reasonIn(log);
  throw new InputError(
    "KERNEL_REFUSED",
    `the kernel refuses program ${spec.name}: ${errnoName(-fd)}${reason === "" ? "" : `, ${reason}`}`,
    { details: { errno: -fd, log } },
  );
}

/** The last line of a verifier log that says why. */
function reasonIn(log: string): string {
  const lines = log
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^(processed \d+|verification time|stack depth)/.test(line));
  return lines.at(-1)?.trim() ?? "";
}

/** Names of the helpers whose answers differ from one host to another, among those that the object's programs call. */
function hostHelpers({ object, prog, vm }: LoadedProgram): string[] {
  const hasArrays = [...object.maps.values()].some((map) => map.spec.type === "prog_array");
  const specs = hasArrays ? object.spec.progs : [prog.linked.spec];
  const names = new Set<string>();
  for (const insn of specs.flatMap((spec) => [...spec.insns])) {
    const call = classifyCall(insn);
    const helper: HelperPlugin | undefined =
      call?.kind === "helper" ? vm.registry.helpersById.get(call.helperId) : undefined;
    if (helper !== undefined && dependsOnHost(helper)) names.add(helper.proto.name);
  }
  return [...names];
}
