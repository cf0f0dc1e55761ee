import type { CaptureWriter, InterfaceDescription, PacketCursor } from "@tsbpf/trace";
import { createCaptureWriter } from "@tsbpf/trace";
import type { ByteSink } from "../io.ts";
import { formatOfName } from "../trace/files.ts";
import { PacketTrace } from "./write-trace.ts";

const FLUSH_BYTES = 1 << 18;

/** Writes packets as programs left them, in the format that the file's name asks for: pcapng, a trace, else pcap. */
export class CaptureOutput {
  private readonly sink: ByteSink;
  private readonly isPcapng: boolean;
  private readonly trace: PacketTrace | undefined;
  private writer: CaptureWriter | undefined;
  /** Index in the output of each input interface. */
  private readonly interfaces = new Map<string, number>();
  packets = 0;

  constructor(path: string, sink: ByteSink) {
    this.sink = sink;
    const format = formatOfName(path) ?? "pcap";
    this.isPcapng = format === "pcapng";
    this.trace = format === "tsbpf" ? new PacketTrace() : undefined;
  }

  /** Appends the packet under a cursor with new bytes; `comment` reaches pcapng and traces. */
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
    this.packets += 1;
    const { trace } = this;
    if (trace !== undefined) {
      trace.add(cursor, packet, source);
      if (trace.pendingBytes >= FLUSH_BYTES) await this.sink.write(trace.take());
      return;
    }
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
    if (writer.pendingBytes >= FLUSH_BYTES) await this.sink.write(writer.take());
  }

  async close(): Promise<void> {
    this.trace?.end();
    await this.sink.write((this.trace ?? this.open(1)).take());
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
