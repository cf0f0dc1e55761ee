import { existsSync, readFileSync, statSync } from "node:fs";
import { InputError } from "@tsbpf/base";
import {
  type CbpfInsn,
  compileFilter,
  type FilterOptions,
  linkLayerNamed,
  linkLayerOf,
  printCbpfDecimal,
  printCbpfFragment,
  printCbpfListing,
} from "@tsbpf/cbpf";
import { namesFrom, PacketFilter } from "@tsbpf/replay";
import { createCaptureParser, decompressCapture, PacketCursor, sniffFormat } from "@tsbpf/trace";
import type { FilterInput, FilterWords } from "../filter-options.ts";
import { readInput } from "../io.ts";
import { printJson } from "./input.ts";
import { createNodeIo } from "./node-io.ts";

/** What the words of a replay are, after the object. */
export interface ReplayTargets {
  readonly captures: readonly string[];
  /** The filter's text; undefined when there is none. */
  readonly expression: string | undefined;
}

/** Words that look like a capture's name and like nothing in a filter, so that a missing file is told as such. */
const CAPTURE_NAME = /^[^\s<>=]*(?:\.(?:pcap|pcapng|cap|dmp|gz|tsbpf)|\/[^\s<>=]*)$/i;

/** Words that look like the name of a program's file. */
const PROGRAM_NAME = /\.(?:o|s|asm|bin|elf|txt)$/i;

/** Says whether a word is no file, and does not look like the name of one that is missing. */
export const isNoFile = (word: string): boolean =>
  !isFile(word) && !CAPTURE_NAME.test(word) && !PROGRAM_NAME.test(word);

/** Whether there is such a file or pipe; a folder may well be named like a word of filters, e.g. src. */
const isFile = (word: string): boolean => word === "-" || (existsSync(word) && !statSync(word).isDirectory());

/**
 * Tells captures from the filter that follows them: the first word is a capture unless `-r` named one, others are as
 * long as there are such files. What follows is the filter, its words joined as tcpdump joins them.
 */
export function splitTargets(words: readonly string[], hasRead: boolean): ReplayTargets {
  let end = hasRead ? 0 : Math.min(1, words.length);
  const isCapture = (word: string | undefined): boolean =>
    word !== undefined && (isFile(word) || CAPTURE_NAME.test(word));
  while (isCapture(words[end])) end += 1;
  const rest = words.slice(end);
  return {
    captures: words.slice(0, end),
    expression: rest.length === 0 ? undefined : rest.join(" "),
  };
}

/** Reads a filter from a file, in which `#` starts a comment. */
async function readFilterFile(path: string): Promise<string> {
  const text = new TextDecoder().decode(await readInput(path));
  return text.replace(/#[^\n]*/g, (comment) => " ".repeat(comment.length)).trimEnd();
}

/**
 * Returns the filter's text, from the command line or a file.
 *
 * @throws OPTION_FILTER (InputError) when both are given.
 */
async function filterText(expression: string | undefined, words: FilterInput): Promise<string | undefined> {
  if (words.filterFile === undefined) return expression;
  if (expression !== undefined) {
    throw new InputError(
      "OPTION_FILTER",
      `filter ${JSON.stringify(expression)} and -F ${words.filterFile} found, one of them allowed`,
    );
  }
  return readFilterFile(words.filterFile);
}

const readName = (path: string): string | undefined =>
  existsSync(path) ? readFileSync(path, "utf8") : undefined;

/** Looks names up in the files of this machine; no server is asked. */
const machineNames = () =>
  namesFrom({
    services: readName("/etc/services"),
    protocols: readName("/etc/protocols"),
    hosts: readName("/etc/hosts"),
    networks: readName("/etc/networks"),
    ethers: readName("/etc/ethers"),
  });

/** Makes the filter of a replay; undefined when there is none. */
export async function createFilter(
  expression: string | undefined,
  words: FilterInput & Partial<Pick<FilterWords, "linkType" | "snaplen">>,
): Promise<PacketFilter | undefined> {
  for (const [option, value] of [
    ["-y", words.linkType],
    ["-s", words.snaplen],
  ] as const) {
    if (value !== undefined) {
      throw new InputError(
        "OPTION_FILTER",
        `${option} ${value} found without -d, a replay takes the link type and length of each packet`,
      );
    }
  }
  const text = await filterText(expression, words);
  if (text === undefined || text.trim() === "") return undefined;
  return new PacketFilter({ text, names: machineNames(), optimize: words.optimize });
}

/** Prints the classic code of a filter, as `tcpdump -d`, `-dd` or `-ddd` does. */
export async function dumpFilter(
  given: readonly string[],
  words: FilterWords & {
    readonly read: readonly string[];
    readonly json?: boolean;
    readonly pretty?: boolean;
  },
): Promise<void> {
  // An object and captures may be left on the command line; only a capture's link type matters then.
  const { captures, expression } = splitTargets(given, true);
  const text = (await filterText(expression, words)) ?? "";
  const insns = compileFilter(text, {
    ...(await linkOptions(words, captures)),
    names: machineNames(),
    optimize: words.optimize,
    ...(words.snaplen === undefined || words.snaplen === 0 ? {} : { snaplen: words.snaplen }),
  });
  if (words.json === true) printJson({ filter: text, insns }, words.pretty);
  else process.stdout.write(printCode(insns, words.dumpFilter));
}

function printCode(insns: readonly CbpfInsn[], level: number): string {
  if (level >= 3) return printCbpfDecimal(insns);
  return level === 2 ? printCbpfFragment(insns) : printCbpfListing(insns);
}

type LinkOptions = Pick<FilterOptions, "link" | "isFile" | "isSwapped" | "snaplen">;

/** The link type that `-y` names, else that of the first capture, else Ethernet. */
async function linkOptions(
  { linkType, read }: FilterWords & { readonly read: readonly string[] },
  files: readonly string[],
): Promise<LinkOptions> {
  if (linkType !== undefined) return { link: linkLayerNamed(linkType) };
  const [path] = read;
  if (path !== undefined) return (await linkOfCapture(path)) ?? {};
  for (const file of files) {
    const found = await linkOfCapture(file, { isGuess: true });
    if (found !== undefined) return found;
  }
  return {};
}

/** Reads a capture until its link type is known; with `isGuess`, files of other formats give none. */
async function linkOfCapture(path: string, { isGuess = false } = {}): Promise<LinkOptions | undefined> {
  const parser = createCaptureParser();
  const cursor = new PacketCursor();
  let isFirst = true;
  for await (const chunk of decompressCapture(createNodeIo().read(path))) {
    if (isFirst && isGuess && sniffFormat(chunk).kind !== "capture") return undefined;
    isFirst = false;
    parser.push(chunk);
    if (parser.next(cursor) || parser.interfaces.length > 0) break;
  }
  const [first] = parser.interfaces;
  return {
    link: linkLayerOf(first?.linkType ?? cursor.linkType),
    isFile: true,
    isSwapped: parser.sections[0]?.endian === "big",
    ...(first?.snaplenBytes === undefined || first.snaplenBytes === 0 ? {} : { snaplen: first.snaplenBytes }),
  };
}
