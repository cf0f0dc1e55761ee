import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { UnsupportedError } from "@tsbpf/base";

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

const STDERR_KEPT = 2000;

/** A child process that answers JSON lines in the order in which they are asked. */
export class LineProcess {
  private readonly child: ChildProcess;
  private readonly waiting: Waiting[] = [];
  private readonly ended: Promise<void>;
  private stderr = "";
  private failure: Error | undefined;

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, [...args], { stdio: ["pipe", "pipe", "pipe"] });
    const { stdin, stdout, stderr } = this.child;
    // A dead child shows as EPIPE here and as its end below; the end is what is reported.
    stdin?.on("error", () => undefined);
    stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr = (this.stderr + text).slice(-STDERR_KEPT);
    });
    if (stdout !== null) createInterface({ input: stdout }).on("line", (line) => this.take(line));
    this.ended = new Promise((resolve) => {
      this.child.on("error", (error) => {
        this.fail(`${command} does not start: ${error.message}`);
        resolve();
      });
      this.child.on("close", (code, signal) => {
        this.fail(`${command} ended with ${signal ?? code}: ${this.stderr.trim()}`);
        resolve();
      });
    });
  }

  /**
   * Sends one request and waits for its answer.
   *
   * @throws KERNEL_CLIENT_GONE (UnsupportedError) when the process ends before it answers.
   */
  ask(request: unknown): Promise<unknown> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.child.stdin?.write(`${JSON.stringify(request)}\n`);
    });
  }

  /** Ends the input and waits until the process is gone. */
  async close(): Promise<void> {
    this.child.stdin?.end();
    await this.ended;
  }

  private take(line: string): void {
    const next = this.waiting.shift();
    try {
      next?.resolve(JSON.parse(line));
    } catch {
      next?.reject(
        new UnsupportedError("KERNEL_CLIENT_ANSWER", `no JSON from the client: ${line.slice(0, 200)}`),
      );
    }
  }

  private fail(text: string): void {
    this.failure ??= new UnsupportedError("KERNEL_CLIENT_GONE", text);
    for (const one of this.waiting.splice(0)) one.reject(this.failure);
  }
}
