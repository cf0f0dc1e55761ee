import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Conversion,
  captureToTrace,
  createTraceWriter,
  encodeCapture,
  type PacketRecord,
  traceToCapture,
} from "../src/index.ts";
import { cat, frame, pcapHead, pcapPacket } from "./bytes.ts";
import { annotations, interfaces, packetBytes } from "./random.ts";
import { readWhole } from "./reading.ts";
import { SAMPLES } from "./samples.ts";
import { readTraceWhole, runsOf, sampleTrace } from "./trace-reading.ts";

async function bytesOf(conversion: Conversion): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of conversion) parts.push(part);
  return cat(...parts);
}

const contents = ({ fileOffset: _, ...rest }: PacketRecord): object => rest;
const codes = (conversion: Conversion): string[] => conversion.warnings.map((warning) => warning.code);

describe("captures through a trace and back", () => {
  it.each(SAMPLES)("%s: every packet is the same", async (_, bytes) => {
    const trace = await bytesOf(captureToTrace(bytes));
    const back = await bytesOf(traceToCapture(trace, { format: "pcapng", strict: false }));
    const before = readWhole(bytes);
    const after = readWhole(back);
    // A packet without time is written as one only for the file's first interface.
    const timeless = after.records.map((record, i) => ({
      ...record,
      ...(before.records[i]?.hasTime ? {} : { hasTime: false, tsNs: 0n }),
    }));
    expect(timeless.map((record) => contents(record))).toEqual(before.records.map(contents));
    const plain = (reading: typeof before): unknown =>
      reading.parser.interfaces.map(({ statistics: _s, sectionIdx: _i, ...rest }) => rest);
    expect(plain(after)).toEqual(plain(before));
  });

  it("keep everything a packet record says", async () => {
    const captures = fc.record({
      interfaces: fc.array(
        interfaces("little").filter((iface) => (iface.timeOffsetSec ?? 0n) >= 0n),
        { minLength: 1, maxLength: 2 },
      ),
      packets: fc.array(
        fc.record({
          notes: annotations("little"),
          data: packetBytes,
          tsNs: fc.bigInt({ min: 2n ** 61n, max: 2n ** 62n }),
        }),
        { maxLength: 6 },
      ),
    });
    await fc.assert(
      fc.asyncProperty(captures, async (capture) => {
        const coarse = capture.interfaces.map((iface) => ({
          ...iface,
          timeResolution: { base: 10 as const, exponent: 9 },
        }));
        const file = encodeCapture(
          capture.packets.map(({ notes, ...packet }, i) => ({
            ...packet,
            ...notes,
            interfaceIdx: i % coarse.length,
          })),
          { format: "pcapng", interfaces: coarse },
        );
        const back = await bytesOf(
          traceToCapture(await bytesOf(captureToTrace(file)), { format: "pcapng", strict: true }),
        );
        expect(back).toEqual(file);
      }),
      { numRuns: 80 },
    );
  });

  it("give ifindexes, and name what a trace does not hold", async () => {
    const conversion = captureToTrace(SAMPLES[2]![1], {
      trace: { programs: [{ name: "p", progType: "xdp" }] },
    });
    const { parser } = readTraceWhole(await bytesOf(conversion), { strict: true });
    expect(parser.interfaces.map(({ ifindex, linkType }) => [ifindex, linkType])).toEqual([
      [1, 1],
      [2, 101],
    ]);
    expect(parser.info.comments).toEqual(["hello"]);
    expect(parser.programs).toHaveLength(1);
    expect(codes(conversion)).toEqual([
      "TRACE_NAMES_DROPPED",
      "TRACE_STATISTICS_DROPPED",
      "TRACE_SECTION_DROPPED",
    ]);
  });

  it("without packets keep their interfaces", async () => {
    const trace = await bytesOf(captureToTrace(pcapHead({ link: 113 })));
    expect(readTraceWhole(trace).parser.interfaces).toMatchObject([{ linkType: 113 }]);
    for (const format of ["pcap", "pcapng"] as const) {
      const back = readWhole(await bytesOf(traceToCapture(trace, { format })));
      expect(back.parser.interfaces).toMatchObject([{ linkType: 113 }]);
    }
  });

  it("hand on the errors and warnings of their sources", async () => {
    const cut = captureToTrace(cat(pcapHead(), pcapPacket(frame(30)), frame(3)));
    expect(runsOf(readTraceWhole(await bytesOf(cut)))).toHaveLength(1);
    expect(codes(cut)).toEqual(["PCAP_TRUNCATED"]);
    await expect(bytesOf(captureToTrace(frame(40)))).rejects.toMatchObject({ code: "TRACE_MAGIC" });
    await expect(bytesOf(captureToTrace(sampleTrace().bytes))).rejects.toMatchObject({
      code: "TRACE_NOT_CAPTURE",
    });
    await expect(bytesOf(traceToCapture(pcapHead(), { format: "pcap" }))).rejects.toMatchObject({
      code: "TRACE_FILE_MAGIC",
    });
  });
});

describe("traces as captures", () => {
  it("show results as verdicts and name what is left out", async () => {
    const conversion = traceToCapture(sampleTrace().bytes, { format: "pcapng" });
    const { records, parser } = readWhole(await bytesOf(conversion));
    expect(records).toHaveLength(12);
    expect(records[1]).toMatchObject({
      tsNs: 1_700_000_000_000_000_001n,
      verdicts: [{ kind: "xdp", value: 2n }],
      direction: "inbound",
      queue: 1,
      originalBytes: 1500,
    });
    expect(parser.interfaces).toMatchObject([{ name: "eth0", linkType: 1 }]);
    expect(parser.sections).toMatchObject([{ application: "test" }]);
    expect(codes(conversion)).toEqual([
      "TRACE_CONTENTS_DROPPED",
      "TRACE_EVENTS_DROPPED",
      "TRACE_CTX_DROPPED",
      "TRACE_CPU_DROPPED",
    ]);
    await expect(
      bytesOf(traceToCapture(sampleTrace().bytes, { format: "pcapng", strict: true })),
    ).rejects.toMatchObject({
      code: "TRACE_CONTENTS_DROPPED",
    });
  });

  it("leave out runs without packets and assume Ethernet where no interface is given", async () => {
    const writer = createTraceWriter({ programs: [{ name: "s", progType: "socket_filter" }] });
    writer.writeRun({ tsNs: 5n, ctx: frame(8) });
    writer.writeRun({ tsNs: 6n, packet: frame(20), r0: 1n });
    writer.end();
    const trace = writer.take();
    for (const format of ["pcap", "pcapng"] as const) {
      const conversion = traceToCapture(trace, { format });
      const { records } = readWhole(await bytesOf(conversion));
      expect(records).toMatchObject([{ tsNs: 6n, linkType: 1, data: frame(20) }]);
      expect(codes(conversion)).toEqual([
        "TRACE_CTX_DROPPED",
        "TRACE_RUN_DROPPED",
        ...(format === "pcap"
          ? ["TRACE_RESULT_DROPPED"]
          : ["TRACE_RESULT_DROPPED", "TRACE_INTERFACE_ASSUMED"]),
      ]);
    }
  });

  it("of several link types do not go into pcap", async () => {
    const trace = await bytesOf(captureToTrace(SAMPLES[2]![1]));
    await expect(bytesOf(traceToCapture(trace, { format: "pcap" }))).rejects.toMatchObject({
      code: "PCAP_MIXED_LINK_TYPES",
    });
  });
});
