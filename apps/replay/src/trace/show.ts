import {
  createTraceParser,
  decompressCapture,
  linkTypeName,
  namingFile,
  sniffFormat,
  type TraceBlockInfo,
  TraceCursor,
  type TraceEventKind,
  type TraceParser,
} from "@tsbpf/trace";
import { printPacketLine } from "../dissect/packet-line.ts";
import type { ReplayIo } from "../io.ts";
import type { PacketRange } from "../options.ts";
import { toPlain } from "../report/effects.ts";
import { printTable } from "../report/table.ts";
import { printEvent } from "./events-text.ts";
import { notTrace } from "./files.ts";

export interface ShowOptions {
  /** Whether a line a block is shown. */
  readonly blocks: boolean;
  /** Runs to show, by number from 1; none when omitted. */
  readonly runs?: PacketRange | undefined;
  readonly json: boolean;
  readonly pretty: boolean;
  readonly strict: boolean;
}

/** What a trace holds, counted. */
interface Totals {
  runs: number;
  packets: number;
  packetBytes: number;
  contexts: number;
  results: number;
  answered: number;
  readonly events: Map<TraceEventKind, number>;
  readonly entries: Map<number, number>;
  firstNs: bigint | undefined;
  lastNs: bigint | undefined;
  bytes: number;
}

/**
 * Shows what a trace holds: what it says of itself, its blocks and its runs as the options ask.
 *
 * @throws like `readTrace`, after what comes before the damage is shown.
 */
export const showTrace = (path: string, options: ShowOptions, io: ReplayIo): Promise<void> =>
  namingFile(path, () => show(path, options, io));

async function show(path: string, options: ShowOptions, io: ReplayIo): Promise<void> {
  const blocks: TraceBlockInfo[] = [];
  const parser = createTraceParser({
    strict: options.strict,
    ...(options.blocks ? { onBlock: (block) => void blocks.push(block) } : {}),
  });
  const source = decompressCapture(io.read(path), { strict: options.strict });
  const cursor = new TraceCursor();
  const totals: Totals = {
    runs: 0,
    packets: 0,
    packetBytes: 0,
    contexts: 0,
    results: 0,
    answered: 0,
    events: new Map(),
    entries: new Map(),
    firstNs: undefined,
    lastNs: undefined,
    bytes: 0,
  };
  const drain = async (): Promise<void> => {
    for (let item = parser.next(cursor); item !== undefined; item = parser.next(cursor)) {
      count(totals, item, cursor);
      const isShown = item === "run" && options.runs?.has(cursor.index + 1) === true;
      if (isShown) await io.out(options.json ? runToJson(parser, cursor) : printRun(parser, cursor));
    }
  };
  for await (const chunk of source) {
    if (totals.bytes === 0 && sniffFormat(chunk).kind === "capture") throw notTrace(path);
    totals.bytes += chunk.length;
    parser.push(chunk);
    await drain();
  }
  parser.end();
  await drain();
  for (const { message } of [...source.warnings, ...parser.warnings])
    io.err(`warning: ${path}: ${message}\n`);
  if (options.json) {
    const document = summaryToJson(path, parser, totals, options.blocks ? blocks : undefined);
    await io.out(`${JSON.stringify(document, null, options.pretty ? 2 : undefined)}\n`);
    return;
  }
  await io.out(printSummary(path, parser, totals));
  if (options.blocks) await io.out(printBlocks(blocks));
}

function count(totals: Totals, item: "run" | "contents" | "events", cursor: TraceCursor): void {
  for (const { kind } of cursor.events) totals.events.set(kind, (totals.events.get(kind) ?? 0) + 1);
  if (item === "contents") {
    const { mapIdx, entryCount } = cursor.contents;
    totals.entries.set(mapIdx, (totals.entries.get(mapIdx) ?? 0) + entryCount);
  }
  if (item !== "run") return;
  totals.runs += 1;
  if (cursor.hasPacket) totals.packets += 1;
  totals.packetBytes += cursor.capturedBytes;
  if (cursor.hasCtx) totals.contexts += 1;
  if (cursor.hasResult) totals.results += 1;
  if (cursor.hasAnswers) totals.answered += 1;
  if (!cursor.hasTime) return;
  const ns = cursor.tsNs();
  if (totals.firstNs === undefined || ns < totals.firstNs) totals.firstNs = ns;
  if (totals.lastNs === undefined || ns > totals.lastNs) totals.lastNs = ns;
}

const NS_PER_SEC = 1_000_000_000n;
const NANO_DIGITS = 9;

/** Prints nanoseconds since 1970 as seconds. */
const printSeconds = (ns: bigint): string =>
  `${ns / NS_PER_SEC}.${String(ns % NS_PER_SEC).padStart(NANO_DIGITS, "0")}`;

function originText(cursor: TraceCursor, parser: TraceParser): string[] {
  const iface = cursor.hasInterface ? parser.interfaces[cursor.interfaceIdx] : undefined;
  return [
    ...(iface === undefined ? [] : [`ifindex ${iface.ifindex}`]),
    ...(cursor.queue < 0 ? [] : [`queue ${cursor.queue}`]),
    ...(cursor.direction === undefined ? [] : [cursor.direction]),
    ...(cursor.cpu === 0 ? [] : [`cpu ${cursor.cpu}`]),
  ];
}

function printRun(parser: TraceParser, cursor: TraceCursor): string {
  const program = parser.programs[cursor.programIdx];
  const linkType = cursor.hasInterface ? cursor.linkType : 1;
  const head = [
    `#${cursor.index + 1}`,
    ...(cursor.hasTime ? [printSeconds(cursor.tsNs())] : []),
    ...(program === undefined ? [] : [program.name]),
    ...originText(cursor, parser),
    ...(cursor.hasPacket ? [`${cursor.capturedBytes} bytes`] : []),
    ...(cursor.hasPacket && cursor.originalBytes !== cursor.capturedBytes
      ? [`of ${cursor.originalBytes}`]
      : []),
    ...(cursor.hasCtx ? [`ctx of ${cursor.ctxBytes} bytes`] : []),
    ...(cursor.hasResult ? [`= ${cursor.r0()}`] : []),
  ].join(" ");
  const lines = cursor.events.flatMap((event) => printEvent(event, parser).map((line) => `  ${line}`));
  const packet = cursor.hasPacket ? [`  ${printPacketLine(cursor.data(), linkType)}`] : [];
  return `${[head, ...packet, ...lines].join("\n")}\n`;
}

function runToJson(parser: TraceParser, cursor: TraceCursor): string {
  const { index, interfaceIdx: _i, programIdx: _p, events, ...run } = parser.run(cursor);
  const iface = cursor.hasInterface ? parser.interfaces[cursor.interfaceIdx] : undefined;
  const program = parser.programs[cursor.programIdx];
  const { tsNs, hasTime, ...rest } = run;
  return `${JSON.stringify(
    toPlain({
      run: index + 1,
      ...(hasTime ? { ts: printSeconds(tsNs) } : {}),
      ...(program === undefined ? {} : { program: program.name }),
      ...(iface === undefined ? {} : { ifindex: iface.ifindex, link: linkTypeName(iface.linkType) }),
      ...rest,
      ...(events.length === 0 ? {} : { events }),
    }),
  )}\n`;
}

function summaryToJson(
  path: string,
  parser: TraceParser,
  totals: Totals,
  blocks: readonly TraceBlockInfo[] | undefined,
): unknown {
  const { version, info, programs, maps, interfaces, helpers, isClosed, blockCount } = parser;
  const { events, entries, firstNs, lastNs, ...counts } = totals;
  return toPlain({
    trace: path,
    version: `${version?.major}.${version?.minor}`,
    closed: isClosed,
    ...info,
    programs,
    maps: maps.map((map, idx) => ({ ...map, entries: entries.get(idx) ?? 0 })),
    interfaces,
    helpers,
    blockCount,
    ...counts,
    ...(firstNs === undefined ? {} : { first: printSeconds(firstNs) }),
    ...(lastNs === undefined ? {} : { last: printSeconds(lastNs) }),
    events: Object.fromEntries(events),
    ...(blocks === undefined ? {} : { blocks }),
  });
}

function printSummary(path: string, parser: TraceParser, totals: Totals): string {
  const { version, info, programs, maps, interfaces, helpers } = parser;
  const row = (name: string, text: string): string => `${name.padEnd(12)}${text}`;
  const settings = Object.entries(info.settings ?? {}).map(([name, value]) => `${name}=${value}`);
  const lines = [
    `trace ${path}, version ${version?.major}.${version?.minor}, ${parser.isClosed ? "closed" : "not closed"}, ${parser.blockCount} blocks, ${totals.bytes} bytes`,
    ...(info.application === undefined ? [] : [row("recorded by", info.application)]),
    ...(settings.length === 0 ? [] : [row("settings", settings.join(", "))]),
    ...(info.comments ?? []).map((comment) => row("comment", comment)),
    ...programs.map(({ name, progType, section, tag }, idx) =>
      row(
        `program ${idx}`,
        [
          `${name} (${progType})`,
          ...(section === undefined ? [] : [`section ${section}`]),
          ...(tag === undefined ? [] : [`tag ${tag}`]),
        ].join(", "),
      ),
    ),
    ...maps.map((map, idx) => row(`map ${idx}`, mapText(map, totals.entries.get(idx)))),
    ...interfaces.map((iface, idx) =>
      row(
        `interface ${idx}`.padEnd(11),
        [
          `ifindex ${iface.ifindex}`,
          linkTypeName(iface.linkType),
          ...(iface.name === undefined ? [] : [iface.name]),
        ].join(", "),
      ),
    ),
    ...helpers.map(({ id, name, args }) =>
      row("helper", `${name}(${args.map((arg) => String(arg.name)).join(", ")}), id ${id}`),
    ),
    row("runs", runsText(totals)),
    ...(totals.events.size === 0
      ? []
      : [row("events", [...totals.events].map(([kind, number]) => `${number} ${kind}`).join(", "))]),
  ];
  return `${lines.join("\n")}\n`;
}

function mapText(map: TraceParser["maps"][number], entries: number | undefined): string {
  const slots = map.slotCount === undefined ? "" : ` for each of ${map.slotCount} CPUs`;
  const known = entries === undefined ? "" : `, ${entries} entries before the first run`;
  return `${map.name} (${map.type}), key ${map.keyBytes}, value ${map.valueBytes}${slots}, max ${map.maxEntries}${known}`;
}

function runsText({
  runs,
  packets,
  packetBytes,
  contexts,
  results,
  answered,
  firstNs,
  lastNs,
}: Totals): string {
  return [
    `${runs}`,
    ...(packets === 0 ? [] : [`${packets} packets of ${packetBytes} bytes`]),
    ...(contexts === 0 ? [] : [`${contexts} contexts`]),
    ...(results === 0 ? [] : [`${results} results`]),
    ...(answered === 0 ? [] : [`${answered} with all answers`]),
    ...(firstNs === undefined || lastNs === undefined
      ? []
      : [`from ${printSeconds(firstNs)} to ${printSeconds(lastNs)}`]),
  ].join(", ");
}

function printBlocks(blocks: readonly TraceBlockInfo[]): string {
  const right = "right" as const;
  const rows = blocks.map(({ blockIdx, type, offset, bytes, runFirst, runCount, eventCount }) => [
    `${blockIdx}`,
    type,
    `${offset}`,
    `${bytes}`,
    runFirst === undefined || runCount === undefined
      ? ""
      : runCount === 0
        ? "none"
        : `${runFirst + 1}-${runFirst + runCount}`,
    eventCount === undefined ? "" : `${eventCount}`,
  ]);
  return `${printTable(
    [
      { title: "block", align: right },
      { title: "type" },
      { title: "offset", align: right },
      { title: "bytes", align: right },
      { title: "runs", align: right },
      { title: "events", align: right },
    ],
    rows,
  )}\n`;
}
