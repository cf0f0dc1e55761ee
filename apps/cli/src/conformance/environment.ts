import type { HelperProto } from "@tsbpf/abi";
import { defineHelper, defineProgType, type HelperPlugin, type Services } from "@tsbpf/plugin";

/** A program that gets a piece of memory and nothing else. */
export const MEMORY_PROG = defineProgType({
  type: "unspec",
  summary: "Code over a piece of memory, for instruction tests.",
  source: "bpf_conformance README",
  ctx: { struct: "memory", sizeBytes: 0, fields: [] },
  verdictName: () => undefined,
  createContext: () => ({
    address: 0,
    packet: undefined,
    load: () => undefined,
    readPacket: () => new Uint8Array(0),
    readCtx: () => new Uint8Array(0),
  }),
});

const proto = (id: number, name: string, argCount: number): HelperProto => ({
  id,
  name,
  args: Array.from({ length: argCount }, (_, i) => ({ name: `arg${i + 1}`, kind: "scalar" })),
  ret: { kind: "int" },
  isGplOnly: false,
  invalidatesPacket: false,
  maySleep: false,
  isFastcall: false,
  allowsPacketMem: true,
  callsBack: false,
  signature: name,
  since: "custom",
});

/** The helpers that instruction tests call by number; they compute on their arguments. */
const helpers: readonly HelperPlugin[] = [
  defineHelper({
    proto: proto(0, "gather_bytes", 5),
    summary: "Packs the low bytes of five arguments, the first on top.",
    raw: (regs) => {
      const byte = (reg: number): number => (regs[2 * reg] ?? 0) & 0xff;
      regs[0] = (byte(2) << 24) | (byte(3) << 16) | (byte(4) << 8) | byte(5);
      regs[1] = byte(1);
    },
  }),
  defineHelper({
    proto: proto(3, "square_root", 1),
    summary: "The integer square root of its argument.",
    raw: (regs) => {
      const value = (regs[3] ?? 0) * 2 ** 32 + ((regs[2] ?? 0) >>> 0);
      regs[0] = Math.floor(Math.sqrt(value));
      regs[1] = 0;
    },
  }),
  defineHelper({
    proto: proto(5, "unwind", 1),
    summary: "Gives its argument back; a caller that gets zero would be left, which no test here asks for.",
    raw: (regs) => {
      regs[0] = regs[2] ?? 0;
      regs[1] = regs[3] ?? 0;
    },
  }),
];

const fixed = { ktimeNs: () => 0n, bootNs: () => 0n, coarseNs: () => 0n, taiNs: () => 0n, jiffies: () => 0n };

/** Everything that a program of an instruction test may reach. */
export const conformanceHelpers: {
  readonly byId: ReadonlyMap<number, HelperPlugin>;
  readonly services: Services;
} = {
  byId: new Map(helpers.map((one) => [one.proto.id, one])),
  services: {
    clock: fixed,
    random: { u32: () => 4 },
    network: { devices: [], routes: [], neighbours: [] },
    task: { pid: 1, tgid: 1, uid: 0, gid: 0, comm: "tsbpf", cgroupId: 1n },
    numaNode: 0,
  },
};
