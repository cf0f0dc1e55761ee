import type { ProgressTerminal } from "./report/progress-bar.ts";
import type { WorkerHost } from "./workers/crew.ts";

/** Where a replay writes; apps give streams, tests give arrays. */
export interface ReplayIo {
  /** Writes to standard output; resolves when more may be written. */
  out(text: string): Promise<void> | void;
  /** Writes to standard error. */
  err(text: string): void;
  /** Opens a file or standard input for reading. */
  read(path: string): AsyncIterable<Uint8Array>;
  /** Opens a file for reading into memory of the caller's; undefined for what is no file, such as standard input. */
  open(path: string): Promise<ByteFile | undefined>;
  /** Reads a whole file. */
  readAll(path: string): Promise<Uint8Array>;
  /** Opens a file or standard output for writing; what goes to a name ending in `.gz` is compressed with gzip. */
  write(path: string): Promise<ByteSink>;
  /** Loads a module of plugins. */
  loadPlugin(path: string): Promise<Record<string, unknown>>;
  /** How worker threads are started; undefined where there are none. */
  readonly workers?: WorkerHost;
  /** Returns the size of a file in bytes; undefined for what is no file. */
  sizeOf?(path: string): Promise<number | undefined>;
  /** The terminal that progress is shown on; undefined where nobody looks. */
  readonly progress?: ProgressTerminal | undefined;
  /** Aborted by Ctrl-C: the replay stops after the packet at hand and prints what is done. */
  readonly signal?: AbortSignal;
  /** Colours a verdict for people; leaves it as it is where colours are off. */
  paintVerdict(verdict: string): string;
}

export interface ByteFile {
  /** Reads the next bytes and returns how many there were; 0 at the end. */
  read(into: Uint8Array): Promise<number> | number;
  /** Reads bytes at a place at once, and returns how many there were; `read` goes on where it would have. */
  readAt(into: Uint8Array, position: number): number;
  /** Lets `read` go on at a place: somebody else has read what lies before. */
  seek(position: number): void;
  close(): Promise<void>;
}

export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}
