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
  const server = nodeRepl.start({
    prompt: PROMPT,
    preview: false,
    ignoreUndefined: true,
    useColors: isColoured,
    completer,
    eval: evaluate,
  });
  // Every line is ours, with a dot or without: node's own commands go, and whatever follows a dot comes here.
  Object.defineProperty(server, "commands", {
    value: new Proxy({}, { get: (_target, keyword) => commandFor(keyword), ownKeys: () => [] }),
  });
  let tail: Promise<void> = Promise.resolve();
  let isLeaving = false;

  function commandFor(keyword: string | symbol) {
    if (typeof keyword !== "string") return undefined;
    return { help: "", action: (rest: string) => void enqueue(`.${keyword} ${rest}`.trimEnd()) };
  }

  function evaluate(
    code: string,
    _context: unknown,
    _file: string,
    done: (error: null, result: undefined) => void,
  ): void {
    // The prompt is shown by `enqueue`; node shows none while an evaluation is pending.
    void done;
    void enqueue(code.replace(/\n$/, ""));
  }

  function completer(line: string): [string[], string] {
    const { candidates, part, wantsFiles } = repl.complete(line);
    return [[...candidates, ...(wantsFiles ? completeFile(part) : [])], part];
  }

  /** Inputs are answered one after the other, also when many are pasted at once. */
  function enqueue(line: string): Promise<void> {
    isLeaving = false;
    tail = tail.then(async () => {
      host.isBusy = true;
      const reply = await repl.execute(line);
      host.isBusy = false;
      await printReply(reply, { ...io, err: (text) => void process.stdout.write(io.paint(text)) });
      if (reply.isQuit) return void server.close();
      server.setPrompt(repl.isPending ? CONTINUED : PROMPT);
      server.displayPrompt();
    });
    return tail;
  }

  // Ctrl-C stops what runs, else drops what is typed; on an empty line twice, it leaves.
  server.removeAllListeners("SIGINT");
  server.on("SIGINT", () => {
    if (host.interrupt()) return;
    const isEmpty = server.line === "" && !repl.isPending;
    if (isEmpty && isLeaving) return server.close();
    server.write(null, { ctrl: true, name: "e" });
    server.write(null, { ctrl: true, name: "u" });
    repl.cancel();
    isLeaving = isEmpty;
    process.stdout.write(isEmpty ? "\n(Ctrl-C again, Ctrl-D or .quit leaves)\n" : "^C\n");
    server.setPrompt(PROMPT);
    server.displayPrompt();
  });
  if (isColoured) paintWhileTyping(server, io);
  await keepHistory(server);
  await new Promise<void>((resolve) => server.once("exit", resolve));
  await tail;
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
function paintWhileTyping(server: REPLServer, io: BatchIo): void {
  const { input, output } = server as unknown as { input: NodeJS.ReadStream; output: NodeJS.WriteStream };
  input.on("keypress", (_text: string | undefined, key: { name?: string; ctrl?: boolean } | undefined) => {
    if (
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
