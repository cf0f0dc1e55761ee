import type { Command } from "commander";

/** What a command line says of the filter that packets are chosen by. */
export interface FilterInput {
  readonly filterFile?: string;
  readonly optimize: boolean;
}

/** What a command line says about filters. */
export interface FilterWords extends FilterInput {
  /** How often `-d` was given. */
  readonly dumpFilter: number;
  readonly linkType?: string;
  readonly snaplen?: number;
}

/** Adds the options of verbs that filter, and show no code. */
export const addFilterInput = (command: Command): Command =>
  command
    .option("-F, --filter-file <file>", "read the filter from a file")
    .option("-O, --no-optimize", "do not optimise the filter's code");

/** Adds tcpdump's options for filters. */
export function addFilterOptions(
  command: Command,
  tools: { count(value: string): number; increase(value: string, before: number): number },
): Command {
  return addFilterInput(command)
    .option(
      "-d, --dump-filter",
      "print the filter's classic BPF and leave; -dd as C, -ddd in decimal",
      tools.increase,
      0,
    )
    .option("-y, --link-type <name>", "with -d: link type to compile for, e.g. EN10MB, RAW, LINUX_SLL")
    .option("-s, --snaplen <n>", "with -d: bytes that the filter returns; 262144 when omitted", tools.count);
}
