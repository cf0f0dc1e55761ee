import { makeProgSpec } from "@tsbpf/abi";
import {
  CBPF_ROWS,
  type CbpfForm,
  type CbpfInsn,
  findCbpfIssue,
  makeCbpf,
  printCbpfListing,
  runCbpf,
  translateCbpf,
} from "@tsbpf/cbpf";
import { createVm } from "@tsbpf/vm";
import { evaluateClassic } from "./cbpf-reference.ts";
import type { Random } from "./random.ts";

const CONSTANTS = [0, 1, 2, 3, 4, 6, 12, 14, 20, 23, 31, 32, 40, 63, 64, 255, 256, 0x0800, 0x86dd] as const;
const EDGES = [
  0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_f000, 0xffff_f014, 0xffff_f028, 0xffff_f030, 0xffe0_0000,
  0xffe0_000e, 0xfff0_0000,
] as const;
const TRIES_MAX = 50;

const constantOf = (random: Random): number =>
  random.chance(12) ? random.pick(EDGES) : random.chance(10) ? random.u32() : random.pick(CONSTANTS);

/** An instruction that may stand at `at` of a program with so many, and is nearly always one that Linux takes. */
function randomInsn(random: Random, at: number, length: number): CbpfInsn {
  const { code, action } = random.pick(CBPF_ROWS);
  const room = Math.max(0, length - at - 2);
  const jump = (): number => random.below(Math.min(room, 12) + 1);
  switch (action.kind) {
    case "mem":
    case "store":
      return makeCbpf(code, random.below(random.chance(2) ? 20 : 3));
    case "jump":
      return makeCbpf(code, jump());
    case "branch":
      return makeCbpf(code, constantOf(random), jump(), jump());
    case "alu":
      if (action.op === "lsh" || action.op === "rsh") return makeCbpf(code, random.below(32));
      return makeCbpf(code, constantOf(random) || 1);
    case "return":
      // Few, or hardly anything behind them would run.
      return random.chance(20) ? makeCbpf(code, constantOf(random)) : makeCbpf(0x07);
    default:
      return makeCbpf(code, random.chance(70) ? random.below(48) : constantOf(random));
  }
}

/** Makes a program that Linux takes; scratch words are set first so that many may be read. */
export function randomProgram(random: Random): CbpfInsn[] {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const length = random.range(4, 60);
    const head = [makeCbpf(0x02, 0), makeCbpf(0x03, 1), makeCbpf(0x02, 2)];
    const body = Array.from({ length }, (_, at) => randomInsn(random, at, length));
    const insns = [...head, ...body, makeCbpf(0x16)];
    if (findCbpfIssue(insns) === undefined) return insns;
  }
  return [makeCbpf(0x16)];
}

/** A packet that is often one of IPv4 or IPv6; sometimes of hardly any bytes. */
export function randomPacket(random: Random): Uint8Array {
  const length = random.chance(10) ? random.range(14, 20) : random.range(20, 140);
  const packet = Uint8Array.from({ length }, () => random.below(256));
  if (random.chance(60) && length > 24) packet.set([0x08, 0x00, 0x45], 12);
  else if (random.chance(50) && length > 24) packet.set([0x86, 0xdd, 0x60], 12);
  return packet;
}

/** Facts that are 0 for packets that nobody has marked or tagged: mark, VLAN tag, whether there is one. */
const NOTHING_SET = [20, 44, 48].map((fact) => [fact, 0] as const);

/** What Linux notes as a packet's protocol. @source linux net/ethernet/eth.c eth_type_trans */
function protocolOf(packet: Uint8Array): number {
  const word = (at: number): number => (packet[at] ?? 0) * 256 + (packet[at + 1] ?? 0);
  if (word(12) >= 0x600) return word(12);
  return packet.length >= 16 && word(14) === 0xffff ? 0x0001 : 0x0004;
}

const ENGINES = ["interpreter", "jit"] as const;
const FORMS: readonly CbpfForm[] = ["skb", "frame"];

/** Says what differs between the evaluators of a program; nothing when they agree. */
export function judgeProgram(insns: readonly CbpfInsn[], packets: readonly Uint8Array[]): string[] {
  const problems: string[] = [];
  for (const form of FORMS) {
    const isLinux = form === "skb";
    const type = isLinux ? "socket_filter" : "xdp";
    const spec = makeProgSpec(translateCbpf(insns, { form }), { name: "fuzz", type });
    const wanted = packets.map((packet) =>
      evaluateClassic(insns, packet, {
        isLinux,
        wireBytes: packet.length,
        facts: new Map([[0, protocolOf(packet)], ...NOTHING_SET]),
      }),
    );
    const told = packets.map((bytes) =>
      runCbpf(
        insns,
        { bytes, facts: { protocol: protocolOf(bytes), mark: 0, vlanTag: 0, vlanPresent: 0 } },
        { rules: isLinux ? "linux" : "libpcap" },
      ),
    );
    const found: [string, number[]][] = [["runCbpf", told]];
    for (const engine of ENGINES) {
      const prog = createVm().load(spec, { engine, verify: "strict" });
      const results = packets.map((packet) =>
        prog.execute(
          isLinux ? { packet, startsAt: "link" } : { packet, fields: { rx_queue_index: packet.length } },
        ),
      );
      found.push([engine, results.map(({ r0, trap }) => (trap === undefined ? Number(r0) : -1))]);
    }
    for (const [name, results] of found)
      if (results.join() !== wanted.join())
        problems.push(`${form} ${name}: ${results} where ${wanted} is right\n${printCbpfListing(insns)}`);
  }
  return problems;
}
