import type { CaptureFormat } from "./types.ts";

/** What the first bytes of a file say it is. */
export type SniffResult =
  | { readonly kind: "capture"; readonly format: CaptureFormat }
  | { readonly kind: "gzip" }
  | { readonly kind: "trace" }
  /** A format that exists, but that this package does not read. */
  | { readonly kind: "known"; readonly name: string; readonly advice: string }
  | { readonly kind: "unknown" };

interface Magic {
  readonly bytes: readonly number[];
  readonly result: SniffResult;
}

const text = (letters: string): number[] => Array.from(letters, (letter) => letter.charCodeAt(0));
const bothEnds = (bytes: readonly number[]): (readonly number[])[] => [bytes, bytes.toReversed()];

const PCAP: SniffResult = { kind: "capture", format: "pcap" };
const convert = "convert it with editcap -F pcapng";
const known = (name: string, advice: string): SniffResult => ({ kind: "known", name, advice });

/** @source libpcap sf-pcap.c, wireshark wiretap/libpcap.h, pcapng §4.1 */
const MAGICS: readonly Magic[] = [
  ...bothEnds([0xa1, 0xb2, 0xc3, 0xd4]).map((bytes) => ({ bytes, result: PCAP })),
  ...bothEnds([0xa1, 0xb2, 0x3c, 0x4d]).map((bytes) => ({ bytes, result: PCAP })),
  { bytes: [0x0a, 0x0d, 0x0d, 0x0a], result: { kind: "capture", format: "pcapng" } },
  { bytes: [0x1f, 0x8b], result: { kind: "gzip" } },
  { bytes: [0x89, ...text("TSBPF\r\n")], result: { kind: "trace" } },
  ...modifiedPcap([0xa1, 0xb2, 0xcd, 0x34], "pcap as modified by Kuznetzov's patches"),
  ...modifiedPcap([0xa1, 0xb2, 0x34, 0xcd], "pcap as modified by Mesquita's patches"),
  ...modifiedPcap([0xa1, 0x2b, 0x3c, 0x4d], "pcap as modified by Navtel"),
  ...modifiedPcap([0xa1, 0xe2, 0xcb, 0x12], "pcap as modified by netsniff-ng"),
  ...modifiedPcap([0x1c, 0x00, 0x01, 0xac], "pcap of Ixia hardware captures"),
  ...modifiedPcap([0x1c, 0x00, 0x01, 0xab], "pcap of Ixia software captures"),
  { bytes: [0x28, 0xb5, 0x2f, 0xfd], result: known("zstd compression", "decompress it with zstd -d") },
  { bytes: [0xfd, ...text("7zXZ"), 0], result: known("xz compression", "decompress it with xz -d") },
  { bytes: [0x04, 0x22, 0x4d, 0x18], result: known("lz4 compression", "decompress it with lz4 -d") },
  { bytes: text("BZh"), result: known("bzip2 compression", "decompress it with bzip2 -d") },
  { bytes: text("snoop\0\0\0"), result: known("snoop", convert) },
  { bytes: text("btsnoop\0"), result: known("btsnoop", convert) },
  { bytes: text("GMBU"), result: known("Network Monitor 2", convert) },
  { bytes: text("RTSS"), result: known("Network Monitor 1", convert) },
  { bytes: text("TRSNIFF data"), result: known("Sniffer", convert) },
  { bytes: text("XCP\0"), result: known("NetXRay", convert) },
];

function modifiedPcap(bytes: readonly number[], name: string): Magic[] {
  return bothEnds(bytes).map((order) => ({ bytes: order, result: known(name, convert) }));
}

/** Bytes that `sniffFormat` may need to decide. */
export const SNIFF_BYTES = Math.max(...MAGICS.map((magic) => magic.bytes.length));

/** Tells a file's format from its first bytes, never from its name; `SNIFF_BYTES` of them decide everything. */
export function sniffFormat(bytes: Uint8Array): SniffResult {
  const hit = MAGICS.find((magic) => magic.bytes.every((byte, i) => bytes[i] === byte));
  return hit?.result ?? { kind: "unknown" };
}
