import type { MapSpec, ObjectSpec } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import type { BpfMap } from "@tsbpf/plugin";
import type { Verdict } from "@tsbpf/verifier";
import type { ProgOptions } from "./options.ts";
import { prepareProg } from "./prepare.ts";
import type { Prog } from "./prog.ts";
import type { Vm } from "./vm.ts";

/** An object whose maps are live. Programs are linked, verified and prepared when first asked for. */
export class LiveObject {
  readonly spec: ObjectSpec;
  /** Live maps by name. A map that the VM already had under the name is used in the place of the object's. */
  readonly maps = new Map<string, BpfMap>();
  private readonly vm: Vm;
  private readonly options: ProgOptions;
  private readonly progs = new Map<string, Prog>();

  constructor(vm: Vm, spec: ObjectSpec, options: ProgOptions) {
    this.vm = vm;
    this.spec = spec;
    this.options = options;
    const made: BpfMap[] = [];
    for (const map of allMaps(spec)) {
      const known = vm.maps.get(map.name);
      if (known === undefined) made.push(vm.createMap(map.name, sized(map, vm.cpuCount)));
      const live = known ?? vm.maps.get(map.name);
      if (live !== undefined) this.maps.set(map.name, live);
    }
    // Contents may name maps and programs, so they come when all maps exist.
    for (const map of made) {
      vm.liveMaps.fill(map, { map: (name) => vm.maps.get(name), prog: (name) => this.prog(name).engineProg });
    }
  }

  /**
   * Prepares a program.
   *
   * @throws PROG_CHOICE, LINK_…, CALL_… (InputError); RejectError when the verifier refuses it and `verify` is
   *   "strict".
   */
  prog(name: string): Prog {
    const known = this.progs.get(name);
    if (known !== undefined) return known;
    const spec = this.spec.progs.find((one) => one.name === name);
    if (spec === undefined) {
      const names = this.spec.progs.map((one) => one.name).join(", ");
      throw new InputError("PROG_CHOICE", `no program ${name} in the object, it has: ${names}`);
    }
    const verdict = this.options.verdicts?.get(name);
    const prog = prepareProg(this.vm, spec, {
      ...this.options,
      ...(verdict === undefined ? {} : { verdict }),
    });
    this.progs.set(name, prog);
    return prog;
  }

  /** What the verifier said of the programs that were prepared, by name: for others who load the same object. */
  get verdicts(): Map<string, Verdict | undefined> {
    return new Map([...this.progs].map(([name, { verdict }]) => [name, verdict]));
  }
}

/** The object's maps and those that only its programs name, each once. */
function allMaps(spec: ObjectSpec): MapSpec[] {
  const byName = new Map<string, MapSpec>();
  for (const map of [...spec.maps, ...spec.progs.flatMap((prog) => prog.maps)]) {
    if (!byName.has(map.name)) byName.set(map.name, map);
  }
  return [...byName.values()];
}

const PAGE_BYTES = 4096;

/** Gives a map the size that libbpf gives it where the object leaves it open or asks for what Linux refuses. */
function sized(spec: MapSpec, cpuCount: number): MapSpec {
  if (spec.type === "perf_event_array" && spec.maxEntries === 0) return { ...spec, maxEntries: cpuCount };
  if (spec.type !== "ringbuf" && spec.type !== "user_ringbuf") return spec;
  let bytes = PAGE_BYTES;
  while (bytes < spec.maxEntries && bytes < 2 ** 31) bytes *= 2;
  return { ...spec, maxEntries: bytes };
}
