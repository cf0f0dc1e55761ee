import {
  createTraceWriter,
  type InterfaceDescription,
  type PacketCursor,
  type TraceInterface,
  type TraceWriter,
} from "@tsbpf/trace";

/** Writes packets as the runs of a trace, each with a comment. */
export class PacketTrace {
  private readonly writer: TraceWriter = createTraceWriter({ info: { application: "tsbpf replay" } });
  /** Index in the output of each input interface. */
  private readonly interfaces = new Map<string, number>();

  get pendingBytes(): number {
    return this.writer.pendingBytes;
  }

  /** Appends the packet under a cursor with other bytes. */
  add(
    cursor: PacketCursor,
    packet: { readonly capture: string; readonly data: Uint8Array; readonly comment: string },
    source: InterfaceDescription | undefined,
  ): void {
    const interfaceIdx = this.interfaceOf(cursor, packet.capture, source);
    this.writer.writeEvent({ kind: "notes", phase: "before", notes: { comments: [packet.comment] } });
    const isOther = packet.data.length !== cursor.capturedBytes;
    this.writer.writeRun({
      tsNs: cursor.tsNs(),
      hasTime: cursor.hasTime,
      interfaceIdx,
      packet: packet.data,
      originalBytes: isOther ? packet.data.length : cursor.originalBytes,
    });
  }

  take(): Uint8Array {
    return this.writer.take();
  }

  end(): void {
    this.writer.end();
  }

  private interfaceOf(
    cursor: PacketCursor,
    capture: string,
    source: InterfaceDescription | undefined,
  ): number {
    const key = `${capture}/${cursor.interfaceIdx}`;
    const known = this.interfaces.get(key);
    if (known !== undefined) return known;
    const idx = this.writer.defineInterface({
      ifindex: (source as TraceInterface | undefined)?.ifindex ?? cursor.interfaceIdx + 1,
      linkType: cursor.linkType,
      ...(source?.name === undefined ? {} : { name: source.name }),
    });
    this.interfaces.set(key, idx);
    return idx;
  }
}
