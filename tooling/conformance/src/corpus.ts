import { readFileSync } from "node:fs";
import { parseHexBytes } from "@tsbpf/base";
import { type Comparison, compareCase } from "./agreement.ts";
import type { Case, KernelAnswer } from "./cases.ts";

/**
 * Runs a cases file with recorded kernel answers through the verifier and prints how far both agree.
 *
 *     node --conditions=@tsbpf/source --import tsx tooling/conformance/src/corpus.ts CASES.jsonl [--logs VERDICTS.json] [--only NAME] [--list KIND]
 *
 * KIND is verdict, errno, message, count, log or crash: names the cases that differ.
 */
function main(args: readonly string[]): void {
  const option = (name: string): string | undefined => {
    const at = args.indexOf(name);
    return at < 0 ? undefined : args[at + 1];
  };
  const path = args.find((arg, i) => !arg.startsWith("--") && !(args[i - 1] ?? "").startsWith("--"));
  const file = path ?? process.env.TSBPF_CASES;
  if (file === undefined) {
    process.stderr.write("usage: corpus.ts CASES.jsonl, or set TSBPF_CASES\n");
    process.exitCode = 2;
    return;
  }
  const logs = readLogs(option("--logs"));
  const answers = readAnswers(option("--answers"));
  const only = option("--only");
  const results: Comparison[] = [];
  for (const line of readFileSync(file, "utf8").split("\n")) {
    if (line.trim() === "") continue;
    const item = JSON.parse(line) as Case;
    const kernel = answers.get(item.name) ?? item.kernel;
    if (kernel === undefined || (only !== undefined && !item.name.startsWith(only))) continue;
    const log = logs.get(item.name) ?? kernel.log;
    const named = log === undefined ? item : withKfuncNames(item, log);
    results.push(compareCase(named, log === undefined ? kernel : { ...kernel, log }));
  }
  if (only !== undefined) for (const one of results) printOne(one);
  const list = option("--list");
  if (list !== undefined) for (const one of results) if (differs(one, list)) printDifference(one);
  printTotals(results);
}

interface Recorded {
  readonly id: string;
  readonly title: string;
  readonly log: string;
}

function readLogs(path: string | undefined): ReadonlyMap<string, string> {
  if (path === undefined) return new Map();
  const all = JSON.parse(readFileSync(path, "utf8")) as readonly Recorded[];
  return new Map(all.map((one) => [`${one.id} ${one.title}`, one.log]));
}

const KFUNC_CALL = "85";
const SLOT_DIGITS = 16;

/** Recorded cases call kernel functions by the id of one machine; its log tells their names. */
function withKfuncNames(item: Case, log: string): Case {
  if (item.kfuncs !== undefined) return item;
  const names = new Map<number, string>();
  for (const match of log.matchAll(/call (\w+)#(\d+)/g)) names.set(Number(match[2]), match[1] ?? "");
  for (const match of log.matchAll(/calling kernel function (\w+) is not allowed/g))
    names.set(-1, match[1] ?? "");
  const kfuncs: { insn: number; name: string }[] = [];
  for (let at = 0; at < item.insns.length; at += SLOT_DIGITS) {
    const slot = item.insns.slice(at, at + SLOT_DIGITS);
    if (!slot.startsWith(KFUNC_CALL) || slot[2] !== "2") continue;
    const view = new DataView(parseHexBytes(slot.slice(8)).buffer);
    const name = names.get(view.getInt32(0, true));
    if (name !== undefined && name !== "unknown" && name !== "kernel")
      kfuncs.push({ insn: at / SLOT_DIGITS, name });
  }
  return { ...item, kfuncs };
}

function readAnswers(path: string | undefined): ReadonlyMap<string, KernelAnswer> {
  if (path === undefined) return new Map();
  const answers = new Map<string, KernelAnswer>();
  for (const line of readFileSync(path, "utf8").split("\n")) {
    if (line.trim() === "") continue;
    const one = JSON.parse(line) as KernelAnswer & { readonly name: string; readonly error?: string };
    if (one.error === undefined || one.error === null) answers.set(one.name, one);
  }
  return answers;
}

function differs(one: Comparison, kind: string): boolean {
  switch (kind) {
    case "verdict":
      return !one.isVerdictSame;
    case "unsound":
      return one.isAccepted && !one.kernel.loaded;
    case "errno":
      return one.isVerdictSame && !one.isErrnoSame;
    case "message":
      return one.isMessageSame === false;
    case "count":
      return one.isVerdictSame && one.isCountSame === false;
    case "log":
      return one.isVerdictSame && one.isLogSame === false;
    default:
      return one.crash !== "";
  }
}

function printOne(one: Comparison): void {
  process.stdout.write(
    `== ${one.name}\n-- ours\n${one.log}\n-- kernel\n${one.kernel.log ?? one.kernel.errline ?? ""}\n`,
  );
  if (one.crash !== "") process.stdout.write(`${one.crash}\n`);
}

function printDifference(one: Comparison): void {
  const ours = one.isAccepted ? "accepted" : `refused ${one.errno} ${one.message}`;
  const theirs = one.kernel.loaded ? "accepted" : `refused ${one.kernel.errno} ${one.kernel.errline ?? ""}`;
  process.stdout.write(
    `${one.name}\n  ours   ${ours} (${one.processedInsns})\n  kernel ${theirs} (${one.kernel.processed_insns ?? "?"})\n`,
  );
  if (one.crash !== "") process.stdout.write(`  crash ${one.crash.split("\n").slice(0, 3).join(" | ")}\n`);
}

function printTotals(results: readonly Comparison[]): void {
  const share = (text: string, all: readonly Comparison[], hits: number): void => {
    const percent = all.length === 0 ? "-" : ((100 * hits) / all.length).toFixed(1);
    process.stdout.write(`${text.padEnd(10)} ${hits}/${all.length} ${percent} %\n`);
  };
  share("verdict", results, results.filter((one) => one.isVerdictSame).length);
  share("errno", results, results.filter((one) => one.isErrnoSame).length);
  const messages = results.filter((one) => one.isMessageSame !== undefined);
  share("message", messages, messages.filter((one) => one.isMessageSame === true).length);
  const counts = results.filter((one) => one.isVerdictSame && one.isCountSame !== undefined);
  share("count", counts, counts.filter((one) => one.isCountSame === true).length);
  const logs = results.filter((one) => one.isLogSame !== undefined);
  if (logs.length > 0) share("log", logs, logs.filter((one) => one.isLogSame === true).length);
  const unsound = results.filter((one) => one.isAccepted && !one.kernel.loaded);
  process.stdout.write(`accepted against the kernel: ${unsound.length}\n`);
  process.stdout.write(`crashes: ${results.filter((one) => one.crash !== "").length}\n`);
}

main(process.argv.slice(2));
