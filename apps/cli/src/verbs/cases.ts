import { createInterface } from "node:readline";
import type { EngineName, Prog } from "@tsbpf/vm";
import { type Answer, answerCase, failure } from "../cases/answer.ts";
import { readCase } from "../cases/case.ts";

export interface CasesOptions {
  readonly engine: EngineName;
  readonly verify: boolean;
  readonly log: boolean;
}

/** Answers the cases protocol: one JSON object a line in, one a line out, in the same order. */
export async function runCases(options: CasesOptions): Promise<void> {
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines) {
    if (line.trim() === "") continue;
    let compiling: Prog | undefined;
    const onProg = (prog: Prog): void => {
      compiling = prog.compiling === undefined ? undefined : prog;
    };
    const text = `${JSON.stringify(answerLine(line, options, onProg))}\n`;
    if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once("drain", resolve));
    // What compiles beside must not pile up: each holds its machine and memory.
    if (compiling?.compiling?.state === "compiling") await compiling.untilCompiled();
  }
}

function answerLine(line: string, options: CasesOptions, onProg: (prog: Prog) => void): Answer {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return { name: null, loaded: false, errno: 0, error: "bad case: no JSON object", code: "CASE_JSON" };
  }
  const name = (parsed as { name?: unknown } | null)?.name ?? null;
  try {
    return answerCase(readCase(parsed), {
      engine: options.engine,
      verify: options.verify,
      withLog: options.log,
      onProg,
    });
  } catch (error) {
    return { name, loaded: false, errno: 0, ...failure(error) };
  }
}
