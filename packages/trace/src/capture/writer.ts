import { PcapWriter } from "../pcap/writer.ts";
import { PcapngWriter } from "../pcapng/writer.ts";
import type { CaptureInterface } from "./types.ts";
import type { CaptureWriter, CaptureWriterOptions, PacketInput } from "./writer-types.ts";

/**
 * Creates a writer of capture files.
 *
 * @throws PCAP_LINK_TYPE_RANGE, PCAP_FCS_BYTES, TRACE_FIELD_RANGE, PCAPNG_OPTION_TOO_LONG (InputError) when the
 * options do not fit the format.
 */
export function createCaptureWriter(options: CaptureWriterOptions): CaptureWriter {
  return options.format === "pcap" ? new PcapWriter(options) : new PcapngWriter(options);
}

/** Adds to a writer the interfaces that a reader has met since the last call, so that both count them alike. */
export function addMissingInterfaces(writer: CaptureWriter, interfaces: readonly CaptureInterface[]): void {
  for (const description of interfaces.slice(writer.interfaceCount)) writer.addInterface(description);
}

/** Encodes a whole capture in memory; throws as the writer's methods do. */
export function encodeCapture(packets: Iterable<PacketInput>, options: CaptureWriterOptions): Uint8Array {
  const writer = createCaptureWriter(options);
  for (const packet of packets) writer.write(packet);
  return writer.take();
}
