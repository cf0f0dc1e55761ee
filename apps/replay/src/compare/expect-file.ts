import { decodeUtf8, InputError, parseHexBytes } from "@tsbpf/base";
import { crc32c } from "@tsbpf/trace";
import { hex8 } from "../report/hex8.ts";
import type { SideMap } from "./side.ts";

/** What a map holds in the end. */
export interface ExpectedMap {
  readonly entries: number;
  /** Keys and values as hex, where there are few. */
  readonly elements?: readonly (readonly [key: string, value: string])[];
  /** CRC-32C of all elements in order of their keys, as eight hex digits, where there are many. */
  readonly crc32c?: string;
}

/** A packet that comes out changed. */
export interface ExpectedPacket {
  readonly packet: number;
  readonly bytes: number;
  readonly crc: number;
}

/** What a program is expected to do; what is missing is not checked. */
export interface Expectations {
  readonly program?: string;
  readonly packets?: number;
  /** Packets by verdict. */
  readonly verdicts?: Readonly<Record<string, number>>;
  /** Verdict of each packet. */
  readonly runs?: readonly string[];
  /** Packets that come out changed; all others as they went in. */
  readonly changed?: ReadonlyMap<number, ExpectedPacket>;
  readonly maps?: Readonly<Record<string, ExpectedMap>>;
}

const EXPECT_VERSION = 1;
const FORMAT = "expectations";
/** Elements of a map that are written out. */
const ELEMENTS_MAX = 64;
/** Packets of one verdict in a row that a file may claim. */
const RUN_MAX = 1e9;

/** Describes what a map holds. */
export function describeMap(map: SideMap): ExpectedMap {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  const elements = [...map.read()]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, value]) => [key, hex(value)] as const);
  if (elements.length <= ELEMENTS_MAX) return { entries: elements.length, elements };
  return { entries: elements.length, crc32c: digestOf(elements) };
}

/** Sums elements up, sorted by key. */
const digestOf = (elements: readonly (readonly [string, string])[]): string =>
  hex8(crc32c(Buffer.from(elements.map(([key, value]) => `${key}=${value}\n`).join(""))));

/** Prints expectations: a line an entry, so that differences between two files are easy to see. */
export function printExpectations(expected: Expectations): string {
  const rows = (name: string, items: readonly unknown[]): string =>
    `  "${name}": [${items.length === 0 ? "" : `\n${items.map((item) => `    ${JSON.stringify(item)}`).join(",\n")}\n  `}]`;
  const { program, packets, verdicts, runs = [], changed = new Map(), maps = {} } = expected;
  const mapRows = Object.entries(maps).map(
    ([name, map]) => `    ${JSON.stringify(name)}: ${JSON.stringify(map)}`,
  );
  const parts = [
    `  "tsbpf": "${FORMAT}"`,
    `  "version": ${EXPECT_VERSION}`,
    `  "program": ${JSON.stringify(program)}`,
    `  "packets": ${packets}`,
    `  "verdicts": ${JSON.stringify(verdicts)}`,
    rows("runs", inRuns(runs)),
    rows(
      "changed",
      [...changed.values()].map((one) => [one.packet, one.bytes, hex8(one.crc)]),
    ),
    `  "maps": {${mapRows.length === 0 ? "" : `\n${mapRows.join(",\n")}\n  `}}`,
  ];
  return `{\n${parts.join(",\n")}\n}\n`;
}

/** Joins equal verdicts in a row. */
function inRuns(verdicts: readonly string[]): (readonly [verdict: string, packets: number])[] {
  const runs: [string, number][] = [];
  for (const verdict of verdicts) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] === verdict) last[1] += 1;
    else runs.push([verdict, 1]);
  }
  return runs;
}

/**
 * Parses expectations.
 *
 * @throws EXPECT_FORMAT (InputError) naming the file and what is wrong with it.
 */
export function parseExpectations(bytes: Uint8Array, path: string): Expectations {
  const fail = (text: string): InputError => new InputError("EXPECT_FORMAT", `${path}: ${text}`);
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(bytes));
  } catch (error) {
    throw fail(`no JSON: ${(error as Error).message}`);
  }
  if (!isRecord(value) || value.tsbpf !== FORMAT)
    throw fail(`"tsbpf": "${FORMAT}" is missing, --write-expect makes such a file`);
  if (value.version !== EXPECT_VERSION)
    throw fail(`version ${JSON.stringify(value.version)} found, ${EXPECT_VERSION} is supported`);
  const { program, packets, verdicts, runs, changed, maps } = value;
  return {
    ...(typeof program === "string" ? { program } : {}),
    ...(packets === undefined ? {} : { packets: count(packets, "packets", fail) }),
    ...(verdicts === undefined ? {} : { verdicts: parseVerdicts(verdicts, fail) }),
    ...(runs === undefined ? {} : { runs: parseRuns(runs, fail) }),
    ...(changed === undefined ? {} : { changed: parseChanged(changed, fail) }),
    ...(maps === undefined ? {} : { maps: parseMaps(maps, fail) }),
  };
}

type Fail = (text: string) => InputError;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function count(value: unknown, name: string, fail: Fail): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw fail(`${name} is ${JSON.stringify(value)}, a whole number is needed`);
}

function parseVerdicts(value: unknown, fail: Fail): Record<string, number> {
  if (!isRecord(value)) throw fail("verdicts must be an object of counts");
  return Object.fromEntries(
    Object.entries(value).map(([name, packets]) => [name, count(packets, `verdicts.${name}`, fail)]),
  );
}

/** Runs of verdicts become a verdict a packet; a name is shared by all of its packets, so this is small. */
function parseRuns(value: unknown, fail: Fail): string[] {
  if (!Array.isArray(value)) throw fail("runs must be a list of [verdict, packets]");
  const verdicts: string[] = [];
  for (const item of value as unknown[]) {
    const [verdict, packets = 1] = Array.isArray(item) ? (item as unknown[]) : [item];
    if (typeof verdict !== "string") throw fail("runs must be a list of [verdict, packets]");
    const times = count(packets, "packets in runs", fail);
    if (verdicts.length + times > PACKETS_MAX || times > RUN_MAX)
      throw fail(`runs are of more than ${PACKETS_MAX} packets`);
    for (let i = 0; i < times; i++) verdicts.push(verdict);
  }
  return verdicts;
}

/** Packets that expectations may be of, one by one. */
const PACKETS_MAX = 100_000_000;

function parseChanged(value: unknown, fail: Fail): Map<number, ExpectedPacket> {
  if (!Array.isArray(value)) throw fail("changed must be a list of [packet, bytes, checksum]");
  return new Map(
    (value as unknown[]).map((item) => {
      const [packet, bytes, crc] = Array.isArray(item) ? (item as unknown[]) : [];
      if (typeof crc !== "string" || !/^[0-9a-f]{8}$/.test(crc))
        throw fail("changed must be a list of [packet, bytes, checksum of eight hex digits]");
      const number = count(packet, "packet in changed", fail);
      return [
        number,
        { packet: number, bytes: count(bytes, "bytes in changed", fail), crc: Number.parseInt(crc, 16) },
      ] as const;
    }),
  );
}

function parseMaps(value: unknown, fail: Fail): Record<string, ExpectedMap> {
  if (!isRecord(value)) throw fail("maps must be an object");
  return Object.fromEntries(
    Object.entries(value).map(([name, map]) => [name, parseMap(map, `maps.${name}`, fail)]),
  );
}

function parseMap(value: unknown, name: string, fail: Fail): ExpectedMap {
  if (!isRecord(value)) throw fail(`${name} must be an object`);
  const { entries, elements, crc32c: crc } = value;
  if (crc !== undefined && (typeof crc !== "string" || !/^[0-9a-f]{8}$/.test(crc)))
    throw fail(`${name}.crc32c must be eight hex digits`);
  return {
    entries: count(entries, `${name}.entries`, fail),
    ...(crc === undefined ? {} : { crc32c: crc }),
    ...(elements === undefined ? {} : { elements: parseElements(elements, name, fail) }),
  };
}

function parseElements(value: unknown, name: string, fail: Fail): (readonly [string, string])[] {
  if (!Array.isArray(value)) throw fail(`${name}.elements must be a list of [key, value]`);
  return (value as unknown[]).map((item) => {
    const [key, bytes] = Array.isArray(item) ? (item as unknown[]) : [];
    if (typeof key !== "string" || typeof bytes !== "string")
      throw fail(`${name}.elements must be a list of [key, value] in hex`);
    try {
      parseHexBytes(bytes);
    } catch {
      throw fail(`${name}.elements has value ${JSON.stringify(bytes)}, hex digits needed`);
    }
    return [key, bytes.toLowerCase()] as const;
  });
}
