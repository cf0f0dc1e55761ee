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
export type { TraceWarning } from "./warnings.ts";
