import { PROG_TYPES } from "@tsbpf/abi";
import type { Session } from "./session.ts";
import { variables } from "./variables.ts";
import { findVerb, findWord, VERB_NAMES, VERB_WORDS } from "./verbs/table.ts";

/** What may stand in the place of the last part of a line. */
export interface Completions {
  readonly candidates: readonly string[];
  /** The part that they take the place of. */
  readonly part: string;
  /** Whether names of files are meant; the terminal knows them. */
  readonly wantsFiles: boolean;
}

const REGISTERS: readonly string[] = ["r", "w"].flatMap((letter) =>
  Array.from({ length: 11 }, (_, n) => `${letter}${n}`),
);
const KEYWORDS: readonly string[] = ["exit", "goto", "call", "if", "lock", "may_goto", "gotol"];
const CANDIDATES_MAX = 300;
const PACKET_WORDS: readonly string[] =
  "show hexdump set default eth vlan arp ip ip6 tcp udp icmp icmp6".split(" ");

const funcNames = (session: Session): string[] => [
  ...session.linked.funcs.map((func) => func.name),
  ...session.funcs.keys(),
  ...session.labels.keys(),
];
const helperNames = ({ vm: { registry } }: Session): string[] => [
  ...registry.helpersByName.keys(),
  ...registry.kfuncsByName.keys(),
];
const mapNames = (session: Session): string[] => [...session.vm.maps.keys()];
const progNames = (session: Session): string[] => session.object?.spec.progs.map((one) => one.name) ?? [];
const values = (session: Session): string[] => [
  ...REGISTERS,
  "fp",
  "ctx",
  "pkt",
  "pkt_end",
  "insns",
  "depth",
  ...funcNames(session),
  ...mapNames(session),
  ...variables(session).keys(),
];

/** Lists what the end of a line may be completed with: verbs, registers, helpers, maps, functions, files. */
export function complete(line: string, session: Session): Completions {
  const part = /[\w.$/~-]*$/.exec(line)?.[0] ?? "";
  const head = line.slice(0, line.length - part.length);
  if (head.trim() === "" && (part.startsWith(".") || part === "")) {
    const verbs = VERB_NAMES.filter((name) => findVerb(name)?.name === name).map((name) => `.${name}`);
    const all = VERB_NAMES.map((name) => `.${name}`);
    const direct = choose(verbs, part);
    return { candidates: direct.length > 0 ? direct : choose(all, part), part, wantsFiles: false };
  }
  const command = /^\s*(?:\.([\w-]+)|([A-Za-z]+))\s+/.exec(line);
  const verb =
    command === null
      ? undefined
      : command[1] !== undefined
        ? findVerb(command[1])
        : findWord(command[2] ?? "");
  const found = (candidates: readonly string[], wantsFiles = false): Completions => ({
    candidates: choose(candidates, part),
    part,
    wantsFiles,
  });
  switch (verb?.completes) {
    case "file":
      return found(verb.name === "pkt" ? PACKET_WORDS : [], true);
    case "map":
      return found([...mapNames(session), "create"]);
    case "func":
      return found([...funcNames(session), ...progNames(session), ...REGISTERS]);
    case "helper":
      return found(helperNames(session));
    case "verb":
      return found([...VERB_NAMES, ...helperNames(session)]);
    case "prog":
      return found(progNames(session));
    case "reg":
      return found(values(session));
    case "none":
    case undefined:
      break;
  }
  if (verb?.name === "type") return found(Object.keys(PROG_TYPES));
  if (/\bcall\s+$/.test(head))
    return found([
      ...funcNames(session),
      ...helperNames(session).flatMap((name) => [name, name.replace(/^bpf_/, "")]),
    ]);
  if (/\bmap\[$/.test(head)) return found(mapNames(session));
  const start = head.trim() === "" ? VERB_WORDS.filter((word) => word.length > 1) : [];
  return found([
    ...REGISTERS,
    ...KEYWORDS,
    ...start,
    ...(part.length > 1 ? [...helperNames(session), ...funcNames(session), ...mapNames(session)] : []),
  ]);
}

const choose = (candidates: readonly string[], part: string): string[] =>
  [...new Set(candidates)]
    .filter((one) => one.startsWith(part))
    .sort()
    .slice(0, CANDIDATES_MAX);
