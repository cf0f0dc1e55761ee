import { type Command, Option } from "commander";
import { engineOption, verifyOption } from "./engine-options.ts";
import { addFilterInput } from "./filter-options.ts";
import { spreadOption } from "./spread-option.ts";
import type { RecordWords } from "./verbs/record.ts";
import type { ConvertWords, CutWords, MergeWords, ShowWords, VerifyWords } from "./verbs/trace.ts";

/** What the commands of one file share with those of another. */
export interface CommandTools {
  count(value: string): number;
  countFromOne(value: string): number;
  collect(value: string, before: readonly string[]): string[];
  examples(...lines: readonly string[]): string;
  /** Ends the command line with an exit status. */
  leave(exitCode: number): void;
}

/** Adds the verbs that make traces and work on them. */
export function addTraceCommands(program: Command, tools: CommandTools): void {
  addRecord(program, tools);
  const trace = program
    .command("trace")
    .description("look at traces, cut, merge, convert and check them")
    .addHelpText(
      "before",
      tools.examples(
        "tsbpf trace show run.tsbpf --runs 1-10",
        "tsbpf trace verify run.tsbpf",
        "tsbpf trace convert run.tsbpf run.pcapng",
      ),
    );
  addShow(trace, tools);
  addCut(trace, tools);
  addMerge(trace, tools);
  addConvert(trace, tools);
  addVerify(trace, tools);
  for (const command of trace.commands) command.exitOverride();
}

function addShow(trace: Command, { examples, leave }: CommandTools): void {
  trace
    .command("show")
    .description("print what a trace holds")
    .argument("<trace>", "trace, gzip or not; - is standard input")
    .option("--blocks", "a line a block: type, place, size, runs")
    .option("--runs [range]", "the runs with what happened while they ran, all or some: 3,10-20,100-")
    .option("--strict", "fail on a trace that was cut short")
    .option("-j, --json", "one JSON line a run, then a document")
    .option("-p, --pretty", "indent the document")
    .addHelpText(
      "before",
      examples(
        "tsbpf trace show run.tsbpf",
        "tsbpf trace show run.tsbpf --runs 1-10",
        "tsbpf trace show run.tsbpf --blocks --json",
      ),
    )
    .action(async (path: string, words: ShowWords) => {
      leave(await (await import("./verbs/trace.ts")).runTraceShow(path, words));
    });
}

function addCut(trace: Command, { examples, leave }: CommandTools): void {
  trace
    .command("cut")
    .description("copy a part of a trace, by number or by time")
    .argument("<trace>", "trace, gzip or not; - is standard input")
    .requiredOption("-w, --write <file>", "where the part goes; - is standard output")
    .option("--runs <range>", "these runs only, from 1: 3,10-20,100-")
    .option(
      "--from <time>",
      "runs from this time on: seconds since 1970, 2025-01-31T12:00:00, or +SECONDS after the first",
    )
    .option("--to <time>", "runs before this time")
    .option("-q, --quiet", "print nothing")
    .option("-j, --json", "one JSON document")
    .option("-p, --pretty", "indent JSON")
    .addHelpText(
      "before",
      examples(
        "tsbpf trace cut run.tsbpf --runs 100-200 -w part.tsbpf",
        "tsbpf trace cut run.tsbpf --from +10 --to +20 -w seconds.tsbpf",
      ),
    )
    .action(async (path: string, words: CutWords) => {
      leave(await (await import("./verbs/trace.ts")).runTraceCut(path, words));
    });
}

function addMerge(trace: Command, { examples, leave }: CommandTools): void {
  trace
    .command("merge")
    .description("merge traces and captures into one trace, by time")
    .argument("<files...>", "traces and captures, gzip or not; - is standard input")
    .requiredOption("-w, --write <file>", "where the trace goes; - is standard output")
    .option("-q, --quiet", "print nothing")
    .option("-j, --json", "one JSON document")
    .option("-p, --pretty", "indent JSON")
    .addHelpText("before", examples("tsbpf trace merge eth0.tsbpf eth1.pcapng -w both.tsbpf"))
    .action(async (paths: string[], words: MergeWords) => {
      leave(await (await import("./verbs/trace.ts")).runTraceMerge(paths, words));
    });
}

function addConvert(trace: Command, { examples, leave }: CommandTools): void {
  trace
    .command("convert")
    .description("convert between traces, pcapng and pcap, and say what the format cannot hold")
    .argument("<from>", "trace or capture, gzip or not; - is standard input")
    .argument("<to>", "file to write; its name tells the format; - is standard output")
    .addOption(new Option("--to <format>", "format to write").choices(["pcap", "pcapng", "tsbpf"]))
    .option("--strict", "fail where something would be left out")
    .option("-q, --quiet", "print nothing but warnings")
    .option("-j, --json", "one JSON document")
    .option("-p, --pretty", "indent JSON")
    .addHelpText(
      "before",
      examples(
        "tsbpf trace convert run.tsbpf run.pcapng",
        "tsbpf trace convert traffic.pcap - --to tsbpf > traffic.tsbpf",
      ),
    )
    .action(async (from: string, to: string, words: ConvertWords) => {
      leave(await (await import("./verbs/trace.ts")).runTraceConvert(from, to, words));
    });
}

function addVerify(trace: Command, { examples, leave }: CommandTools): void {
  trace
    .command("verify")
    .description("check every block of traces, and name what is damaged")
    .argument("<traces...>", "traces, gzip or not; - is standard input")
    .option("--strict", "a trace that was not closed is no good either")
    .option("-j, --json", "one JSON document a trace")
    .option("-p, --pretty", "indent JSON")
    .addHelpText("before", examples("tsbpf trace verify run.tsbpf", "tsbpf trace verify *.tsbpf --json"))
    .action(async (paths: string[], words: VerifyWords) => {
      leave(await (await import("./verbs/trace.ts")).runTraceVerify(paths, words));
    });
}

function addRecord(program: Command, tools: CommandTools): void {
  const { count, countFromOne, collect, examples, leave } = tools;
  addFilterInput(program.command("record"))
    .description(
      "write a trace: packets, settings, and all that a program learns from outside while it runs on them",
    )
    .argument(
      "[inputs...]",
      "the object to run, then captures or traces, then a filter of tcpdump; captures alone are recorded without running anything",
    )
    .requiredOption("-w, --write <file>", "where the trace goes, e.g. run.tsbpf; - is standard output")
    .option("-r, --read <file>", "one more capture or trace", collect, [])
    .option("-c, --count <n>", "stop after n packets", countFromOne)
    .option("--packets <range>", "record these packets only, from 1: 3,10-20,100-")
    .option("--prog <name>", "program of an object with several")
    .option("--plugin <file>", "helpers, map types or program types of your own", collect, [])
    .option("--ctx <file>", "a run on this context, for programs without packets", collect, [])
    .option("--outputs", "record what runs leave behind too: packets, contexts, effects")
    .option(
      "--map-changes <file>",
      "changes of maps by the host, one JSON object a line: run, map, key, value, change",
    )
    .option("--cpus <n>", "virtual CPUs", countFromOne)
    .addOption(spreadOption())
    .option("--seed <n>", "seed of the random numbers", count)
    .option("--ifindex <n>", "interface that every packet comes in on", count)
    .option("--queue <n>", "receive queue of every packet", count)
    .addOption(new Option("--direction <way>", "direction of every packet").choices(["inbound", "outbound"]))
    .option("--set <name=value>", "one more setting, for people and plugins", collect, [])
    .option("--comment <text>", "a comment", collect, [])
    .option("--fuel <n>", "instructions that one run may execute", count)
    .option("--ethernet", "make an Ethernet header for IP packets that were captured without one")
    .option("--strict", "fail on a truncated capture")
    .option("-q, --quiet", "print nothing")
    .option("-j, --json", "one JSON document")
    .option("-p, --pretty", "indent JSON")
    .addOption(engineOption())
    .addOption(verifyOption())
    .addHelpText(
      "before",
      examples(
        "tsbpf record prog.bpf.o traffic.pcap -w run.tsbpf",
        "tsbpf record prog.bpf.o traffic.pcap 'udp port 53' -w dns.tsbpf",
        "tsbpf record tag.bpf.o traffic.pcap --plugin flow-tag.ts --outputs -w run.tsbpf",
        "tsbpf record traffic.pcapng more.pcap --ifindex 3 --cpus 4 -w packets.tsbpf",
        "tcpdump -U -w - | tsbpf record prog.bpf.o - -w run.tsbpf",
      ),
    )
    .action(async (inputs: string[], words: RecordWords) => {
      const { runRecordVerb } = await import("./verbs/record.ts");
      leave(await runRecordVerb(inputs, words));
    });
}
