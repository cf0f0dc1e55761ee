const KIB = 1024;
const MIB = 1024 * KIB;

/** What one file may make us hold at a time. Every value can be changed in `CaptureOptions`. */
export const TRACE_LIMITS = {
  /** Bytes of one pcap packet. @source libpcap pcap-int.h MAXIMUM_SNAPLEN */
  packetBytes: 256 * KIB,
  /** Bytes of one pcap packet of a link type that carries USB transfers or D-Bus messages. @source libpcap pcap-common.c max_snaplen_for_dlt */
  bulkPacketBytes: 128 * MIB,
  /** Bytes of one pcapng block. @source wireshark wiretap/pcapng.c MAX_BLOCK_SIZE */
  blockBytes: 16 * MIB,
  /** Options of one pcapng block; a bigger list has no use and costs memory. */
  blockOptions: 64 * KIB,
  /** Bytes kept of sections, interfaces and names together, texts included. */
  metadataBytes: 64 * MIB,
} as const;
