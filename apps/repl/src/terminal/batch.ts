import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Repl, Reply } from "../core/repl.ts";
import type { Painter } from "./paint.ts";

export interface BatchIo {
  out(text: string): Promise<void> | void;
  err(text: string): void;
  readonly paint: Painter;
}

/** Whether to stop, and why. */
export type BatchEnd = "quit" | "error" | "done";

/** Prints an answer; says whether it was an error. */
export async function printReply(reply: Reply, io: BatchIo): Promise<boolean> {
  if (reply.output !== "") await io.out(io.paint(reply.output));
  if (reply.error === undefined) return false;
  io.err(`${reply.error}\n`);
  return true;
}

/**
 * Executes lines without a prompt.
 *
 * @param keepGoing - whether an error ends it.
 */
export async function runLines(
  lines: AsyncIterable<string> | Iterable<string>,
  repl: Repl,
  io: BatchIo,
  keepGoing: boolean,
): Promise<BatchEnd> {
  let end: BatchEnd = "done";
  for await (const line of lines) {
    const reply = await repl.execute(line, false);
    if (await printReply(reply, io)) {
      end = "error";
      if (!keepGoing) return end;
    }
    if (reply.isQuit) return end === "error" ? "error" : "quit";
  }
  if ((await printReply(await repl.end(), io)) === true) return "error";
  return end;
}

/** Lines of a stream, without their ends. */
export const linesOf = (input: Readable): AsyncIterable<string> =>
  createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
