export { runCompare } from "./compare/compare.ts";
export type { CompareOptions, CompareSummary } from "./compare/options.ts";
export { writeExpectations } from "./compare/write-expect.ts";
export { printIp, printMac } from "./dissect/address.ts";
export { printHexDump } from "./dissect/hex-dump.ts";
export { PacketPrinter, printPacketLine } from "./dissect/packet-line.ts";
export { onLinkHeaders, type ReadProgram, readProgram } from "./filter/classic.ts";
export { type NameFiles, namesFrom } from "./filter/name-files.ts";
export { PacketFilter } from "./filter/packet-filter.ts";
export type { ByteFile, ByteSink, ReplayIo } from "./io.ts";
export type { PacketRange, PacketTest, ReplayOptions, TimeStyle } from "./options.ts";
export { parsePacketRange } from "./packet-range.ts";
export type { RecordOptions, RecordSummary } from "./record/options.ts";
export { runRecord } from "./record/record.ts";
export {
  type Compilation,
  type CompiledModule,
  compilationOf,
  printCompilation,
} from "./report/compilation.ts";
export { printEffectLine, toPlain } from "./report/effects.ts";
export { printMaps } from "./report/maps.ts";
export { printTable } from "./report/table.ts";
export type { TraceKind } from "./report/trace.ts";
export { TraceRecorder, traceKind } from "./report/trace.ts";
export { Breather } from "./run/breather.ts";
export { loadPlugins } from "./run/plugins.ts";
export type { ReplaySummary } from "./run/replay.ts";
export { runReplay } from "./run/replay.ts";
export type { SpreadName } from "./spread/spread.ts";
export { SPREADS } from "./spread/spread.ts";
export {
  checkFile,
  convertFile,
  cutFile,
  type FileReport,
  formatOfName,
  mergeFiles,
  printReport,
  TARGET_FORMATS,
  type TargetFormat,
} from "./trace/files.ts";
export { type ShowOptions, showTrace } from "./trace/show.ts";
export { parseTimeLimit } from "./trace/time-text.ts";
export type { WorkerHost } from "./workers/crew.ts";
export type { WorkerEnd, WorkerTask } from "./workers/task.ts";
export { runWorker } from "./workers/worker.ts";
