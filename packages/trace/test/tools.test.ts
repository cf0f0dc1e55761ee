import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { encodeCapture, type PacketRecord } from "../src/index.ts";
import {
  ascii,
  cat,
  epb,
  frame,
  idb,
  type Order,
  obsoletePb,
  pcapHead,
  pcapPacket,
  shb,
  spb,
  u32,
  u64,
} from "./bytes.ts";
import { readAll, readWhole } from "./reading.ts";

const TOOLS = ["tshark", "editcap", "mergecap", "randpkt", "capinfos"];
const hasTools = TOOLS.every((tool) => {
  try {
    execFileSync(tool, ["--version"], { stdio: "ignore" });
    return true;
  } catch (error) {
    // randpkt knows no --version; that it ran at all is enough.
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
});

const dir = hasTools ? mkdtempSync(join(tmpdir(), "tsbpf-trace-")) : "";
afterAll(() => {
  if (dir !== "") rmSync(dir, { recursive: true });
});

const at = (name: string): string => join(dir, name);
const run = (tool: string, ...args: string[]): string =>
  execFileSync(tool, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
const load = (name: string): Uint8Array => new Uint8Array(readFileSync(at(name)));

const FIELDS = [
  "number",
  "time_epoch",
  "len",
  "cap_len",
  "packet_flags_direction",
  "interface_queue",
  "packet_id",
] as const;

/** One line a packet, as tshark sees a file; empty fields are those the file does not give. */
function tsharkRows(name: string, more: readonly string[] = []): string[] {
  const fields = [...FIELDS.map((field) => `frame.${field}`), ...more].flatMap((field) => ["-e", field]);
  const out = run("tshark", "-n", "-r", at(name), "-T", "fields", "-E", "separator=|", ...fields);
  return out.split("\n").slice(0, -1);
}

const DIRECTIONS = { inbound: "0x00000001", outbound: "0x00000002" };

/** The same line out of a record. */
function row(record: PacketRecord): string {
  const fraction = String(record.tsNs % 1_000_000_000n).padStart(9, "0");
  return [
    record.index + 1,
    record.hasTime ? `${record.tsNs / 1_000_000_000n}.${fraction}` : "",
    record.originalBytes,
    record.capturedBytes,
    record.direction === undefined ? "" : DIRECTIONS[record.direction],
    record.queue ?? "",
    record.packetId ?? "",
  ].join("|");
}

describe.skipIf(!hasTools)("captures made by Wireshark's tools", () => {
  it.each(["tcp", "dns", "usb-linux", "sctp"])("of %s packets read the same in every format", (type) => {
    run("randpkt", "-b", "600", "-c", "40", "-t", type, at(`${type}.raw`));
    run("editcap", "-F", "pcapng", "-t", "1700000000.123456", at(`${type}.raw`), at(`${type}.pcapng`));
    const expected = tsharkRows(`${type}.pcapng`);
    expect(expected).toHaveLength(40);
    for (const format of ["pcap", "nsecpcap", "pcapng"]) {
      run("editcap", "-F", format, at(`${type}.pcapng`), at(`${type}.${format}`));
      const { records, parser } = readWhole(load(`${type}.${format}`), { strict: true });
      expect(records.map(row)).toEqual(expected);
      expect(parser.format).toBe(format === "pcapng" ? "pcapng" : "pcap");
    }
  });

  it("are written byte for byte as editcap writes them", () => {
    for (const [format, resolution] of [
      ["pcap", "us"],
      ["nsecpcap", "ns"],
    ] as const) {
      const file = load(`tcp.${format}`);
      const { records, parser } = readWhole(file);
      const { linkType, snaplenBytes } = parser.interfaces[0]!;
      expect(encodeCapture(records, { format: "pcap", resolution, linkType, snaplenBytes })).toEqual(file);
    }
  });

  it("merged from several link types keep each packet's interface", () => {
    run("mergecap", "-w", at("merged.pcapng"), at("tcp.pcapng"), at("dns.nsecpcap"), at("usb-linux.pcap"));
    const { records, parser } = readWhole(load("merged.pcapng"));
    const rows = tsharkRows("merged.pcapng", ["frame.interface_id"]);
    expect(records.map((record) => `${row(record)}|${record.interfaceIdx}`)).toEqual(rows);
    expect(rows).toHaveLength(120);
    expect(new Set(parser.interfaces.map((iface) => iface.linkType)).size).toBeGreaterThan(1);
    expect(run("capinfos", "-Tmrc", at("merged.pcapng"))).toContain(",120");
  });

  it("cut anywhere give the packets that tshark gives", () => {
    for (const format of ["pcap", "pcapng"]) {
      const whole = load(`tcp.${format}`);
      for (const part of [0.37, 0.81]) {
        const cut = whole.subarray(0, Math.floor(whole.length * part));
        writeFileSync(at(`cut.${format}`), cut);
        let rows: string[] = [];
        try {
          rows = tsharkRows(`cut.${format}`);
        } catch (error) {
          rows = String((error as { stdout?: unknown }).stdout)
            .split("\n")
            .slice(0, -1);
        }
        expect(rows.length).toBeGreaterThan(5);
        expect(readWhole(cut).records.map(row)).toEqual(rows);
      }
    }
  });

  it.each(["modpcap", "suse6_3pcap", "snoop", "netmon1", "netmon2", "ngsniffer", "ngwsniffer_2_0"])(
    "in the format %s are refused by name",
    (format) => {
      run("randpkt", "-b", "100", "-c", "3", "-t", "udp", at("udp.raw"));
      run("editcap", "-F", format, at("udp.raw"), at("udp.other"));
      expect(readAll(load("udp.other")).error?.code).toBe("UNSUPPORTED_CAPTURE_FORMAT");
    },
  );
});

/** A pcapng file with everything that tshark counts as a packet, in one byte order after the other. */
function everyBlock(first: Order, second: Order): Uint8Array {
  const section = (order: Order): Uint8Array =>
    cat(
      shb(order, [[4, ascii("generator")]]),
      idb(order, [[9, Uint8Array.of(9)]], 1, 50),
      idb(
        order,
        [
          [2, ascii("eth1")],
          [9, Uint8Array.of(0x80 | 10)],
          [14, u64(1_600_000_000n, order)],
        ],
        1,
      ),
      idb(order, [], 1),
      epb(frame(60), { order, ticks: 1_700_000_000_123_456_789n, orig: 1400 }),
      spb(frame(50), 77, order),
      spb(frame(49), 49, order),
      epb(frame(31), {
        order,
        iface: 1,
        ticks: 3n * 1024n + 256n,
        opts: [
          [1, ascii("note")],
          [2, u32(2, order)],
          [4, u64(8n, order)],
          [5, u64(1234n, order)],
          [6, u32(5, order)],
        ],
      }),
      obsoletePb(frame(33), { order, iface: 2, ticks: 1_700_000_000_000_001n, drops: 2, orig: 40 }),
      obsoletePb(frame(33), { order, iface: 1, ticks: 1024n, opts: [[2, u32(1, order)]] }),
    );
  return cat(section(first), section(second));
}

describe.skipIf(!hasTools)("captures made here", () => {
  it.each([
    ["little", "little"],
    ["big", "big"],
    ["little", "big"],
    ["big", "little"],
  ] as const)(
    "with every kind of packet block, %s then %s endian, read as tshark reads them",
    (first, second) => {
      const file = everyBlock(first, second);
      writeFileSync(at("every.pcapng"), file);
      const rows = tsharkRows("every.pcapng");
      expect(rows).toHaveLength(12);
      expect(readWhole(file).records.map(row)).toEqual(rows);
    },
  );

  it.each(["little", "big"] as const)("as pcap, %s endian, read as tshark reads them", (order) => {
    for (const magic of [0xa1b2c3d4, 0xa1b23c4d]) {
      const file = cat(
        pcapHead({ order, magic }),
        pcapPacket(frame(60), { sec: 1_700_000_000, frac: 999_999, orig: 90 }, order),
        pcapPacket(frame(14), { sec: 0, frac: 1 }, order),
      );
      writeFileSync(at("own.pcap"), file);
      expect(readWhole(file).records.map(row)).toEqual(tsharkRows("own.pcap"));
    }
  });

  it.each(["little", "big"] as const)(
    "by the writer, %s endian, say to tshark what they say to us",
    (endian) => {
      const packets = [
        {
          tsNs: 1_700_000_000_000_000_001n,
          data: frame(60),
          comments: ["passed by demo"],
          queue: 3,
          packetId: 9n,
        },
        {
          tsNs: 1_700_000_001_500_000_000n,
          data: frame(61),
          direction: "outbound" as const,
          interfaceIdx: 1,
        },
        {
          tsNs: 1_700_000_002_000_000_000n,
          data: frame(62),
          verdicts: [{ kind: "xdp" as const, value: 2n }],
          originalBytes: 100,
        },
        { tsNs: 0n, hasTime: false, data: frame(63) },
      ];
      const file = encodeCapture(packets, {
        format: "pcapng",
        endian,
        interfaces: [
          { linkType: 1, name: "eth0" },
          {
            linkType: 1,
            name: "eth1",
            timeResolution: { base: 2, exponent: 20 },
            timeOffsetSec: 1_700_000_000n,
          },
        ],
      });
      writeFileSync(at("written.pcapng"), file);
      const { records } = readWhole(file);
      const rows = tsharkRows("written.pcapng", [
        "frame.comment",
        "frame.verdict.ebpf_xdp",
        "frame.interface_name",
      ]);
      const expected = records.map((record, i) => {
        const verdict = packets[i]?.verdicts?.[0]?.value ?? "";
        return `${row(record)}|${record.comments?.join() ?? ""}|${verdict}|eth${record.interfaceIdx}`;
      });
      expect(rows).toEqual(expected);
      expect(rows[0]).toBe("1|1700000000.000000001|60|60||3|9|passed by demo||eth0");
    },
  );
});
