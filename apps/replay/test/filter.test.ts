import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FilterError } from "@tsbpf/cbpf";
import { createCaptureParser, createCaptureWriter, PacketCursor } from "@tsbpf/trace";
import { afterAll, describe, expect, it } from "vitest";
import { EXPRESSIONS } from "../../../packages/cbpf/test/expressions.ts";
import { namesFrom, PacketFilter, readProgram } from "../src/index.ts";

const LAB = new Uint8Array(readFileSync(new URL("../../../samples/captures/lab.pcap", import.meta.url)));
const dir = mkdtempSync(join(tmpdir(), "tsbpf-"));
afterAll(() => rmSync(dir, { recursive: true }));

interface Packet {
  readonly data: Uint8Array;
  readonly originalBytes?: number;
}

/** Puts every packet of a capture under a cursor. */
function* walk(file: Uint8Array): Generator<PacketCursor> {
  const parser = createCaptureParser();
  const cursor = new PacketCursor();
  parser.push(file);
  parser.end();
  while (parser.next(cursor)) yield cursor;
}

// One cursor goes from packet to packet, so each is copied before it moves on.
const packets: readonly Packet[] = Array.from(walk(LAB), (cursor) => ({ data: cursor.data().slice() }));
const ipPackets = packets.filter(({ data }) => [0x0800, 0x86dd].includes(typeOf(data)));

function typeOf(data: Uint8Array): number {
  return (data[12] as number) * 256 + (data[13] as number);
}

function capture(linkType: number, all: readonly Packet[], endian: "little" | "big" = "little"): Uint8Array {
  const writer = createCaptureWriter({ format: "pcap", linkType, endian });
  for (const [idx, packet] of all.entries()) writer.write({ tsNs: BigInt(idx) * 1_000_000_000n, ...packet });
  return writer.take();
}

/** The IP packets of the lab behind another link header. */
const behind = (
  linkType: number,
  header: (isIp6: boolean) => readonly number[],
  endian?: "little" | "big",
): Uint8Array =>
  capture(
    linkType,
    ipPackets.map(({ data }) => ({
      data: Uint8Array.from([...header(typeOf(data) === 0x86dd), ...data.subarray(14)]),
    })),
    endian,
  );

const etherType = (isIp6: boolean): readonly number[] => (isIp6 ? [0x86, 0xdd] : [0x08, 0x00]);
const FROM = [0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0];

/** Filters that load where libpcap finds nothing, and Linux facts or nothing. */
const FAR_LOADS = [
  "ether[4294963265:4] = 1",
  "ether[4294963200:2] = 1",
  "ether[4293918720] = 1",
  "ip[4294967295] = 1",
  "len > 5 or ether[0xfffff041] = 1",
];

/** How many packets a filter takes; what it says when it takes none because it does not fit. */
function count(file: Uint8Array, text: string): number | string {
  try {
    const filter = new PacketFilter({ text });
    let taken = 0;
    for (const cursor of walk(file)) if (filter.accepts(cursor)) taken += 1;
    return taken;
  } catch (error) {
    if (error instanceof FilterError) return error.message;
    throw error;
  }
}

/** The same by tcpdump. Filters may begin with a minus sign. */
function countByTcpdump(path: string, text: string): number | string {
  const { status, stdout, stderr } = spawnSync("tcpdump", ["-r", path, "--count", "--", text], {
    encoding: "utf8",
  });
  if (status === 0) return Number(/^(\d+) packet/m.exec(stdout)?.[1]);
  return (/^tcpdump: (.*)$/m.exec(stderr) ?? [])[1] ?? stderr;
}

const hasTcpdump = spawnSync("tcpdump", ["--version"]).status === 0;

const FILES: readonly (readonly [name: string, file: Uint8Array, every: number])[] = [
  ["Ethernet", LAB, 2],
  ["raw IP", behind(101, () => []), 18],
  ["BSD loopback", behind(0, (isIp6) => [isIp6 ? 30 : 2, 0, 0, 0]), 18],
  ["BSD loopback of a big-endian machine", behind(0, (isIp6) => [0, 0, 0, isIp6 ? 24 : 2], "big"), 18],
  ["cooked packets", behind(113, (isIp6) => [0, 4, ...FROM, ...etherType(isIp6)]), 18],
  [
    "cooked packets, second version",
    behind(276, (isIp6) => [...etherType(isIp6), 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 1, 2, 3, 4, 5, 6, 0, 0]),
    18,
  ],
  ["PPP", behind(9, (isIp6) => [0xff, 3, 0, isIp6 ? 0x57 : 0x21]), 18],
  [
    "packets cut short, to nothing as well",
    capture(
      1,
      packets.map(({ data }, idx) => ({ data: data.subarray(0, idx % 90), originalBytes: data.length })),
    ),
    18,
  ],
  [
    "packets that no program can reach the end of",
    capture(
      1,
      packets.slice(0, 20).map(({ data }, idx) => {
        const large = new Uint8Array(65_526 + idx);
        large.set(data);
        return { data: large, originalBytes: 70_000 };
      }),
    ),
    18,
  ],
];

describe.skipIf(!hasTcpdump)("filters take as many packets as tcpdump's", () => {
  it.each(FILES)("of %s", (name, file, every) => {
    const path = join(dir, "capture.pcap");
    writeFileSync(path, file);
    const shift = FILES.findIndex(([one]) => one === name);
    const filters = [
      ...EXPRESSIONS.filter((filter, idx) => idx % every === shift % every || filter.includes("protochain")),
      ...FAR_LOADS,
    ];
    let matching = 0;
    const differ = filters.flatMap((filter) => {
      const [ours, theirs] = [count(file, filter), countByTcpdump(path, filter)];
      if (ours !== 0) matching += 1;
      const isSame = typeof theirs === "string" ? typeof ours === "string" : ours === theirs;
      return isSame ? [] : [{ filter, ours, theirs }];
    });
    expect(differ).toEqual([]);
    expect(filters.length).toBeGreaterThan(every === 2 ? 200 : 25);
    expect(matching).toBeGreaterThan(filters.length / 10);
  });
});

describe("filters", () => {
  const first = (file: Uint8Array): PacketCursor => walk(file).next().value as PacketCursor;

  it("that fit no link type are told before there is a packet", () => {
    const make = (text: string) => () => new PacketFilter({ text });
    expect(make("port 99999")).toThrow("illegal port number 99999 > 65535");
    expect(make("tcp or")).toThrow("can't parse filter expression: syntax error");
    expect(make("1 = 2")).toThrow("expression rejects all packets");
    expect(make("host nobody")).toThrow("unknown host 'nobody'");
  });

  it("that fit some link types are told where they meet another", () => {
    const filter = new PacketFilter({ text: "outbound" });
    const cooked = behind(113, (isIp6) => [0, 4, ...FROM, ...etherType(isIp6)]);
    expect(filter.accepts(first(cooked))).toBe(true);
    expect(() => filter.accepts(first(LAB))).toThrow(
      "inbound/outbound not supported on Ethernet when reading savefiles",
    );
    const tcp = new PacketFilter({ text: "tcp" });
    expect(() => tcp.accepts(first(capture(147, packets.slice(0, 1))))).toThrow(
      /^packets of link type 147 found, filters know EN10MB, /,
    );
  });

  it("have no budget but their length", () => {
    const [{ data } = { data: new Uint8Array() }] = packets;
    const long = `len${"+1".repeat(20_000)}=${data.length + 20_000}`;
    for (const optimize of [true, false]) {
      expect(new PacketFilter({ text: long, optimize }).accepts(first(LAB))).toBe(true);
    }
  });

  it("walk a chain of headers that leads in a circle to its end, and take no packet", () => {
    // An authentication header that says to be followed by one. Its length of 8, and 2, times 4 is where it stands,
    // which libpcap takes for the offset of the next.
    const text = "ip6 protochain 17";
    const header = [0x60, 0, 0, 0, 0, 8, 51, 64, ...new Array<number>(32).fill(0)];
    const circle = Uint8Array.from([...header, 51, 8, 0, 0, 0, 0, 0, 0]);
    const filter = new PacketFilter({ text });
    expect(filter.accepts(first(capture(101, [{ data: circle }])))).toBe(false);
  });
});

describe("names of a machine's files", () => {
  const names = namesFrom({
    services:
      "http 80/tcp www # web\nhttp 80/udp\nssh 22/tcp\nntp 123/udp\nsip 5060/sctp\nmixed 1/tcp\nmixed 2/udp\n",
    protocols: "# Internet protocols\n\nudp\t17\tUDP\nmine 200\n",
    hosts: "127.0.0.1 localhost\n::1 localhost ip6-loopback # both\n",
    networks: "link-local 169.254.0.0\nten 10.0.0.0\n",
    ethers: "1:2:3:4:5:6 box\n",
  });

  it("are ports, with the protocol that has them alone", () => {
    expect(names.port?.("http")).toEqual({ port: 80, protocol: undefined });
    expect(names.port?.("www")).toEqual({ port: 80, protocol: 6 });
    expect(names.port?.("ssh")).toEqual({ port: 22, protocol: 6 });
    expect(names.port?.("ntp")).toEqual({ port: 123, protocol: 17 });
    expect(names.port?.("mixed")).toEqual({ port: 1, protocol: 6 });
    expect(names.port?.("sip")).toBeUndefined();
    expect(names.port?.("80/tcp")).toBeUndefined();
  });

  it("are protocols, hosts, networks and link-layer addresses", () => {
    expect([names.protocol?.("UDP"), names.protocol?.("mine"), names.protocol?.("17")]).toEqual([
      17,
      200,
      undefined,
    ]);
    expect(names.host?.("localhost")).toEqual(["127.0.0.1", "::1"]);
    expect(names.host?.("nobody")).toBeUndefined();
    expect([names.net?.("link-local"), names.net?.("ten")]).toEqual([0xa9fe, 10]);
    expect(names.ether?.("box")).toBe("1:2:3:4:5:6");
  });

  it("are none where there are no files", () => {
    const none = namesFrom({});
    expect([none.port?.("http"), none.protocol?.("udp"), none.host?.("localhost")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("programs", () => {
  const read = (text: string) => readProgram(new TextEncoder().encode(text), "one");

  it("are classic when their text is", () => {
    const { source, isClassic } = read("ldh [12]\njeq #0x800, yes, no\nyes: ret #-1\nno: ret #0\n");
    expect(isClassic).toBe(true);
    expect(source).toMatchObject({ name: "one", type: "socket_filter" });
  });

  it("are left alone otherwise", () => {
    expect(read("r0 = 2\nexit\n")).toEqual({ source: "r0 = 2\nexit\n", isClassic: false });
    const bytes = Uint8Array.from([0x95, 0, 0, 0, 0, 0, 0, 0]);
    expect(readProgram(bytes, "raw")).toEqual({ source: bytes, isClassic: false });
  });

  it("are refused where Linux refuses them", () => {
    expect(() => read("again: ja again\nret #0\n")).toThrow(/ja to 0, 1\.\.1 allowed, at 0/);
    expect(() => read("2\n6 0 0 1\n")).toThrow("count 2 and 4 numbers found");
  });
});
