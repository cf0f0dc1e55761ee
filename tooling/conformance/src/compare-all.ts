import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/*
 * Computes: for every program of our own objects, whether it does the same on every packet of every capture on two
 * engines, or here and in the running kernel, as `tsbpf replay --against` says.
 * Assumes: the command line is bundled.
 * Cost: a process a program and side; the kernel takes about a millisecond a packet.
 */

const root = fileURLToPath(new URL("../../../", import.meta.url));
const main = join(root, "apps/cli/dist/main.js");

/** What a program's runs are compared with; side A is the interpreter. */
export type Against = "engine=jit" | "kernel";

export interface ProgramName {
  /** Path below the root. */
  readonly object: string;
  readonly prog: string;
  readonly type: string;
}

/** What one comparison found. */
export interface CompareResult extends ProgramName {
  readonly against: Against;
  readonly packets: number;
  readonly different: number;
  /** Why there was nothing to compare; undefined when there was. */
  readonly skipped?: string | undefined;
  readonly notes: readonly string[];
  /** A line a kind of difference. */
  readonly differences: readonly string[];
}

/** Types that randpkt makes and that are frames of Ethernet, or hold IP that a header can be made for. */
const RANDOM_TYPES = [
  ...["arp", "bgp", "bvlc", "dns", "eth", "giop", "icmp", "ip", "ipv6", "llc", "megaco", "nbns"],
  ...["ncp2222", "sctp", "syslog", "tcp", "tds", "udp"],
] as const;

/** Names of what is in a folder below the root. */
const namesIn = (folder: string): string[] => readdirSync(join(root, folder)).sort();

/** Captures of the samples, by path below the root. */
export const sampleCaptures = (): string[] =>
  namesIn("samples/captures").flatMap((name) => (/\.pcap/.test(name) ? [`samples/captures/${name}`] : []));

/** Makes captures of random packets where randpkt is installed; the packets are others each time. */
export function makeRandomCaptures(folder: string, packets: number): string[] {
  return RANDOM_TYPES.flatMap((type) => {
    const path = join(folder, `${type}.pcap`);
    spawnSync("randpkt", ["-t", type, "-c", `${packets}`, "-b", "2000", path]);
    return existsSync(path) ? [path] : [];
  });
}

/** Lists the programs of our own objects: samples, examples and benchmarks. */
export function ownPrograms(): ProgramName[] {
  const folders = [
    ...namesIn("samples").map((name) => `samples/${name}`),
    ...namesIn("examples").map((name) => `examples/${name}/prog`),
    "tooling/bench/programs",
  ].filter((folder) => existsSync(join(root, folder)) && statSync(join(root, folder)).isDirectory());
  const objects = folders.flatMap((folder) =>
    namesIn(folder).flatMap((name) => (name.endsWith(".bpf.o") ? [`${folder}/${name}`] : [])),
  );
  return objects.flatMap((object) => {
    const { stdout } = spawnSync(process.execPath, [main, "progs", object, "--json"], {
      cwd: root,
      encoding: "utf8",
    });
    const progs = JSON.parse(stdout) as { name: string; type: string }[];
    return progs.map(({ name, type }) => ({ object, prog: name, type }));
  });
}

/** Helpers that the objects of examples call. */
const PLUGINS: Readonly<Record<string, string>> = {
  "examples/custom-helper/prog/tag.bpf.o": "examples/custom-helper/src/flow-tag.ts",
};

/** Words of the command line that compare one program over captures. */
function wordsFor(
  { object, prog }: ProgramName,
  captures: readonly string[],
  against: Against,
  diffWrite?: string,
): string[] {
  const plugin = PLUGINS[object];
  return [
    ...["replay", object, ...captures.flatMap((path) => ["-r", path])],
    ...["--prog", prog, "--ethernet", "--against", against, "--json", "--examples", "1"],
    ...(plugin === undefined ? [] : ["--plugin", plugin]),
    ...(diffWrite === undefined ? [] : ["--diff-write", diffWrite]),
  ];
}

/** What `tsbpf replay --against --json` prints. */
interface Printed {
  readonly error?: string;
  readonly packets: number;
  readonly different: number;
  readonly notes: readonly string[];
  readonly differences: readonly {
    readonly what: string;
    readonly difference: string;
    readonly times: number;
    readonly examples: readonly {
      readonly capture: string;
      readonly packet: number;
      readonly a: string;
      readonly b: string;
    }[];
  }[];
}

/** Compares one program over captures. */
export async function compareProgram(
  name: ProgramName,
  captures: readonly string[],
  against: Against,
  diffWrite?: string,
): Promise<CompareResult> {
  const { stdout, stderr, status } = await run(wordsFor(name, captures, against, diffWrite));
  const nothing = { ...name, against, packets: 0, different: 0, notes: [], differences: [] };
  const line = stdout.split("\n").find((text) => text.startsWith("{"));
  if (line === undefined || status === null) {
    return { ...nothing, different: 1, differences: [`the command line ended with ${status}: ${stderr}`] };
  }
  const printed = JSON.parse(line) as Printed;
  if (printed.error !== undefined) return { ...nothing, skipped: printed.error };
  return {
    ...nothing,
    packets: printed.packets,
    different: printed.differences.length === 0 ? printed.different : Math.max(1, printed.different),
    notes: printed.notes,
    differences: printed.differences.map(({ what, difference, times, examples: [first] }) => {
      const place = first === undefined ? "" : `, first ${basename(first.capture)} #${first.packet}`;
      return `${what}: ${difference}, ${times} times${place}: A ${first?.a}, B ${first?.b}`;
    }),
  };
}

function run(
  words: readonly string[],
): Promise<{ readonly stdout: string; readonly stderr: string; readonly status: number | null }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...words], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (status) => resolve({ stdout, stderr, status }));
  });
}

/** Says what a cell of the table shows. */
export function printResult({ skipped, packets, different }: CompareResult): string {
  if (skipped !== undefined) return "skipped";
  return different === 0 ? `${packets} alike` : `${different} of ${packets} DIFFER`;
}
