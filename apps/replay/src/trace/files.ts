import { InputError, joinBytes } from "@tsbpf/base";
import {
  type CaptureFormat,
  type Conversion,
  type CutOptions,
  captureToTrace,
  cutTrace,
  type DamageReport,
  decompressCapture,
  mergeTraces,
  namingFile,
  SNIFF_BYTES,
  type SniffResult,
  sniffFormat,
  traceToCapture,
  verifyTrace,
} from "@tsbpf/trace";
import type { ReplayIo } from "../io.ts";

/** Formats that a conversion can write. */
export type TargetFormat = CaptureFormat | "tsbpf";
export const TARGET_FORMATS: readonly TargetFormat[] = ["pcap", "pcapng", "tsbpf"];

/** Tells the format to write from a file's name: `.pcapng`, `.pcap`, `.tsbpf`, with or without `.gz` behind it. */
export const formatOfName = (path: string): TargetFormat | undefined =>
  TARGET_FORMATS.find((format) => path.endsWith(`.${format}`) || path.endsWith(`.${format}.gz`));

/** A file's bytes, uncompressed, with what its first bytes say it is. */
async function openFile(
  path: string,
  io: ReplayIo,
): Promise<{ readonly kind: SniffResult["kind"]; readonly bytes: AsyncIterable<Uint8Array> }> {
  const chunks = decompressCapture(io.read(path))[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let length = 0;
  while (length < SNIFF_BYTES) {
    const next = await chunks.next();
    if (next.done === true) break;
    head.push(new Uint8Array(next.value));
    length += next.value.length;
  }
  const first = joinBytes(head);
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    yield first;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  };
  return { kind: sniffFormat(first).kind, bytes: bytes() };
}

/** Reads a whole file that may be compressed. */
export async function readWhole(path: string, io: ReplayIo): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of decompressCapture(await io.readAll(path))) parts.push(new Uint8Array(part));
  return joinBytes(parts);
}

/**
 * Opens a file that must be a trace.
 *
 * @throws TRACE_NOT_TRACE (InputError) when its first bytes say that it is something else.
 */
async function openTrace(path: string, io: ReplayIo): Promise<AsyncIterable<Uint8Array>> {
  const { kind, bytes } = await openFile(path, io);
  if (kind === "capture") throw notTrace(path);
  return bytes;
}

/** The error of a capture where a trace is needed. */
export const notTrace = (path: string): InputError =>
  new InputError(
    "TRACE_NOT_TRACE",
    `${path} is a capture, a tsbpf trace needed: tsbpf trace convert makes one`,
  );

/** Writes a conversion to a file and tells what it left out. */
async function writeAll(conversion: Conversion, path: string, io: ReplayIo): Promise<number> {
  let sink: Awaited<ReturnType<ReplayIo["write"]>> | undefined;
  let written = 0;
  try {
    // The file is made when there is something to put in: an input that is no trace leaves what was there.
    for await (const piece of conversion) {
      sink ??= await io.write(path);
      written += piece.length;
      await sink.write(piece);
    }
  } finally {
    await sink?.close();
    for (const { message, count } of conversion.warnings) {
      io.err(`warning: ${message}${count > 1 ? `, and ${count - 1} more` : ""}\n`);
    }
  }
  return written;
}

/** Copies the runs that the options keep. @returns bytes written. */
export async function cutFile(path: string, to: string, options: CutOptions, io: ReplayIo): Promise<number> {
  return namingFile(path, async () => writeAll(cutTrace(await openTrace(path, io), options), to, io));
}

/** Merges traces and captures by time. @returns bytes written. */
export async function mergeFiles(paths: readonly string[], to: string, io: ReplayIo): Promise<number> {
  return writeAll(mergeTraces(paths.map((name) => ({ name, bytes: io.read(name) }))), to, io);
}

export interface ConvertOptions {
  readonly format: TargetFormat;
  /** Fails instead of leaving out what the format cannot hold. */
  readonly strict: boolean;
}

/** Converts a trace to a capture or the other way round. @returns bytes written. */
export const convertFile = (
  from: string,
  to: string,
  options: ConvertOptions,
  io: ReplayIo,
): Promise<number> => namingFile(from, () => convert(from, to, options, io));

async function convert(from: string, to: string, options: ConvertOptions, io: ReplayIo): Promise<number> {
  const { format, strict } = options;
  const { kind, bytes } = await openFile(from, io);
  if (kind === "trace") {
    if (format === "tsbpf") throw sameFormat(from, "a trace");
    return writeAll(traceToCapture(bytes, { format, strict }), to, io);
  }
  const trace = captureToTrace(bytes, { capture: { strict } });
  if (format === "tsbpf") return writeAll(trace, to, io);
  const capture = traceToCapture(trace, { format, strict });
  const both: Conversion = {
    get warnings() {
      return [...trace.warnings, ...capture.warnings];
    },
    [Symbol.asyncIterator]: () => capture[Symbol.asyncIterator](),
  };
  return writeAll(both, to, io);
}

const sameFormat = (path: string, what: string): InputError =>
  new InputError("TRACE_SAME_FORMAT", `${path} is ${what} already: trace cut copies a part of one`);

/** What checking a trace found. */
export interface FileReport {
  readonly path: string;
  readonly isSound: boolean;
  readonly isClosed: boolean;
  readonly blocks: number;
  readonly runs: number;
  readonly damage: readonly DamageReport[];
  readonly damageCount: number;
  readonly warnings: readonly string[];
}

/** Checks every block of a trace. */
export async function checkFile(path: string, io: ReplayIo): Promise<FileReport> {
  const report = await namingFile(path, async () => verifyTrace(await openTrace(path, io)));
  return {
    path,
    isSound: report.damageCount === 0,
    isClosed: report.isClosed,
    blocks: report.blockCount,
    runs: report.runCount,
    damage: report.damage,
    damageCount: report.damageCount,
    warnings: report.warnings.map((warning) => warning.message),
  };
}

/** Prints what checking a trace found. */
export function printReport(report: FileReport): string {
  const { path, blocks, runs, damage, damageCount } = report;
  const lines = damage.map((one) => `${path}: ${one.message}${lostText(one)}`);
  if (damageCount > damage.length) lines.push(`${path}: ${damageCount - damage.length} more damaged places`);
  lines.push(...report.warnings.map((text) => `${path}: ${text}`));
  const what = report.isSound
    ? report.isClosed
      ? "whole"
      : "not closed, what is there is whole"
    : `damaged in ${damageCount} places`;
  lines.push(`${path}: ${what}, ${blocks} blocks, ${runs} runs can be read`);
  return `${lines.join("\n")}\n`;
}

function lostText({ runFirst, runEnd }: DamageReport): string {
  if (runEnd === undefined) return `; runs from ${runFirst + 1} on may be lost`;
  if (runEnd === runFirst) return "; no runs are lost";
  return runEnd === runFirst + 1 ? `; run ${runEnd} is lost` : `; runs ${runFirst + 1}-${runEnd} are lost`;
}
