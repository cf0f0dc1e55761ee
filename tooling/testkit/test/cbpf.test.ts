import { makeProgSpec, type ProgSpec } from "@tsbpf/abi";
import { printHexBytes } from "@tsbpf/base";
import {
  type CbpfForm,
  type CbpfInsn,
  compileFilter,
  FilterError,
  printCbpfListing,
  runCbpf,
  translateCbpf,
} from "@tsbpf/cbpf";
import { isBpfAllowed, runKernelCases, toKernelCase } from "@tsbpf/kernel";
import { createVm } from "@tsbpf/vm";
import { describe, expect, it } from "vitest";
import { classic, randomClassic } from "../../../packages/cbpf/test/classic.ts";
import { EXPRESSIONS } from "../../../packages/cbpf/test/expressions.ts";
import { type Random, seeded } from "../../../packages/cbpf/test/random-filter.ts";
import { bothEngines } from "../src/index.ts";

/** More of them: `RANDOM_PROGS=10000 npx vitest run --project tooling tooling/testkit`. */
const COUNT = Number(process.env.RANDOM_PROGS ?? 120);

const toSpec = (name: string, code: readonly CbpfInsn[], form: CbpfForm): ProgSpec =>
  makeProgSpec(translateCbpf(code, { form }), { name, type: form === "skb" ? "socket_filter" : "xdp" });

/** A packet that is often one of IPv4 or IPv6 with TCP or UDP. */
function randomPacket(random: Random): Uint8Array {
  const packet = Uint8Array.from({ length: 60 + random.below(60) }, () => random.below(256));
  const isIp6 = random.below(3) === 0;
  packet.set(isIp6 ? [0x86, 0xdd, 0x60] : [0x08, 0x00, 0x45 + random.below(3)], 12);
  packet[isIp6 ? 20 : 23] = [6, 17, 1, 58, 132][random.below(5)] as number;
  if (!isIp6) packet.set([0, 0], 20);
  return packet;
}

/** Holds both engines to the reference, on packets whose view starts at the link header. */
function expectReference(code: readonly CbpfInsn[], form: CbpfForm, packets: readonly Uint8Array[]): void {
  const rules = form === "skb" ? "linux" : "libpcap";
  const expected = packets.map((bytes) => runCbpf(code, { bytes }, { rules }));
  const { interpreter, jit } = bothEngines({
    source: toSpec("classic", code, form),
    load: { verify: "strict" },
    inputs: packets.map((packet) =>
      form === "skb"
        ? { packet, startsAt: "link" as const }
        : { packet, fields: { rx_queue_index: packet.length } },
    ),
  });
  const results = interpreter.runs.map((run) => Number((run as { r0: bigint }).r0));
  expect(results, `${form}\n${printCbpfListing(code)}`).toEqual(expected);
  expect(jit.runs).toEqual(interpreter.runs);
}

describe("translated classic programs", () => {
  const random = seeded(20_261_125);
  const below = (end: number): number => random.below(end);

  it("are accepted, and do on both engines what the reference does: random programs", () => {
    for (let i = 0; i < COUNT; i++) {
      const code = classic(randomClassic(below, 8 + below(40)));
      const packets = [randomPacket(random), randomPacket(random), randomPacket(random)];
      expectReference(code, "skb", packets);
      expectReference(code, "frame", packets);
    }
  });

  it("are accepted, and do on both engines what the reference does: filters", () => {
    const packets = Array.from({ length: 6 }, () => randomPacket(random));
    let count = 0;
    for (const filter of EXPRESSIONS.filter((_, i) => i % 4 === 0)) {
      const code = compileOrNothing(filter);
      if (code === undefined) continue;
      expectReference(code, "skb", packets);
      expectReference(code, "frame", packets);
      count += 1;
    }
    expect(count).toBeGreaterThan(80);
  });

  it.skipIf(!isBpfAllowed())("are accepted by the running kernel, which returns the same", async () => {
    const packets = Array.from({ length: 4 }, () => randomPacket(random));
    const codes = [
      ...Array.from({ length: 40 }, () => classic(randomClassic(below, 8 + below(40)))),
      ...EXPRESSIONS.filter((_, i) => i % 8 === 3).flatMap((filter) => {
        const code = compileOrNothing(filter);
        return code === undefined ? [] : [code];
      }),
    ];
    const specs = codes.flatMap((code) => [toSpec("skb", code, "skb"), toSpec("frame", code, "frame")]);
    const run = packets.map((packet) => ({ data: printHexBytes(packet) }));
    const answers = await runKernelCases(specs.map((spec) => ({ ...toKernelCase(spec), log_level: 0, run })));
    answers.forEach((answer, i) => {
      const spec = specs[i] as ProgSpec;
      const prog = createVm({ isTestRun: true }).load(spec);
      const ours = packets.map((packet) => prog.run({ packet }).retval);
      const theirs = (answer.runs ?? []).map(({ retval }) => retval);
      expect(theirs, `${spec.name}\n${printCbpfListing(codes[i >> 1] as CbpfInsn[])}`).toEqual(ours);
    });
    expect(answers.length).toBeGreaterThan(100);
  });
});

/** Code of a filter that needs no facts besides the packet and no loop; undefined for others. */
function compileOrNothing(filter: string): CbpfInsn[] | undefined {
  if (/protochain|inbound|outbound|ifindex/.test(filter)) return undefined;
  try {
    return compileFilter(filter);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return undefined;
  }
}
