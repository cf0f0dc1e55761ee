import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createCaptureWriter } from "@tsbpf/trace";
import { describe, expect, it } from "vitest";
import { splitTargets } from "../src/verbs/filter.ts";
import { jsonLines, main, root, scratchFolder, tsbpf } from "./cli.ts";

const LAB = "samples/captures/lab.pcap";
/** What tcpdump counts there. */
const TCP_PACKETS = 458;
const CALLS = ["samples/calls/calls.bpf.o", "--prog", "calls"];
const { dir, at, file } = scratchFolder();

const tcpdump = (...words: readonly string[]): string => {
  const { status, stdout } = spawnSync("tcpdump", words, { cwd: root, encoding: "utf8" });
  return status === 0 ? stdout : "";
};
const hasTcpdump = tcpdump("-ddd", "-y", "EN10MB", "ip") !== "";

/** How many packets a replay runs. */
const packetsOf = (...words: readonly string[]): number | undefined => {
  const summary = jsonLines(tsbpf(["replay", "--json", ...words]).stdout).at(-1)?.summary;
  return (summary as { packets: number } | undefined)?.packets;
};

describe("the code of a filter", () => {
  const LISTING = "(000) ldh      [12]\n(001) jeq      #0x800           jt 2\tjf 3\n";

  it("is printed as a listing, as C and in decimal", () => {
    expect(tsbpf(["replay", "-d", "ip"])).toEqual({
      status: 0,
      stdout: `${LISTING}(002) ret      #262144\n(003) ret      #0\n`,
      stderr: "",
    });
    expect(tsbpf(["replay", "-dd", "ip"]).stdout.split("\n")[1]).toBe("{ 0x15, 0, 1, 0x00000800 },");
    expect(tsbpf(["replay", "-ddd", "ip"]).stdout).toBe("4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0\n");
    const [json] = jsonLines(tsbpf(["replay", "-d", "ip", "--json"]).stdout);
    expect(json).toMatchObject({ filter: "ip", insns: { length: 4, 0: { code: 40, jt: 0, jf: 0, k: 12 } } });
  });

  it("takes -s, -O, -F and words", () => {
    expect(tsbpf(["replay", "-d", "-s", "96", "ip"]).stdout).toContain("(002) ret      #96\n");
    expect(tsbpf(["replay", "-d", "-s", "0", "ip"]).stdout).toContain("(002) ret      #262144\n");
    const plain = tsbpf(["replay", "-ddd", "-O", "ip", "and", "ip"]).stdout;
    expect(plain.split("\n")[0]).toBe("6");
    const written = file("ip.filter", "ip # and what follows\nand ip\n");
    expect(tsbpf(["replay", "-ddd", "-O", "-F", written]).stdout).toBe(plain);
  });

  it("is for the link type of -y, of a capture, or Ethernet", () => {
    const raw = tsbpf(["replay", "-d", "-y", "RAW", "ip"]).stdout;
    expect(raw).toContain("(001) and      #0xf0\n");
    const cooked = file("raw.pcap", pcapOf(101));
    for (const words of [[cooked], ["-r", cooked], [CALLS[0] as string, cooked], [LAB, "-y", "RAW"]]) {
      expect(tsbpf(["replay", "-d", ...words, "ip"]).stdout).toBe(raw);
    }
    expect(tsbpf(["replay", "-d", LAB, "ip"]).stdout).toMatch(LISTING);
  });

  it
    .skipIf(!hasTcpdump)
    .each([
      [["tcp port 80 and not host 10.0.0.1"]],
      [["-O", "tcp port 80 and not host 10.0.0.1"]],
      [["-y", "RAW", "udp", "port", "53", "or", "icmp6"]],
      [["-y", "LINUX_SLL", "inbound and tcp[tcpflags] & tcp-syn != 0"]],
      [["-s", "68", "vlan 3 and (ip or arp)"]],
      [["--", "-len + 100 < 5"]],
      [["-r", LAB, "ip proto 6 and port https"]],
      [[""]],
    ])("is tcpdump's: %j", (words) => {
    const all = words[0] === "-y" || words[0] === "-r" ? words : ["-y", "EN10MB", ...words];
    for (const flag of ["-d", "-dd", "-ddd"]) {
      const theirs = tcpdump(flag, ...all);
      expect(theirs).not.toBe("");
      expect(tsbpf(["replay", flag, ...all]).stdout).toBe(theirs);
    }
  });
});

/** A pcap file without a packet. */
const pcapOf = (linkType: number): Uint8Array => createCaptureWriter({ format: "pcap", linkType }).take();

describe("a replay with a filter", () => {
  it("runs the packets that it takes", () => {
    const all = packetsOf(...CALLS, LAB, "tcp");
    expect(all).toBe(TCP_PACKETS);
    expect(packetsOf(...CALLS, LAB, "not tcp")).toBe(778 - TCP_PACKETS);
    expect(packetsOf(...CALLS, "-r", LAB, "tcp", "and", "src", "net", "10.0.0.0/8")).toBeLessThan(
      TCP_PACKETS,
    );
    expect(packetsOf(...CALLS, LAB, "samples/captures/lab.pcapng", "tcp")).toBe(2 * TCP_PACKETS);
    expect(packetsOf(...CALLS, LAB, "-F", file("tcp.filter", "tcp # only\n"))).toBe(TCP_PACKETS);
    expect(packetsOf(...CALLS, LAB, "-F", file("all.filter", "# nothing\n"))).toBe(778);
    expect(packetsOf(...CALLS, LAB, "--", "-len + 1000 < 500")).toBe(
      packetsOf(...CALLS, LAB, "len > 500 and len <= 1000"),
    );
    expect(packetsOf(...CALLS, LAB, "-c", "5", "tcp")).toBe(5);
  });

  it("takes the same on several CPUs and on the interpreter", () => {
    for (const options of [["--cpus", "2"], ["--engine", "interpreter"], ["-O"]]) {
      expect(packetsOf(...CALLS, LAB, ...options, "tcp")).toBe(TCP_PACKETS);
    }
  });

  it("knows names of this machine's files", () => {
    expect(packetsOf(...CALLS, LAB, "host localhost")).toBe(
      packetsOf(...CALLS, LAB, "host 127.0.0.1 or host ::1"),
    );
  });

  const wrong = (...words: readonly string[]) => {
    const { status, stdout, stderr } = tsbpf(["replay", ...words]);
    return { status, stdout, stderr };
  };

  it.each([
    ["when it runs", [...CALLS, LAB]],
    ["when it is printed", ["-d"]],
  ])("shows where the filter is wrong, %s", (_when, before) => {
    expect(wrong(...before, "tcp host 1.2.3.4")).toEqual({
      status: 2,
      stdout: "",
      stderr:
        "error: 'tcp' modifier applied to host [FILTER_QUALIFIER]\n  tcp host 1.2.3.4\n  ^~~~~~~~~~~~~~~~\n",
    });
    expect(wrong(...before, "tcp", "and", "foo", "bar").stderr).toBe(
      "error: can't parse filter expression: syntax error [FILTER_SYNTAX]\n  tcp and foo bar\n              ^~~\n",
    );
  });

  it("says so when a link type does not fit, and when a filter fits none, packets or not", () => {
    const raw = file("raw147.pcap", pcapOf(147));
    expect(wrong("-d", raw, "tcp")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("packets of link type 147 found, filters know EN10MB"),
    });
    expect(wrong(...CALLS, raw, "port 99999")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("illegal port number 99999 > 65535 [FILTER_RANGE]"),
    });
    expect(wrong("-d", "-y", "FOO", "ip")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("[UNSUPPORTED_LINK_TYPE]"),
    });
  });

  it.each([
    [["-y", "RAW"], "-y RAW found without -d"],
    [["-s", "96"], "-s 96 found without -d"],
    [["-F", "some.filter"], `filter "tcp" and -F some.filter found, one of them allowed`],
  ])("refuses %j beside a filter on the command line", (options, message) => {
    const { status, stderr } = wrong(...CALLS, LAB, ...options, "tcp");
    expect(status).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).toContain("[OPTION_FILTER]");
  });

  it("tells files that are not there from filters", () => {
    expect(wrong(...CALLS, LAB, "gone.pcap", "tcp").stderr).toMatch(/gone\.pcap: no such file/);
    expect(wrong(...CALLS, LAB, "-F", at("gone.filter"))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("gone.filter: no such file"),
    });
    expect(wrong("-F", at("gone.filter")).stderr).toContain("[REPLAY_NO_OBJECT]");
  });

  it("is no folder of the same name", () => {
    mkdirSync(at("src"));
    const words = ["--conditions=@tsbpf/source", main, "replay", "-ddd", "src", "host", "1.2.3.4"];
    const { stdout } = spawnSync(process.execPath, words, { cwd: dir, encoding: "utf8" });
    expect(stdout).toBe(tsbpf(["replay", "-ddd", "src host 1.2.3.4"]).stdout);
  });
});

describe("the words of a replay", () => {
  const split = (words: readonly string[], hasRead = false) => splitTargets(words, hasRead);

  it("are captures as long as they are such files, then the filter", () => {
    const [one, two] = [file("one.pcap", ""), file("two of them.cap", "")];
    expect(split([])).toEqual({ captures: [], expression: undefined });
    expect(split([one])).toEqual({ captures: [one], expression: undefined });
    expect(split([one, two, "-", "tcp"])).toEqual({ captures: [one, two, "-"], expression: "tcp" });
    expect(split([one, "tcp", "port", "80", two])).toEqual({
      captures: [one],
      expression: `tcp port 80 ${two}`,
    });
  });

  it("begin with a capture unless -r names one", () => {
    expect(split(["tcp", "udp"])).toEqual({ captures: ["tcp"], expression: "udp" });
    expect(split(["tcp", "udp"], true)).toEqual({ captures: [], expression: "tcp udp" });
  });

  it("are captures by their names, too, unless they could be filters", () => {
    expect(split(["gone.pcapng", "traces/gone", "GONE.PCAP.gz"], true).expression).toBeUndefined();
    for (const filter of ["len/2>50", "net 10.0.0.0/8", "ip[2:2]/4=15", "tcp", "a".repeat(5000)]) {
      expect(split([filter], true)).toEqual({ captures: [], expression: filter });
    }
    expect(split([join(dir, ".."), "ip"], true).captures).toEqual([join(dir, "..")]);
  });
});

describe("classic programs", () => {
  const decimal = file("tcp.ddd", tsbpf(["replay", "-ddd", "tcp"]).stdout);
  const forms = [
    decimal,
    file("tcp.dd", tsbpf(["replay", "-dd", "tcp"]).stdout),
    file("tcp.d", tsbpf(["replay", "-d", "tcp"]).stdout),
  ];
  const tcpPacket = file("packet", tcp());
  const other = file("other", new Uint8Array(64));

  function tcp(): Uint8Array {
    const bytes = new Uint8Array(64);
    bytes.set([0x08, 0x00, 0x45], 12);
    bytes[23] = 6;
    return bytes;
  }

  it.each(["interpreter", "jit"])("run on packets from the link header on, on the %s", (engine) => {
    for (const form of forms) {
      const run = (packet: string) =>
        jsonLines(tsbpf(["run", form, "--engine", engine, "data_in", packet, "-j"]).stdout)[0];
      expect(run(tcpPacket)).toMatchObject({ retval: 262_144 });
      expect(run(other)).toMatchObject({ retval: 0 });
    }
  });

  it.each(["interpreter", "jit"])("are replayed on the %s", (engine) => {
    const { status, stdout } = tsbpf(["replay", decimal, LAB, "--engine", engine, "--json"]);
    expect(status).toBe(0);
    const packets = jsonLines(stdout).slice(0, -1);
    expect(packets).toHaveLength(778);
    expect(packets.filter((one) => one.retval === 262_144)).toHaveLength(TCP_PACKETS);
  });

  it("are verified, listed and assembled as socket filters", () => {
    expect(tsbpf(["verify", decimal])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/tcp\.ddd.*accept/i),
    });
    expect(tsbpf(["dis", decimal]).stdout).toMatch(/r0 = \*\(u16 \*\)skb\[12\]/);
    expect(tsbpf(["progs", decimal]).stdout).toMatch(/^tcp\.ddd +socket_filter/m);
    expect(tsbpf(["maps", decimal]).status).toBe(0);
    const bytes = at("tcp.bin");
    expect(tsbpf(["asm", decimal, "-o", bytes]).status).toBe(0);
    expect(tsbpf(["dis", bytes]).stdout).toBe(tsbpf(["dis", decimal]).stdout);
  });

  it("are refused with the place in them", () => {
    const loop = file("loop.classic", "again: ja again\nret #0\n");
    for (const verb of ["run", "verify", "dis", "asm", "progs"]) {
      const { status, stderr } = tsbpf([verb, loop]);
      expect(status).toBe(2);
      expect(stderr).toContain("error: ja to 0, 1..1 allowed, at 0 [CBPF_JUMP]");
    }
  });
});
