import type { EventEmitter } from "node:events";
import { cursorTo } from "node:readline";
import nodeRepl, { type REPLServer } from "node:repl";
import type { Repl } from "../core/repl.ts";
import { type BatchIo, printReply } from "./batch.ts";
import { completeFile } from "./file-names.ts";
import { historyPath, prepareHistory, protectHistory } from "./history-file.ts";
import type { NodeHost } from "./node-host.ts";

const PROMPT = "tsbpf> ";
const CONTINUED = "   ... ";

/** Talks with somebody at a terminal until they leave. */
export async function runInteractive(
  repl: Repl,
  io: BatchIo,
  host: NodeHost,
  isColoured: boolean,
): Promise<void> {
  const talk = new Talk(repl, io, host, isColoured);
  if (isColoured) paintWhileTyping(talk, io);
  await keepHistory(talk.server);
  await talk.untilLeft();
}

/** Node's REPL with all that it would evaluate handed to ours. */
class Talk {
  readonly server: REPLServer;
  private readonly repl: Repl;
  private readonly io: BatchIo;
  private readonly host: NodeHost;
  private tail: Promise<void> = Promise.resolve();
  /** Lines that were entered and not answered yet, the running one included. */
  private waitingCount = 0;
  /** Lines entered before this number are dropped: Ctrl-C came after them. */
  private firstWanted = 0;
  private enteredCount = 0;
  private isLeaving = false;

  constructor(repl: Repl, io: BatchIo, host: NodeHost, isColoured: boolean) {
    this.repl = repl;
    this.io = { ...io, err: (text) => void process.stdout.write(io.paint(text)) };
    this.host = host;
    this.server = nodeRepl.start({
      prompt: PROMPT,
      preview: false,
      ignoreUndefined: true,
      useColors: isColoured,
      completer: (line: string) => this.complete(line),
      // The prompt comes after the answer; node shows none while an evaluation is pending, so none is ever finished.
      eval: (code) => void this.enqueue(code.replace(/\n$/, "")),
    });
    // Every line is ours, with a dot or without: node's own commands go, and whatever follows a dot comes here.
    Object.defineProperty(this.server, "commands", {
      value: new Proxy({}, { get: (_target, keyword) => this.commandFor(keyword), ownKeys: () => [] }),
    });
    // Node's REPL prints what fails in timers with its stack; the process tells it as an error.
    const { _domain: domain } = this.server as unknown as { _domain?: EventEmitter };
    domain?.removeAllListeners("error");
    domain?.on("error", (thrown: unknown) => process.emit("uncaughtException", thrown as Error));
    this.server.removeAllListeners("SIGINT");
    this.server.on("SIGINT", () => this.interrupt());
  }

  async untilLeft(): Promise<void> {
    await new Promise<void>((resolve) => this.server.once("exit", resolve));
    await this.tail;
  }

  private commandFor(keyword: string | symbol) {
    if (typeof keyword !== "string") return undefined;
    return { help: "", action: (rest: string) => void this.enqueue(`.${keyword} ${rest}`.trimEnd()) };
  }

  private complete(line: string): [string[], string] {
    const { candidates, part, wantsFiles } = this.repl.complete(line);
    return [[...candidates, ...(wantsFiles ? completeFile(part) : [])], part];
  }

  /** Answers inputs one after the other, also when many are pasted at once. */
  private enqueue(line: string): Promise<void> {
    const number = this.enteredCount++;
    this.isLeaving = false;
    this.waitingCount++;
    this.tail = this.tail.then(() => this.answer(line, number)).finally(() => this.waitingCount--);
    return this.tail;
  }

  private async answer(line: string, number: number): Promise<void> {
    const { repl, host, server } = this;
    if (number < this.firstWanted) {
      repl.cancel();
      await this.io.out(`not executed: ${line}\n`);
    } else {
      host.startCommand();
      const reply = await repl.execute(line);
      await printReply(reply, this.io);
      if (reply.isQuit) return void server.close();
    }
    server.setPrompt(repl.isPending ? CONTINUED : PROMPT);
    // What was typed meanwhile goes on where it stood; before lines that wait, nothing is typed.
    if (this.waitingCount === 1) server.displayPrompt(true);
  }

  /** Whether a line is being answered, so that no prompt stands before what is typed. */
  get isBusy(): boolean {
    return this.waitingCount > 0;
  }

  /** Ctrl-C stops what runs and all that waits, else drops what is typed; on an empty line twice, it leaves. */
  private interrupt(): void {
    const { server, repl } = this;
    if (this.waitingCount > 0) {
      this.firstWanted = this.enteredCount;
      this.host.interrupt();
      return;
    }
    const isEmpty = server.line === "" && !repl.isPending;
    if (isEmpty && this.isLeaving) {
      server.close();
      return;
    }
    server.write(null, { ctrl: true, name: "e" });
    if (!isEmpty) process.stdout.write("^C");
    // What was typed stays on the screen, as in a shell, and goes nowhere.
    (server as unknown as { clearLine(): void }).clearLine();
    repl.cancel();
    this.isLeaving = isEmpty;
    if (isEmpty) process.stdout.write("(Ctrl-C again, Ctrl-D or .quit leaves)\n");
    server.setPrompt(PROMPT);
    server.displayPrompt();
  }
}

async function keepHistory(server: REPLServer): Promise<void> {
  const path = historyPath(process.env);
  if (path === undefined || !prepareHistory(path)) return;
  await new Promise<void>((resolve) => {
    server.setupHistory(path, () => resolve());
  });
  protectHistory(path);
}

/**
 * Writes the line again in colours after each key. Only what fits one row is coloured: the cursor's place in a wrapped
 * line is readline's business.
 */
function paintWhileTyping(talk: Talk, io: BatchIo): void {
  const { server } = talk;
  const { input, output } = server as unknown as { input: NodeJS.ReadStream; output: NodeJS.WriteStream };
  input.on("keypress", (_text: string | undefined, key: { name?: string; ctrl?: boolean } | undefined) => {
    if (
      talk.isBusy ||
      key?.name === "return" ||
      key?.name === "enter" ||
      (key?.ctrl === true && key.name !== "u" && key.name !== "w")
    )
      return;
    const { line, cursor } = server;
    const prompt = server.getPrompt();
    if (line === "" || prompt.length + line.length >= (output.columns ?? 80) || /[^\x20-\x7e]/.test(line))
      return;
    cursorTo(output, prompt.length);
    output.write(io.paint(line));
    cursorTo(output, prompt.length + cursor);
  });
}
