import type { CaptureWriter, InterfaceDescription, PacketCursor } from "@tsbpf/trace";
import { createCaptureWriter } from "@tsbpf/trace";
import type { ByteSink } from "../io.ts";

const FLUSH_BYTES = 1 << 18;

/** Writes packets as programs left them, in the format that the file's name asks for. */
export class CaptureOutput {
  private readonly sink: ByteSink;
  private readonly isPcapng: boolean;
  private writer: CaptureWriter | undefined;
  /** Index in the output of each input interface. */
  private readonly interfaces = new Map<string, number>();
  packets = 0;

  constructor(path: string, sink: ByteSink) {
    this.sink = sink;
    this.isPcapng = path.endsWith(".pcapng");
  }

  /** Appends the packet under a cursor with new bytes; `comment` reaches pcapng only. */
  async add(
    cursor: PacketCursor,
    packet: {
      readonly capture: string;
      readonly data: Uint8Array;
      readonly comment: string;
      readonly retval?: number;
    },
    source: InterfaceDescription | undefined,
  ): Promise<void> {
    const writer = this.open(cursor.linkType);
    writer.writeFrom(cursor, {
      data: packet.data,
      interfaceIdx: this.interfaceOf(writer, cursor, packet.capture, source),
      ...(this.isPcapng
        ? {
            comments: [packet.comment],
            ...(packet.retval === undefined
              ? {}
              : { verdicts: [{ kind: "xdp" as const, value: BigInt(packet.retval) }] }),
          }
        : {}),
    });
    this.packets += 1;
    if (writer.pendingBytes >= FLUSH_BYTES) await this.sink.write(writer.take());
  }

  async close(): Promise<void> {
    const writer = this.open(1);
    await this.sink.write(writer.take());
    await this.sink.close();
  }

  private open(linkType: number): CaptureWriter {
    this.writer ??= createCaptureWriter(
      this.isPcapng
        ? { format: "pcapng", section: { application: "tsbpf replay" } }
        : { format: "pcap", linkType, resolution: "ns" },
    );
    return this.writer;
  }

  private interfaceOf(
    writer: CaptureWriter,
    cursor: PacketCursor,
    capture: string,
    source: InterfaceDescription | undefined,
  ): number {
    if (!this.isPcapng) return 0;
    const key = `${capture}/${cursor.interfaceIdx}`;
    const known = this.interfaces.get(key);
    if (known !== undefined) return known;
    const idx = writer.addInterface({
      linkType: cursor.linkType,
      ...(source?.name === undefined ? {} : { name: source.name }),
      ...(source?.snaplenBytes === undefined ? {} : { snaplenBytes: source.snaplenBytes }),
    });
    this.interfaces.set(key, idx);
    return idx;
  }
}
