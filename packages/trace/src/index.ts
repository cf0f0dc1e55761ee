export { PacketCursor } from "./capture/cursor.ts";
export { type ByteSource, type DecompressedSource, decompressCapture } from "./capture/decompress.ts";
export {
  findLinkType,
  LINK_TYPE_ETHERNET,
  type LinkType,
  linkTypeDescription,
  linkTypeName,
  listLinkTypes,
} from "./capture/link-types.ts";
export { type CaptureParser, createCaptureParser } from "./capture/parser.ts";
export { type CaptureReader, readCapture, walkCapture } from "./capture/read.ts";
export type { PcapSpan } from "./capture/reader.ts";
export { SNIFF_BYTES, type SniffResult, sniffFormat } from "./capture/sniff.ts";
export type {
  CaptureFormat,
  CaptureInfo,
  CaptureInterface,
  CaptureOptions,
  CaptureSection,
  InterfaceDescription,
  InterfaceStatistics,
  NameEntry,
  PacketAnnotations,
  PacketDirection,
  PacketRecord,
  PacketVerdict,
  RawOption,
  SectionDescription,
  SkippedBlocks,
  TimeResolution,
} from "./capture/types.ts";
export { addMissingInterfaces, createCaptureWriter, encodeCapture } from "./capture/writer.ts";
export type {
  CaptureWriter,
  CaptureWriterOptions,
  PacketChanges,
  PacketInput,
  PcapngWriterOptions,
  PcapWriterOptions,
} from "./capture/writer-types.ts";
export { TRACE_LIMITS } from "./limits.ts";
export { type CaptureToTraceOptions, type Conversion, captureToTrace } from "./msgtrace/capture-to-trace.ts";
export { crc32c } from "./msgtrace/crc32c.ts";
export { CHECKSUM_AREA_BYTES, type ChecksumMemory } from "./msgtrace/crc32c-wasm.ts";
export { TraceCursor } from "./msgtrace/cursor.ts";
export { type CutOptions, cutTrace, type TimeLimit } from "./msgtrace/cut.ts";
export { type MergeOptions, type MergeSource, mergeTraces } from "./msgtrace/merge.ts";
export { createTraceParser } from "./msgtrace/parser.ts";
export type {
  DamagedByte,
  TraceBlockInfo,
  TraceDamage,
  TraceItem,
  TraceMemory,
  TraceOptions,
  TraceParser,
} from "./msgtrace/parser-types.ts";
export { readTrace, type TraceReader, type TraceRecord } from "./msgtrace/read.ts";
export type { RunNumbers, RunSpan } from "./msgtrace/run-span.ts";
export { type TraceToCaptureOptions, traceToCapture } from "./msgtrace/trace-to-capture.ts";
export type {
  AskedValue,
  EventPhase,
  HelperFailure,
  HelperQuestion,
  HelperWrite,
  MapChange,
  MapChangeEntry,
  MapContents,
  PacketNotes,
  TraceDefinitions,
  TraceEvent,
  TraceEventKind,
  TraceHelper,
  TraceInfo,
  TraceInterface,
  TraceMap,
  TraceProgram,
  TraceRun,
  TraceRunInput,
  TraceValue,
  TraceValueMap,
} from "./msgtrace/types.ts";
export { type DamageReport, type TraceReport, verifyTrace } from "./msgtrace/verify.ts";
export { createTraceWriter } from "./msgtrace/writer.ts";
export type { RunColumns, TraceWriter, TraceWriterOptions } from "./msgtrace/writer-types.ts";
export { namingFile } from "./name-file.ts";
export type { TraceWarning } from "./warnings.ts";
