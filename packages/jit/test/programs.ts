import { type MapSpec, makeProgSpec } from "@tsbpf/abi";
import { type Insn, insnOfRow, rowOfId } from "@tsbpf/isa";
import { LinearMemory } from "@tsbpf/memory";
import { createMachine, type LinkedProg, linkProg, type Machine } from "@tsbpf/runtime";
import { randomProg } from "../../../tooling/fuzz/src/random-prog.ts";

type LinkOptions = Parameters<typeof linkProg>[1];
type ProgType = LinkOptions["progType"];
type Spec = Parameters<typeof linkProg>[0];

/** The program type of tests: an `xdp_md` whose verdicts have no names. */
export const progType = {
  type: "xdp",
  summary: "",
  source: "",
  ctx: {
    struct: "xdp_md",
    sizeBytes: 24,
    fields: ["data", "data_end", "data_meta", "ingress_ifindex", "rx_queue_index", "egress_ifindex"].map(
      (name, i) => ({
        name,
        offset: 4 * i,
        sizeBytes: 4,
        count: 1,
        holds: i === 0 ? "packet" : i === 1 ? "packet_end" : i === 2 ? "packet_meta" : "scalar",
      }),
    ),
  },
  verdictName: () => undefined,
  createContext: () => {
    throw new Error("tests make their own");
  },
} as ProgType;

const FACTS = {
  reached: new Uint8Array(),
  liveBefore: new Uint16Array(),
  stackBytes: [],
  funcStarts: [],
  accessRegion: new Map(),
  callMapIdx: new Map(),
  callConstants: new Map(),
  callbackSlot: new Map(),
  liveIn: new Map(),
} as NonNullable<LinkedProg["facts"]>;

export const specOf = (insns: readonly Insn[], maps: readonly MapSpec[] = []): Spec =>
  makeProgSpec(insns, { name: "test", maps });

/** Links a program without helpers and maps, with or without proofs. */
export function link(spec: Spec, isProven: boolean): LinkedProg {
  return linkProg(spec, {
    maps: [],
    helpers: new Map(),
    progType,
    ...(isProven ? { facts: FACTS } : {}),
  });
}

/** A random program whose calls are all bpf-to-bpf or of helpers that do not exist here. */
export const randomSpec = (seed: number): Spec => randomProg({ seed, insnsMax: 40 });

export function makeMachine(): Machine {
  const memory = new LinearMemory({ initialBytes: 1 << 19 });
  return createMachine({ memory, services: {} as never, mapAt: () => undefined });
}

export const insn = (id: string, fields: Partial<Omit<Insn, "op">> = {}): Insn =>
  insnOfRow(rowOfId(id)!, fields);
