import { SingleBar } from "cli-progress";
import type { ByteFile, ReplayIo } from "../io.ts";

/** A terminal that progress is shown on. */
export interface ProgressTerminal {
  readonly stream: NodeJS.WritableStream;
  /** Whether standard output is the same terminal, so that a bar would stand between lines. */
  readonly isShared: boolean;
}

const REDRAWS_PER_SEC = 10;
const BAR_COLUMNS = 30;
const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** Prints a number of bytes with a unit: `279 kB`. */
export function printByteCount(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** Prints a rate of packets: `381 kpps`. */
function printRate(packets: number, sec: number): string {
  const rate = packets / Math.max(sec, 1e-3);
  if (rate >= 1e6) return `${(rate / 1e6).toFixed(2)} Mpps`;
  return rate >= 1e3 ? `${(rate / 1e3).toFixed(rate >= 1e5 ? 0 : 1)} kpps` : `${Math.round(rate)} pps`;
}

/** Shows how much of the captures has been read, and when all is done, how fast it went. */
class ReplayProgress {
  private readonly terminal: ProgressTerminal;
  private readonly startedMs = performance.now();
  private readonly bar: SingleBar | undefined;
  private readonly totalBytes: number | undefined;
  private readBytes = 0;

  /**
   * @param totalBytes - size of all captures; undefined where one is no file.
   * @param printsPackets - whether packets are printed, which a bar on the same terminal would stand between.
   */
  constructor(terminal: ProgressTerminal, totalBytes: number | undefined, printsPackets: boolean) {
    this.terminal = terminal;
    this.totalBytes = totalBytes;
    if (terminal.isShared && printsPackets) return;
    const amount = totalBytes === undefined ? "{read}" : "[{bar}] {percentage}% {read}";
    this.bar = new SingleBar({
      format: `${amount} {rate}/s`,
      stream: terminal.stream,
      fps: REDRAWS_PER_SEC,
      clearOnComplete: true,
      hideCursor: false,
      gracefulExit: false,
      barsize: BAR_COLUMNS,
      barCompleteChar: "=",
      barIncompleteChar: " ",
    });
    this.bar.start(totalBytes ?? 0, 0, this.texts());
  }

  /** Counts what is read through it of captures. */
  watch(io: ReplayIo): ReplayIo {
    const count = (bytes: number): void => this.add(bytes);
    return {
      ...io,
      async *read(path) {
        for await (const chunk of io.read(path)) {
          count(chunk.length);
          yield chunk;
        }
      },
      async open(path) {
        const file = await io.open(path);
        return file === undefined ? undefined : watchFile(file, count);
      },
    };
  }

  /** Takes the bar away, so that something else can be printed. */
  stop(): void {
    this.bar?.stop();
  }

  /** Prints how much was done in which time. */
  finish(packets: number, bytes: number): void {
    const sec = (performance.now() - this.startedMs) / 1000;
    this.terminal.stream.write(
      `${packets} packets, ${printByteCount(bytes)}, ${sec.toFixed(1)} s, ${printRate(packets, sec)}\n`,
    );
  }

  private add(bytes: number): void {
    this.readBytes += bytes;
    this.bar?.update(Math.min(this.readBytes, this.totalBytes ?? this.readBytes), this.texts());
  }

  private texts(): Readonly<Record<string, string>> {
    const sec = Math.max((performance.now() - this.startedMs) / 1000, 1e-3);
    return { read: printByteCount(this.readBytes), rate: printByteCount(this.readBytes / sec) };
  }
}

function watchFile(file: ByteFile, count: (bytes: number) => void): ByteFile {
  let position = 0;
  const moveTo = (next: number): void => {
    count(next - position);
    position = next;
  };
  return {
    async read(into) {
      const bytes = await file.read(into);
      moveTo(position + bytes);
      return bytes;
    },
    readAt: (into, at) => file.readAt(into, at),
    seek(at) {
      file.seek(at);
      moveTo(at);
    },
    close: () => file.close(),
  };
}

/** Begins to show progress where there is a terminal for it and nobody asked for silence or a stream for machines. */
export async function startProgress(
  captures: readonly string[],
  {
    isQuiet,
    json,
    printsPackets,
  }: { readonly isQuiet: boolean; readonly json: boolean; readonly printsPackets: boolean },
  io: ReplayIo,
): Promise<ReplayProgress | undefined> {
  if (io.progress === undefined || isQuiet || json) return undefined;
  let total: number | undefined = 0;
  for (const capture of captures) {
    const bytes = await io.sizeOf?.(capture);
    total = bytes === undefined || total === undefined ? undefined : total + bytes;
  }
  return new ReplayProgress(io.progress, total, printsPackets);
}
