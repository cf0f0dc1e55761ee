import { type Command, Option } from "commander";
import type { RecordWords } from "./verbs/record.ts";

/** What the commands of one file share with those of another. */
export interface CommandTools {
  count(value: string): number;
  collect(value: string, before: readonly string[]): string[];
  examples(...lines: readonly string[]): string;
  engineOption(): Option;
  verifyOption(): Option;
  /** Ends the command line with an exit status. */
  leave(exitCode: number): void;
}

/** Adds the verbs that make traces and work on them. */
export function addTraceCommands(program: Command, tools: CommandTools): void {
  addRecord(program, tools);
}

function addRecord(program: Command, tools: CommandTools): void {
  const { count, collect, examples, engineOption, verifyOption, leave } = tools;
  program
    .command("record")
    .description(
      "write a trace: packets, settings, and all that a program learns from outside while it runs on them",
    )
    .argument(
      "[inputs...]",
      "the object to run, then captures or traces; captures alone are recorded without running anything",
    )
    .requiredOption("-w, --write <file>", "where the trace goes, e.g. run.tsbpf; - is standard output")
    .option("-r, --read <file>", "one more capture or trace", collect, [])
    .option("-c, --count <n>", "stop after n packets", count)
    .option("--packets <range>", "record these packets only, from 1: 3,10-20,100-")
    .option("--prog <name>", "program of an object with several")
    .option("--plugin <file>", "helpers, map types or program types of your own", collect, [])
    .option("--ctx <file>", "a run on this context, for programs without packets", collect, [])
    .option("--outputs", "record what runs leave behind too: packets, contexts, effects")
    .option(
      "--map-changes <file>",
      "changes of maps by the host, one JSON object a line: run, map, key, value, change",
    )
    .option("--cpus <n>", "virtual CPUs", count)
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
      "after",
      examples(
        "tsbpf record prog.bpf.o traffic.pcap -w run.tsbpf",
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
