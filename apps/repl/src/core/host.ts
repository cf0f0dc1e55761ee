import type { Effect, HelperPlugin, MapTypePlugin, ProgTypePlugin } from "@tsbpf/plugin";

/** What plugin files bring. */
export interface ReplPlugins {
  readonly helpers: readonly HelperPlugin[];
  /** Kernel functions. */
  readonly kfuncs?: readonly HelperPlugin[];
  readonly mapTypes: readonly MapTypePlugin[];
  readonly progTypes: readonly ProgTypePlugin[];
}

/** What the REPL may ask of the world around it; a browser gives other answers than Node. */
export interface ReplHost {
  /** @throws InputError naming the file. */
  readFile(path: string): Promise<Uint8Array>;
  /** @throws InputError naming the file. */
  writeFile(path: string, data: Uint8Array | string): Promise<void>;
  /** Loads a plugin file; absent where files cannot be imported. */
  loadPlugins?(path: string): Promise<ReplPlugins>;
  /** Evaluates a TypeScript expression with names bound; absent where only JavaScript can be evaluated. */
  evalTypeScript?(expression: string, names: Readonly<Record<string, unknown>>): Promise<unknown>;
  /**
   * Runs what came from the prompt and stops it when it does not end in good time; absent where nothing can.
   *
   * @throws REPL_HELPER (InputError) when it was stopped.
   */
  guard?<T>(work: () => T): T;
  /** Lets the user edit a text; absent without an editor. */
  edit?(text: string): Promise<string>;
  /**
   * Runs a command of the shell on the terminal and returns its exit status; absent where nobody types and nothing
   * allows it.
   */
  shell?(command: string): Promise<number>;
  /** Whether scripts may run commands of the shell too, not only who types. */
  readonly allowsShellInScripts?: boolean;
  /** Describes a packet on one line. */
  describePacket?(packet: Uint8Array): string;
  /** Describes on one line what a program did beyond registers, memory and maps; absent where nobody wants to know. */
  describeEffect?(effect: Effect): string;
  /** Lets pending input be handled; answers whether the user asked to stop what runs. */
  breathe(): Promise<boolean>;
  /** A clock for `.time`, in nanoseconds. */
  nowNs(): bigint;
}
