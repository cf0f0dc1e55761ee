import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "./support.ts";

export const hasTmux = spawnSync("tmux", ["-V"]).status === 0;

/** Traces of JavaScript that no screen may show. */
const STACK = /\n\s+at .*:\d+:\d+|\bBUG_[A-Z]|node:internal|Uncaught/;
const PROMPT = /(?:tsbpf>|\.\.\.)\s*$/;
const POLL_MS = 25;
const WAIT_MS = 60_000;
const COLUMNS = 200;
const ROWS = 70;
/** The second Ctrl-C on an empty line leaves. */
const PRESSES_MAX = 20;

/** Somebody at a terminal: types, and waits for what the screen shows, never for time. */
export class Terminal {
  private readonly socket: string;

  constructor(directory: string) {
    this.socket = join(directory, "socket");
  }

  /** Starts a command of the shell on a screen of its own. */
  start(command: string, env: Readonly<Record<string, string>>): void {
    const words = Object.entries(env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    this.tmux("new-session", "-d", "-s", "repl", "-x", `${COLUMNS}`, "-y", `${ROWS}`, ...words, command);
  }

  stop(): void {
    this.tmux("kill-server");
  }

  /** The screen as text. */
  get screen(): string {
    return this.tmux("capture-pane", "-p", "-t", "repl").trimEnd();
  }

  /** The screen with its colours as escape sequences, of which ␛ is the first character. */
  get colours(): string {
    return this.tmux("capture-pane", "-p", "-e", "-t", "repl").replaceAll("\u001b", "␛");
  }

  /** Waits until the screen shows something; gives the screen. */
  async until(wanted: RegExp, what = String(wanted), look = () => this.screen): Promise<string> {
    const end = Date.now() + WAIT_MS;
    for (;;) {
      const shown = look();
      if (STACK.test(shown)) throw new Error(`a JavaScript stack at ${what}:\n${shown}`);
      if (wanted.test(shown)) return shown;
      if (Date.now() > end) throw new Error(`${wanted} not shown at ${what}:\n${shown}`);
      await sleep(POLL_MS);
    }
  }

  /** Waits until all of it is shown and the prompt stands below. */
  async shows(wanted: readonly RegExp[], what: string): Promise<string> {
    await this.until(PROMPT, `the prompt after ${what}`);
    for (const one of wanted) await this.until(one, what);
    return this.until(PROMPT, `the prompt after ${what}`);
  }

  press(...keys: readonly string[]): void {
    this.tmux("send-keys", "-t", "repl", ...keys);
  }

  /** Types text and waits until the line that is typed ends with it. */
  async type(text: string): Promise<void> {
    this.tmux("send-keys", "-t", "repl", "-l", text);
    await this.until(new RegExp(`${quote(text.trimEnd())}\\s*$`), `typing ${text}`);
  }

  /** Types text, presses Tab, and waits for what the line ends with then. */
  async complete(text: string, completed: string): Promise<void> {
    await this.clear();
    await this.type(text);
    this.press("Tab");
    await this.until(new RegExp(`${quote(completed)}\\s*$`), `${text} and Tab`);
  }

  /** Drops what is typed, and all lines above. */
  async clear(): Promise<void> {
    this.press("C-u", "C-l");
    await this.until(/^\s*(?:tsbpf>|\.\.\.)$/, "a cleared screen");
  }

  /** Enters lines on an empty screen and waits for all that it should show. */
  async enter(lines: string | readonly string[], ...wanted: readonly RegExp[]): Promise<string> {
    const all = typeof lines === "string" ? [lines] : lines;
    await this.clear();
    for (const line of all) {
      if (line !== "") await this.type(line);
      this.press("Enter");
      const count = all.indexOf(line) + 1;
      // The answer to each line is awaited: its prompt stands alone.
      await this.until(/(?:^|\n)\s*(?:tsbpf>|\.\.\.)$/, `line ${count}, ${line}`);
    }
    return this.shows(wanted, all.join(" ⏎ "));
  }

  /** Presses Enter behind what is typed. */
  async submit(what: string, ...wanted: readonly RegExp[]): Promise<string> {
    this.press("Enter");
    return this.shows(wanted, what);
  }

  /** Presses Ctrl-C until something is shown: a key may come before what it should stop. */
  async interrupt(wanted: RegExp): Promise<void> {
    for (let i = 0; i < PRESSES_MAX; i++) {
      this.press("C-c");
      for (let waited = 0; waited < 40; waited++) {
        if (wanted.test(this.screen)) return;
        await sleep(POLL_MS);
      }
    }
    throw new Error(`${wanted} not shown after Ctrl-C:\n${this.screen}`);
  }

  private tmux(...words: readonly string[]): string {
    return spawnSync("tmux", ["-S", this.socket, ...words], { encoding: "utf8", cwd: root }).stdout;
  }
}

export const quote = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
