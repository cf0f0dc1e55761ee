import type { Visit } from "../trace/walk.ts";
import type { Difference } from "./differ.ts";
import { describeMap, type Expectations, type ExpectedMap } from "./expect-file.ts";
import type { Outcome } from "./outcome.ts";
import type { Seen, Side, SideMap } from "./side.ts";

/** What a file expects of a program. */
export class ExpectSide implements Side {
  readonly title: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly maps = undefined;
  private readonly expected: Expectations;
  private packet = 0;

  constructor(path: string, expected: Expectations) {
    this.title = `expectations of ${path}`;
    this.facts = { expect: path };
    this.expected = expected;
  }

  run({ cursor }: Visit): Outcome {
    const { runs, changed } = this.expected;
    this.packet += 1;
    const verdict = runs === undefined ? undefined : (runs[this.packet - 1] ?? "no packet");
    const other = changed?.get(this.packet);
    return {
      verdict,
      ...(other !== undefined ? { packetDigest: { bytes: other.bytes, crc: other.crc } } : {}),
      ...(changed !== undefined && other === undefined ? { packet: new Uint8Array(cursor.data()) } : {}),
    };
  }

  finish(other: Side, seen: Seen): Difference[] {
    const { packets, verdicts, maps = {} } = this.expected;
    const differences: Difference[] = [];
    if (packets !== undefined && packets !== seen.packets)
      differences.push({
        aspect: "verdict",
        group: "packets in all",
        a: `${seen.packets} packets`,
        b: `${packets} packets`,
      });
    for (const name of new Set([...Object.keys(verdicts ?? {}), ...seen.verdicts.keys()])) {
      const [one, expected] = [seen.verdicts.get(name) ?? 0, verdicts?.[name] ?? 0];
      if (verdicts === undefined || one === expected) continue;
      differences.push({
        aspect: "verdict",
        group: `${name} in all`,
        a: `${one} packets`,
        b: `${expected} packets`,
      });
    }
    for (const [name, expected] of Object.entries(maps)) {
      differences.push(...differMap(name, other.maps?.get(name), expected));
    }
    return differences;
  }

  contents(): void {
    // Nothing runs here.
  }

  changes(): void {
    // Nothing runs here.
  }

  close(): void {
    // Nothing is open.
  }
}

function differMap(name: string, map: SideMap | undefined, expected: ExpectedMap): Difference[] {
  const differ = (a: string, b: string): Difference => ({ aspect: "maps", group: name, a, b });
  if (map === undefined) return [differ("no such map", `${expected.entries} elements`)];
  const found = describeMap(map);
  if (expected.elements !== undefined) {
    const here = new Map([...map.read()].map(([key, value]) => [key, Buffer.from(value).toString("hex")]));
    const there = new Map(expected.elements);
    return [...new Set([...here.keys(), ...there.keys()])].flatMap((key) => {
      const [one, other] = [here.get(key), there.get(key)];
      const text = (value: string | undefined): string => `${key} = ${value ?? "no element"}`;
      return one === other ? [] : [differ(text(one), text(other))];
    });
  }
  if (found.entries !== expected.entries)
    return [differ(`${found.entries} elements`, `${expected.entries} elements`)];
  if (expected.crc32c === undefined || found.crc32c === expected.crc32c) return [];
  return [differ(`checksum ${found.crc32c ?? "of few elements"}`, `checksum ${expected.crc32c}`)];
}
