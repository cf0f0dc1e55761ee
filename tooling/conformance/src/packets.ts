import { ATTACH_TYPES, type ObjectSpec, type ProgSpec, protoByName } from "@tsbpf/abi";
import { printHexBytes } from "@tsbpf/base";
import { createServices } from "@tsbpf/helpers";
import { classifyCall } from "@tsbpf/isa";
import { type KernelClient, type KernelMapDump, toKernelCase } from "@tsbpf/kernel";
import { createVm, type EngineName, LiveObject, type Prog } from "@tsbpf/vm";

/** One way in which a run here was not the kernel's. */
export interface PacketDifference {
  readonly prog: string;
  readonly engine: EngineName;
  /** Number of the packet from 1; undefined for maps after the last one. */
  readonly packet: number | undefined;
  readonly what: "retval" | "data" | "map" | "trap";
  readonly kernel: string;
  readonly ours: string;
}

export interface PacketComparison {
  readonly prog: string;
  readonly packets: number;
  /** Why the kernel was not asked, or could not answer. */
  readonly skipped?: string;
  readonly differences: readonly PacketDifference[];
}

const ENGINES: readonly EngineName[] = ["interpreter", "jit"];
const DIFFERENCES_MAX = 5;
/** Entries after which the kernel's dump of a map ends. */
const DUMP_ENTRIES_MAX = 4096;

/** Helpers whose answers are the host's: clocks, routes. */
const HOST_HELPERS: ReadonlySet<number> = new Set(
  [
    "ktime_get_ns",
    "ktime_get_boot_ns",
    "ktime_get_coarse_ns",
    "ktime_get_tai_ns",
    "jiffies64",
    "fib_lookup",
  ].flatMap((name) => protoByName(name)?.id ?? []),
);

/** Says whether what a program stores depends on the host that runs it. */
const readsHost = (spec: ProgSpec): boolean =>
  spec.insns.some((insn) => {
    const call = classifyCall(insn);
    return call?.kind === "helper" && HOST_HELPERS.has(call.helperId);
  });

/** Runs one program of an object over packets, here and in the kernel, and compares every packet and all maps. */
export async function comparePackets(
  client: KernelClient,
  object: ObjectSpec,
  spec: ProgSpec,
  packets: readonly Uint8Array[],
): Promise<PacketComparison> {
  const name = `${object.name} ${spec.name}`;
  if (spec.attachType === ATTACH_TYPES.xdp_devmap || spec.attachType === ATTACH_TYPES.xdp_cpumap) {
    return {
      prog: name,
      packets: 0,
      skipped: "the kernel has no test run for programs of map entries",
      differences: [],
    };
  }
  let kernel: Awaited<ReturnType<KernelClient["open"]>>;
  try {
    kernel = await client.open({ ...toKernelCase(spec, { progs: object.progs }), log_level: 0 });
  } catch (error) {
    return { prog: name, packets: 0, skipped: (error as Error).message, differences: [] };
  }
  try {
    const runs = packets.map((packet) => ({
      data: printHexBytes(packet),
      data_size_out: packet.length + 2048,
    }));
    const answers = await kernel.run(runs);
    const dumps = await kernel.dumpMaps();
    const differences: PacketDifference[] = [];
    for (const engine of ENGINES) {
      const prog = loadHere(object, spec, engine);
      const add = (
        packet: number | undefined,
        what: PacketDifference["what"],
        theirs: string,
        ours: string,
      ) => {
        if (differences.length < DIFFERENCES_MAX)
          differences.push({ prog: name, engine, packet, what, kernel: theirs, ours });
      };
      packets.forEach((packet, idx) => {
        const answer = answers[idx];
        if (answer === undefined) return;
        const outcome = runHere(prog, packet);
        if (answer.errno !== 0) {
          if (outcome.errno !== answer.errno)
            add(idx + 1, "retval", `errno ${answer.errno}`, `errno ${outcome.errno}`);
          return;
        }
        if (outcome.trap !== "") add(idx + 1, "trap", String(answer.retval), outcome.trap);
        else if (outcome.retval !== answer.retval)
          add(idx + 1, "retval", String(answer.retval), String(outcome.retval));
        else if (outcome.data !== answer.data_out) add(idx + 1, "data", answer.data_out ?? "", outcome.data);
      });
      if (!readsHost(spec))
        compareMaps(prog, spec, dumps, (map, theirs, ours) =>
          add(undefined, "map", `${map}: ${theirs}`, ours),
        );
    }
    return { prog: name, packets: packets.length, differences };
  } finally {
    await kernel.close();
  }
}

function loadHere(object: ObjectSpec, spec: ProgSpec, engine: EngineName): Prog {
  const vm = createVm({
    isTestRun: true,
    recordEffects: false,
    services: createServices({ perfReaders: "slots" }),
  });
  return new LiveObject(vm, object, { engine }).prog(spec.name);
}

interface Outcome {
  readonly retval: number;
  readonly data: string;
  readonly errno: number;
  readonly trap: string;
}

function runHere(prog: Prog, packet: Uint8Array): Outcome {
  try {
    const result = prog.run({ packet });
    return {
      retval: result.retval,
      data: printHexBytes(result.packet),
      errno: 0,
      trap: result.trap?.message ?? "",
    };
  } catch (error) {
    const { errno } = (error as { details?: { errno?: number } }).details ?? {};
    if (errno === undefined) throw error;
    return { retval: 0, data: "", errno, trap: "" };
  }
}

const PERCPU = /percpu/;

function compareMaps(
  prog: Prog,
  spec: ProgSpec,
  dumps: readonly KernelMapDump[],
  differ: (map: string, kernel: string, ours: string) => void,
): void {
  spec.maps.forEach((map, idx) => {
    const dump = dumps[idx];
    const live = prog.linked.maps[idx];
    if (dump === undefined || dump === null || live === undefined || map.type === "ringbuf") return;
    const theirs = dump.map(([key, value]) => `${key}=${value}`).sort();
    const keys = new Set(dump.map(([key]) => key));
    const isWhole = dump.length < DUMP_ENTRIES_MAX;
    const ours = [...live.entries()]
      .filter(([key]) => isWhole || keys.has(printHexBytes(key)))
      .map(([key, value]) => {
        const own = PERCPU.test(map.type) ? value.subarray(0, map.valueBytes) : value;
        return `${printHexBytes(key)}=${printHexBytes(own)}`;
      })
      .sort();
    const at = Math.max(
      0,
      theirs.findIndex((entry, i) => entry !== ours[i]),
    );
    if (theirs.length !== ours.length || theirs[at] !== ours[at]) {
      differ(map.name, `${theirs.length} entries, ${theirs[at]}`, `${ours.length} entries, ${ours[at]}`);
    }
  });
}
