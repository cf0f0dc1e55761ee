import { describe, expect, it } from "vitest";
import { tsbpf } from "./cli.ts";

const LAB = "samples/captures/lab.pcap";

/** Lines of a replay of the lab's packets: what comes before maps, then those of the maps, in the order of the text. */
function replay(object: string, ...words: readonly string[]) {
  const { status, stdout, stderr } = tsbpf(["replay", `samples/${object}`, LAB, "--maps", ...words]);
  expect([status, stderr]).toEqual([0, ""]);
  const lines = stdout.split("\n");
  const first = lines.findIndex((line) => line.startsWith("map "));
  return { table: lines.slice(0, first), maps: lines.slice(first).sort() };
}

/** Adds up a member of per-CPU values, which `name: 0x1f` shows once for each CPU. */
const sumOf = (lines: readonly string[], name: string): number =>
  lines
    .flatMap((line) => [...line.matchAll(new RegExp(`${name}: (0x[0-9a-f]+)`, "g"))])
    .reduce((sum, [, hex]) => sum + Number(hex), 0);

describe.each(["interpreter", "jit"])("several CPUs on the %s", (engine) => {
  const both = (object: string, prog: string) => {
    const words = ["--prog", prog, "--engine", engine];
    return [replay(object, ...words), replay(object, ...words, "--cpus", "2")] as const;
  };

  it("leave maps of atomic adds as one does", () => {
    const [one, two] = both("parser/parser.bpf.o", "parser");
    expect(two).toEqual(one);
    expect(one.maps.length).toBeGreaterThan(140);
  });

  it("leave values of each CPU that add up to those of one", () => {
    const [one, two] = both("firewall/firewall.bpf.o", "firewall");
    // Of all packets; others depend on whose SYN comes first.
    const all = ({ maps }: typeof one) => maps.filter((line) => /^ {2}0 => .*bytes/.test(line));
    expect(sumOf(all(one), "packets")).toBe(778);
    expect(sumOf(all(two), "packets")).toBe(778);
    expect(sumOf(all(two), "bytes")).toBe(sumOf(all(one), "bytes"));
  });

  it("give the same verdicts through tail calls", () => {
    const [one, two] = both("tailcalls/tailcalls.bpf.o", "dispatch");
    expect(two.table).toEqual(one.table);
  });

  it("insert each element of a hash once, whichever CPU comes first", () => {
    const [one, two] = both("nested/nested.bpf.o", "nested");
    expect(two.table).toEqual(one.table);
    // Of counts one may be lost, where two CPUs insert an element at once.
    const hosts = ({ maps }: typeof one) => maps.flatMap((line) => /^ {2}(\d+) => /.exec(line)?.[1] ?? []);
    expect(hosts(two)).toEqual(hosts(one));
    expect(hosts(one).length).toBeGreaterThan(10);
  });
});
