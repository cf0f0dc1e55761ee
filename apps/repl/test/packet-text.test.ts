import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCaptureWriter } from "../../../packages/trace/src/index.ts";
import { printPacketLine } from "../../replay/src/index.ts";
import { buildPacket } from "../src/core/packet-build.ts";
import { DEFAULT_PACKET } from "../src/core/packet-fields.ts";
import { isPacketText } from "../src/core/packet-text.ts";
import { last } from "./support.ts";

/** Texts, each with what tcpdump says of the packet. */
const TEXTS: readonly (readonly [text: string, line: string])[] = [
  ["tcp dport=80 flags=syn", "IP 10.0.0.1.1234 > 10.0.0.2.80: Flags [S], seq 0, win 65535, length 0"],
  [
    "tcp dport=443 flags=SA ack=7",
    "IP 10.0.0.1.1234 > 10.0.0.2.443: Flags [S.], seq 0, ack 7, win 65535, length 0",
  ],
  [
    "tcp flags=psh+ack seq=5 ack=9 payload=abcd sport=7",
    "IP 10.0.0.1.7 > 10.0.0.2.80: Flags [P.], seq 5:9, ack 9, win 65535, length 4: HTTP",
  ],
  [
    'vlan id=10 prio=3/ip src=10.0.0.9/udp dport=53 payload="hi"',
    "IP 10.0.0.9.1234 > 10.0.0.2.53: [|domain]",
  ],
  ["eth/ip6/udp dport=9 payload=0x010203", "IP6 2001:db8::1.1234 > 2001:db8::2.9: UDP, length 3"],
  ["udp src=fe80::1 dst=ff02::fb dport=9", "IP6 fe80::1.1234 > ff02::fb.9: UDP, length 0"],
  ["icmp id=4 seq=2", "IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 4, seq 2, length 8"],
  [
    "icmp6 type=129 dst=2001:db8::9",
    "IP6 2001:db8::1 > 2001:db8::9: ICMP6, echo reply, id 1, seq 1, length 8",
  ],
  ["arp src=192.0.2.1 dst=192.0.2.9", "ARP, Request who-has 192.0.2.9 tell 192.0.2.1, length 46"],
  ["ip proto=89 ttl=1", "IP 10.0.0.1 > 10.0.0.2: OSPF, length 0"],
];

const hasTcpdump = spawnSync("tcpdump", ["--version"]).status === 0;

describe("packets from text", () => {
  it.each(TEXTS)("%s", async (text, line) => {
    expect(isPacketText(text)).toBe(true);
    expect(printPacketLine(buildPacket(text), 1)).toBe(line);
    expect(await last([`.pkt ${text}`])).toMatch(/^packet of \d+ bytes/);
  });

  it.skipIf(!hasTcpdump)("have lengths and checksums that tcpdump finds right", () => {
    const writer = createCaptureWriter({ format: "pcap", linkType: 1, resolution: "us" });
    const texts = TEXTS.map(([text]) => text).filter((text) => !/ip proto|arp/.test(text));
    for (const text of texts) writer.write({ data: buildPacket(text), tsNs: 0n });
    const { stdout } = spawnSync("tcpdump", ["-n", "-t", "-vv", "-r", "-"], {
      input: writer.take(),
      encoding: "utf8",
    });
    expect(stdout.match(/\(correct\)|cksum ok|sum ok/g)).toHaveLength(
      // Of ICMP only wrong sums are told.
      texts.filter((text) => !text.startsWith("icmp ")).length,
    );
    expect(stdout).not.toMatch(/incorrect|wrong|bad |truncated|\(->/);
  });

  it("are the default packet where nothing else is said", () => {
    const built = buildPacket("ip id=1/udp payload=tsbpf len=60");
    expect(printPacketLine(built, 1).replace(/length \d+/, "")).toBe(
      printPacketLine(DEFAULT_PACKET, 1).replace(/length \d+/, ""),
    );
  });

  it.each([
    ["tcp/ip", "ip inside tcp, which cannot carry it"],
    ["tcp foo=1", "no field foo in eth/ip/tcp"],
    ["tcp dport=65536", "tcp dport=65536 found, 0..65535 needed"],
    ["tcp flags=nonsense", "names such as syn+ack"],
    ["ip src=10.0.0.256", "an address such as 10.0.0.1 needed"],
    ["ip6 src=1:2:3", "an address such as 2001:db8::1 needed"],
    ["eth src=1", "an address such as 02:00:00:00:00:01 needed"],
    ["udp len=20", "the packet has 42 bytes, 20 allowed"],
    ["udp len=99999", "0..65535 needed"],
    ['udp payload="\\q"', "escapes are those of JSON"],
  ])("are refused: %s", async (text, why) => {
    expect(await last([`.pkt ${text}`])).toContain(why);
  });

  it("are not taken for files, nor files for them", async () => {
    expect(isPacketText("tcp/lab.pcap#3")).toBe(false);
    expect(isPacketText("lab.pcap#3")).toBe(false);
    expect(isPacketText("show")).toBe(false);
    expect(await last([".pkt tcp.pcap#1"])).toContain("FILE_UNREADABLE");
  });

  it("never end in a bug, whatever is written", () => {
    const words = fc.constantFrom(
      "eth",
      "vlan",
      "ip",
      "ip6",
      "arp",
      "tcp",
      "udp",
      "icmp",
      "icmp6",
      "sport=1",
      "src=::1",
      "src=1.2.3.4",
      "flags=S",
      "flags=",
      "payload=",
      'payload="a/b"',
      "len=64",
      "=",
      "type=300",
      "/",
      " ",
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 8 }), (parts) => {
        const text = parts.join(" ");
        if (!isPacketText(text)) return;
        try {
          expect(buildPacket(text).length).toBeGreaterThanOrEqual(60);
        } catch (error) {
          expect((error as { code?: string }).code).toBe("REPL_PACKET");
        }
      }),
      { numRuns: 3000 },
    );
  });
});
