import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { walkCapture } from "@tsbpf/trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PacketPrinter, printHexDump, printPacketLine } from "../src/index.ts";

const lab = fileURLToPath(new URL("../../../samples/captures/lab.pcap", import.meta.url));
const records = [...walkCapture(new Uint8Array(readFileSync(lab)))];

const tcpdump = (...words: readonly string[]): string[] => {
  const { status, stdout } = spawnSync("tcpdump", ["-n", "-t", ...words, "-r", lab], { encoding: "utf8" });
  return status === 0 ? stdout.trimEnd().split("\n") : [];
};
const hasTcpdump = tcpdump("-c", "1").length > 0;

describe("packet lines", () => {
  it.skipIf(!hasTcpdump).each([
    ["", {}],
    ["-e", { showLink: true }],
    ["-q", { isQuick: true }],
    ["-S", { absoluteSeq: true }],
  ] as const)("are those of tcpdump %s", (flag, options) => {
    const printer = new PacketPrinter(options);
    const ours = records.map(({ data, linkType, originalBytes }) =>
      printer.print(data, linkType, originalBytes),
    );
    const theirs = tcpdump(...(flag === "" ? [] : [flag]));
    expect(theirs).toHaveLength(778);
    expect(ours.filter((line, idx) => line !== theirs[idx])).toEqual([]);
  });

  it("tell TCP's numbers from the start of a connection, and as they are", () => {
    const first = new PacketPrinter();
    const lines = records.map(({ data, linkType }) => first.print(data, linkType));
    expect(lines.some((line) => line.includes("seq 1:"))).toBe(true);
    expect(printPacketLine(records[0]?.data ?? new Uint8Array(0), 1)).toMatch(
      /^IP6 :: > ff02::16: HBH ICMP6/,
    );
  });

  it("never fail, whatever the bytes", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc
        .tuple(
          fc.nat(records.length - 1),
          fc.nat(200),
          fc.array(fc.tuple(fc.nat(199), fc.nat(255)), { maxLength: 4 }),
        )
        .map(([idx, end, changes]) => {
          const frame = (records[idx]?.data ?? new Uint8Array(0)).slice(0, end);
          for (const [at, value] of changes) if (at < frame.length) frame[at] = value;
          return frame;
        }),
    );
    const printer = new PacketPrinter();
    fc.assert(
      fc.property(bytes, fc.constantFrom(0, 1, 101, 113, 276, 147), (frame, linkType) => {
        const line = printPacketLine(frame, linkType, { showLink: true });
        expect(line).not.toMatch(/NaN|undefined|\n/);
        expect(printer.print(frame, linkType)).not.toMatch(/NaN|undefined|\n/);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("hex dumps", () => {
  it("look as tcpdump's -X", () => {
    const dump = printHexDump(new TextEncoder().encode("GET / HTTP/1.1\r\nX"), { withText: true });
    expect(dump).toBe(
      "\t0x0000:  4745 5420 2f20 4854 5450 2f31 2e31 0d0a  GET./.HTTP/1.1..\n\t0x0010:  58                                       X",
    );
  });
});
