import { parseHexBytes } from "@tsbpf/base";
import { readJsonLines, readText, runToolCommand } from "@tsbpf/testkit";
import { type Comparison, compareCase } from "./agreement.ts";
import type { Case, KernelAnswer } from "./cases.ts";
import { printFindings, printLogs } from "./report.ts";
import { printTally, tallyOf } from "./tally.ts";

const USAGE = `usage: corpus-main.ts CASES.jsonl [--answers ANSWERS.jsonl] [--logs LOGS.json] [--only NAME] [--list errno|message|count|log]

Gives the cases of a file to the verifier and says how far it agrees with the kernel's answers that were recorded with them.
  --answers FILE  other answers, a line a case, found by their name
  --logs FILE     the logs that belong to the answers
  --only NAME     both logs of the cases whose name starts with NAME
  --list KIND     also name the cases that differ in KIND
`;

interface Recorded {
  readonly id: string;
  readonly title: string;
  readonly log: string;
}

function readLogs(path: string | undefined): ReadonlyMap<string, string> {
  if (path === undefined) return new Map();
  const all = JSON.parse(readText(path)) as readonly Recorded[];
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

type NamedAnswer = KernelAnswer & { readonly name: string; readonly error?: string | null };

function readAnswers(path: string | undefined): ReadonlyMap<string, KernelAnswer> {
  const all = path === undefined ? [] : (readJsonLines(path) as readonly NamedAnswer[]);
  return new Map(all.flatMap((one) => ((one.error ?? null) === null ? [[one.name, one]] : [])));
}

function compareFile(
  path: string,
  answersPath: string | undefined,
  logsPath: string | undefined,
): Comparison[] {
  const logs = readLogs(logsPath);
  const answers = readAnswers(answersPath);
  return (readJsonLines(path) as readonly Case[]).flatMap((item) => {
    const kernel = answers.get(item.name) ?? item.kernel;
    if (kernel === undefined) return [];
    const log = logs.get(item.name) ?? kernel.log;
    const named = log === undefined ? item : withKfuncNames(item, log);
    return [compareCase(named, log === undefined ? kernel : { ...kernel, log })];
  });
}

const printOne = (one: Comparison): string =>
  `== ${one.name}\n${printLogs({ log: one.kernel.log ?? `${one.kernel.errline ?? ""}\n` }, one)}`;

const printLogShare = (all: readonly Comparison[]): string => {
  const logs = all.filter((one) => one.isLogSame !== undefined);
  return logs.length === 0
    ? ""
    : `  log ${logs.filter((one) => one.isLogSame === true).length}/${logs.length}`;
};

await runToolCommand({
  usage: USAGE,
  options: {
    answers: { type: "string" },
    logs: { type: "string" },
    only: { type: "string" },
    list: { type: "string" },
  },
  run({ values, positionals: [path] }) {
    if (path === undefined) {
      process.stderr.write(USAGE);
      return 2;
    }
    const results = compareFile(path, values.answers, values.logs).filter((one) =>
      one.name.startsWith(values.only ?? ""),
    );
    if (values.only !== undefined) process.stdout.write(results.map(printOne).join(""));
    process.stdout.write(printFindings(results, values.list));
    process.stdout.write(`${printTally("total", tallyOf(results))}${printLogShare(results)}\n`);
    return 0;
  },
});
