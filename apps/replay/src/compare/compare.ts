import { equalBytes } from "@tsbpf/base";
import { encodeInsns } from "@tsbpf/isa";
import type { ReplayIo } from "../io.ts";
import { CaptureOutput } from "../run/write-capture.ts";
import { readWhole } from "../trace/files.ts";
import type { TraceItems } from "../trace/input.ts";
import { createPeekingIo } from "../trace/peek.ts";
import { type WalkEnd, walkInputs } from "../trace/walk.ts";
import {
  BYTES_SHOWN,
  type Difference,
  type DifferOptions,
  differOutcomes,
  firstDifference,
  printBytesAt,
} from "./differ.ts";
import { parseExpectations } from "./expect-file.ts";
import { ExpectSide } from "./expect-side.ts";
import { DifferenceGroups } from "./groups.ts";
import { MachineSide } from "./machine-side.ts";
import { isSameElement, MapComparer, type MapFinding } from "./map-comparer.ts";
import type { CompareOptions, CompareSummary } from "./options.ts";
import { printComparison } from "./report.ts";
import type { OpenSide, Side } from "./side.ts";
import { openersOf, parseAgainst } from "./sides.ts";
import { spoolPipes } from "./spool.ts";

/** A packet by its file and its number in it, from 1. */
interface Place {
  readonly path: string;
  readonly packet: number;
}

/** What a walk over all packets found. */
export interface Comparison {
  readonly a: Side;
  readonly b: Side;
  readonly groups: DifferenceGroups;
  readonly packets: number;
  /** Packets that show differences, with a line about each, by number over all files, from 1. */
  readonly shown: ReadonlyMap<number, readonly string[]>;
  readonly notes: readonly string[];
  readonly isInterrupted: boolean;
}

const EXAMPLES = 3;

/**
 * Runs two sides over the same packets and says, packet by packet, what they do differently.
 *
 * @throws InputError for inputs that cannot be read, RejectError when the verifier refuses a program.
 */
export async function runCompare(options: CompareOptions, given: ReplayIo): Promise<CompareSummary> {
  const io = await spoolPipes(options.captures, given);
  const definitions = await createPeekingIo(io).peekAll(options.captures);
  const { expect } = options;
  if (expect !== undefined) {
    const expected = parseExpectations(await readWhole(expect, io), expect);
    return compareSides(options, io, {
      a: () => MachineSide.open(options, io, definitions),
      b: async () => new ExpectSide(expect, expected),
    });
  }
  const choice = parseAgainst(options.against, options);
  return compareSides(options, io, await openersOf(choice, options, io, definitions));
}

/** Compares two sides that can be opened again and again. */
async function compareSides(
  options: CompareOptions,
  io: ReplayIo,
  open: { readonly a: OpenSide; readonly b: OpenSide },
): Promise<CompareSummary> {
  const comparison = await walkBoth(options, io, open);
  if (options.diffWrite !== undefined) await writeShown(options, options.diffWrite, io, comparison);
  const different = comparison.shown.size;
  await io.out(printComparison(comparison, options));
  const { packets, isInterrupted, groups } = comparison;
  return { packets, different, isDifferent: !groups.isEmpty, isInterrupted };
}

async function walkBoth(
  options: CompareOptions,
  io: ReplayIo,
  open: { readonly a: OpenSide; readonly b: OpenSide },
): Promise<Comparison> {
  const a = await open.a();
  const b = await open.b();
  const groups = new DifferenceGroups(options.examples ?? EXAMPLES);
  const shown = new Map<number, string[]>();
  const places = new PlaceList();
  const note = (difference: Difference, ordinal: number): void => {
    const { path, packet } = places.at(ordinal);
    groups.add(difference, path, packet);
    const lines = shown.get(ordinal) ?? [];
    lines.push(`${difference.aspect}: A ${difference.a}, B ${difference.b}`);
    shown.set(ordinal, lines);
  };
  const maps = new MapComparer(a, b);
  const late: MapFinding[] = [];
  const verdicts = new Map<string, number>();
  const differing: DifferOptions = { insns: runsSameCode(a, b) };
  try {
    maps.start();
    const walked = await walk(options, io, feedBoth(a, b), async (visit) => {
      places.add({ path: visit.path, packet: visit.cursor.index + 1 });
      const ordinal = places.count;
      const [left, right] = [await a.run(visit), await b.run(visit)];
      if (left.verdict !== undefined) verdicts.set(left.verdict, (verdicts.get(left.verdict) ?? 0) + 1);
      for (const difference of differOutcomes(left, right, differing)) note(difference, ordinal);
      for (const finding of maps.afterPacket(ordinal)) {
        if (finding.until - finding.after === 1) note(mapDifference(finding), ordinal);
        else late.push(finding);
      }
    });
    for (const finding of maps.finish(places.count)) late.push(finding);
    for (const [finding, ordinal] of await locate(late, options, io, open)) {
      note(mapDifference(finding), ordinal);
    }
    const isWhole = !walked.isInterrupted;
    for (const one of (isWhole ? b.finish?.(a, { packets: walked.packets, verdicts }) : undefined) ?? [])
      groups.add(one, "", 0);
    return {
      a,
      b,
      groups,
      packets: walked.packets,
      shown,
      notes: maps.notes,
      isInterrupted: walked.isInterrupted,
    };
  } finally {
    a.close();
    b.close();
  }
}

/** Places of packets in the order in which they were visited; the same file may come twice. */
class PlaceList {
  private readonly paths: string[] = [];
  /** Index of the path and number of each packet. */
  private readonly list: number[] = [];

  get count(): number {
    return this.list.length / 2;
  }

  add({ path, packet }: Place): void {
    let idx = this.paths.lastIndexOf(path);
    if (idx < 0) idx = this.paths.push(path) - 1;
    this.list.push(idx, packet);
  }

  /** @param ordinal - from 1. */
  at(ordinal: number): Place {
    const idx = this.list[2 * (ordinal - 1)] ?? 0;
    return { path: this.paths[idx] ?? "", packet: this.list[2 * ordinal - 1] ?? 0 };
  }
}

const walk = (
  options: CompareOptions,
  io: ReplayIo,
  feed: TraceItems | undefined,
  visit: Parameters<typeof walkInputs>[3],
): Promise<WalkEnd> =>
  walkInputs(
    io,
    options.captures,
    {
      strict: options.strict,
      packets: options.packets,
      filter: options.filter,
      count: options.count,
      feed,
    },
    visit,
  );

const feedBoth = (a: Side, b: Side): TraceItems => ({
  contents(trace, contents) {
    a.contents(trace, contents);
    b.contents(trace, contents);
  },
  changes(trace, events) {
    a.changes(trace, events);
    b.changes(trace, events);
  },
});

/** Whether both sides run the same instructions here, so that they must execute as many. */
function runsSameCode(a: Side, b: Side): boolean {
  if (!(a instanceof MachineSide) || !(b instanceof MachineSide)) return false;
  const codeOf = ({ loaded }: MachineSide): Uint8Array => encodeInsns(loaded.prog.linked.spec.insns);
  return equalBytes(codeOf(a), codeOf(b));
}

/**
 * Finds the packets after which elements of maps began to differ, by running both sides again and looking at these
 * elements after each packet.
 */
async function locate(
  findings: readonly MapFinding[],
  options: CompareOptions,
  io: ReplayIo,
  open: { readonly a: OpenSide; readonly b: OpenSide },
): Promise<readonly (readonly [MapFinding, number])[]> {
  if (findings.length === 0) return [];
  const a = await open.a();
  const b = await open.b();
  const found: (readonly [MapFinding, number])[] = [];
  const pending = new Set(findings);
  let ordinal = 0;
  const last = Math.max(...findings.map((one) => one.until));
  try {
    const quiet = { ...io, err: () => undefined };
    await walk({ ...options, count: last }, quiet, feedBoth(a, b), async (visit) => {
      ordinal += 1;
      await a.run(visit);
      await b.run(visit);
      for (const finding of pending) {
        if (ordinal <= finding.after) continue;
        const left = a.maps?.get(finding.map)?.get(finding.key);
        const right = b.maps?.get(finding.map)?.get(finding.key);
        if (isSameElement(left, right) && ordinal < finding.until) continue;
        found.push([{ ...finding, a: left, b: right }, ordinal]);
        pending.delete(finding);
      }
    });
  } finally {
    a.close();
    b.close();
  }
  return found;
}

function mapDifference({ map, key, a, b }: MapFinding): Difference {
  const at = a === undefined || b === undefined ? 0 : firstDifference(a, b);
  const text = (value: Uint8Array | undefined): string => {
    if (value === undefined) return "no element";
    const from = value.length <= BYTES_SHOWN ? 0 : at;
    return `${from === 0 ? "" : `at ${from}: `}${printBytesAt(value, from)}`;
  };
  return { aspect: "maps", group: map, a: `${key} = ${text(a)}`, b: `${key} = ${text(b)}` };
}

/** Writes exactly the packets that show differences. */
async function writeShown(
  options: CompareOptions,
  path: string,
  io: ReplayIo,
  { shown }: Comparison,
): Promise<void> {
  const output = new CaptureOutput(path, await io.write(path));
  let ordinal = 0;
  await walk(options, { ...io, err: () => undefined }, undefined, async ({ path: file, parser, cursor }) => {
    ordinal += 1;
    const lines = shown.get(ordinal);
    if (lines === undefined || (parser.trace !== undefined && !cursor.hasPacket)) return;
    await output.add(
      cursor,
      { capture: file, data: cursor.data(), comment: lines.join("\n") },
      parser.interfaces[cursor.interfaceIdx],
    );
  });
  await output.close();
  if (!options.json && !options.isQuiet) await io.out(`${output.packets} packets written to ${path}\n`);
}
