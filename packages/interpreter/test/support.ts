import type { MapSpec, ProgSpec, ProgTypeName, VerifiedFacts } from "@tsbpf/abi";
import { joinU64 } from "@tsbpf/base";
import type { Insn } from "@tsbpf/isa";
import { LinearMemory, PacketBuffer } from "@tsbpf/memory";
import {
  createMachine,
  indexHelpers,
  indexKfuncs,
  type LinkedProg,
  type LinkOptions,
  linkProg,
  type Machine,
  type RunResult,
  runProg,
} from "@tsbpf/runtime";
import { assemble } from "../../asm/src/index.ts";
import type { BpfMap, HelperPlugin, ProgTypePlugin, Services } from "../../plugin/src/index.ts";
import { interpreter } from "../src/index.ts";
import type { InterpreterProg } from "../src/prog.ts";

export interface HarnessOptions {
  readonly progType?: ProgTypeName;
  readonly helpers?: readonly HelperPlugin[];
  readonly kfuncs?: readonly HelperPlugin[];
  readonly memory?: LinearMemory;
  /** Whether programs run as proven ones do. */
  readonly isProven?: boolean;
}

/** Bytes of the context that programs of a harness get in r1. */
export const CTX_BYTES = 256;
/** Where the context keeps the packet's bounds, as `__sk_buff` does. */
const PACKET_FIELDS = { data: 76, dataEnd: 80, dataMeta: 140 } as const;

const noServices = {} as Services;
const noType = {} as ProgTypePlugin;

export const noFacts: VerifiedFacts = {
  reached: new Uint8Array(),
  liveBefore: new Uint16Array(),
  stackBytes: [],
  funcStarts: [],
  accessRegion: new Map(),
  callMapIdx: new Map(),
  callConstants: new Map(),
  callbackSlot: new Map(),
  liveIn: new Map(),
};

/** A machine with a context, a packet and maps for small programs. */
export class Harness {
  readonly memory: LinearMemory;
  readonly machine: Machine;
  readonly ctx: number;
  readonly packet: PacketBuffer;
  readonly maps = new Map<string, BpfMap>();
  private readonly options: HarnessOptions;

  constructor(options: HarnessOptions = {}) {
    this.options = options;
    this.memory = options.memory ?? new LinearMemory({ initialBytes: 1 << 20 });
    this.ctx = this.memory.alloc(CTX_BYTES, { kind: "ctx", name: "ctx" });
    this.packet = new PacketBuffer(this.memory, {
      ctxAddress: this.ctx,
      fields: PACKET_FIELDS,
      headroomBytes: 64,
      maxBytes: 2048,
    });
    this.machine = createMachine({
      memory: this.memory,
      services: noServices,
      mapAt: (address) => [...this.maps.values()].find((map) => map.address === address),
    });
  }

  link(code: string | readonly Insn[], extra: Partial<ProgSpec> = {}): LinkedProg {
    const { isProven, progType, helpers, kfuncs } = this.options;
    const names = new Map((helpers ?? []).map(({ proto }) => [proto.name, proto.id]));
    const text =
      typeof code === "string"
        ? assemble(code, {
            semicolon: "separator",
            symbols: {
              helperIdOf: (name) => names.get(name) ?? names.get(`bpf_${name}`),
              kfuncOf: (name) =>
                (kfuncs ?? []).some(({ proto }) => proto.name === name) || name === "bpf_throw"
                  ? { btfId: 1 }
                  : undefined,
            },
          })
        : undefined;
    const mapNames = text?.mapNames ?? [];
    const spec: ProgSpec = {
      name: "test",
      type: progType ?? "socket_filter",
      attachType: 0,
      flags: 0,
      license: "GPL",
      insns: text?.insns ?? (code as readonly Insn[]),
      maps: mapNames.map((name) => this.maps.get(name)!.spec),
      mapRefs: (text?.mapRefs ?? []).map(({ slot, name }) => ({ slot, mapIdx: mapNames.indexOf(name) })),
      kernelRefs: (text?.kernelRefs ?? []).map((ref) => ({ ...ref, isWeak: false })),
      funcs: [],
      lines: [],
      autoload: true,
      ...extra,
    };
    return linkProg(spec, {
      maps: mapNames.map((name) => this.maps.get(name)!),
      helpers: indexHelpers(helpers ?? []),
      kfuncs: indexKfuncs(kfuncs ?? []),
      progType: noType,
      ...(isProven === true ? { facts: noFacts } : {}),
    });
  }

  prepare(code: string | readonly Insn[]): InterpreterProg {
    return interpreter.prepare(this.link(code), {
      isChecked: this.options.isProven !== true,
    }) as InterpreterProg;
  }

  /** Links a spec again with options of the linker. */
  prepareWith(spec: ProgSpec, options: Partial<LinkOptions>): InterpreterProg {
    const linked = linkProg(spec, {
      maps: [],
      helpers: indexHelpers(this.options.helpers ?? []),
      progType: noType,
      ...options,
    });
    return this.prepareLinked(linked);
  }

  prepareLinked(linked: LinkedProg): InterpreterProg {
    return interpreter.prepare(linked, { isChecked: linked.facts === undefined }) as InterpreterProg;
  }

  run(code: string | readonly Insn[] | InterpreterProg, budget?: number): RunResult {
    const prog =
      typeof code === "string" || Array.isArray(code) ? this.prepare(code) : (code as InterpreterProg);
    const context = { address: this.ctx, packet: this.packet };
    return runProg(this.machine, prog, context, budget === undefined ? {} : { budget });
  }

  /** Runs and expects an exit; returns r0. */
  r0(code: string | readonly Insn[] | InterpreterProg): bigint {
    const { end } = this.run(code);
    if (end.kind === "trap") throw end.trap;
    return end.r0;
  }

  /** Runs and expects a trap; returns it. */
  trap(code: string | readonly Insn[] | InterpreterProg, budget?: number) {
    const { end } = this.run(code, budget);
    if (end.kind === "exit") throw new Error(`exited with r0 = ${end.r0}`);
    return end.trap;
  }

  reg(n: number): bigint {
    return joinU64(this.machine.regs[2 * n]!, this.machine.regs[2 * n + 1]!);
  }
}

const mapSpec = (spec: Partial<MapSpec>): MapSpec => ({
  name: "m",
  type: "array",
  keyBytes: 4,
  valueBytes: 8,
  maxEntries: 4,
  flags: 0,
  ...spec,
});

/** A small array map whose values programs may touch one at a time. */
export function addArray(harness: Harness, partial: Partial<MapSpec> & { name: string }, perm = 3): BpfMap {
  const spec = mapSpec(partial);
  const { memory } = harness;
  const address = memory.alloc(16, { kind: "map", name: `map ${spec.name} header`, perm: 1 });
  const stride = Math.ceil(spec.valueBytes / 8) * 8;
  const data = memory.alloc(stride * spec.maxEntries, {
    kind: "map",
    name: `map ${spec.name}`,
    cells: { stride, windows: [{ name: "value", offset: 0, bytes: spec.valueBytes, perm }] },
  });
  const map = {
    spec,
    address,
    lookup(key: number) {
      const index = memory.view.getUint32(key, true);
      return index < spec.maxEntries ? data + index * stride : 0;
    },
  } as Partial<BpfMap> as BpfMap;
  harness.maps.set(spec.name, map);
  return map;
}

/** A program array whose slots are set by the test. */
export function addProgArray(harness: Harness, name: string, slots: (unknown | undefined)[]): BpfMap {
  const spec = mapSpec({ name, type: "prog_array", valueBytes: 4, maxEntries: slots.length });
  const address = harness.memory.alloc(16, { kind: "map", name: `map ${name} header`, perm: 1 });
  const map = {
    spec,
    address,
    lookup: () => 0,
    progSlots: { progAt: (index: number) => slots[index], setProg: () => 0 },
  } as Partial<BpfMap> as BpfMap;
  harness.maps.set(name, map);
  return map;
}
