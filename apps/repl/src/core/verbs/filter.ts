import { makeProgSpec } from "@tsbpf/abi";
import {
  type CbpfInsn,
  checkCbpf,
  compileFilter,
  isCbpfText,
  linkLayerNamed,
  parseCbpf,
  printCbpfListing,
  translateCbpf,
} from "@tsbpf/cbpf";
import type { Session } from "../session.ts";
import type { Verb } from "../verb.ts";
import { usage } from "./args.ts";
import { reportLoaded } from "./loaded.ts";

/** The rows of `tcpdump -dd` are in braces themselves. */
const isFragment = (text: string): boolean => /^\{\s*(?:0x[0-9a-f]+|\d+)\s*,/i.test(text);

/** Says whether an argument is a classic program whose closing brace is still to come. */
const isOpenClassic = (args: string): boolean =>
  args.startsWith("{") && !isFragment(args) && !/\}\s*$/.test(args);

/**
 * Reads a classic program in any notation, in braces or alone, or compiles a filter expression.
 *
 * @throws FILTER_…, CBPF_… (InputError) with the place.
 */
function readFilter(args: string): readonly CbpfInsn[] {
  const inner = isFragment(args) ? undefined : /^\{([\s\S]*)\}$/.exec(args)?.[1];
  if (inner !== undefined) return parseCbpf(inner.trim());
  if (isCbpfText(args)) return parseCbpf(args);
  const named = /^-y\s+(\S+)\s*([\s\S]*)$/.exec(args);
  return named === null
    ? compileFilter(args)
    : compileFilter(named[2] ?? "", { link: linkLayerNamed(named[1] ?? "") });
}

/**
 * Takes a classic program as the program to look into: a socket filter, as Linux translates it, which sees packets
 * from their link header on. Shows it as `tcpdump -d` does.
 *
 * @throws CBPF_… (InputError) for one that Linux refuses.
 */
export function openClassic(session: Session, classic: readonly CbpfInsn[], name: string): void {
  checkCbpf(classic);
  const insns = translateCbpf(classic, { form: "skb" });
  session.moveTo(session.freshVm());
  const spec = makeProgSpec(insns, { name, type: "socket_filter" });
  session.openProg(session.prepare(spec), undefined, "link");
  session.say(printCbpfListing(classic).trimEnd());
  reportLoaded(session);
}

export const FILTER_VERBS: readonly Verb[] = [
  {
    name: "filter",
    group: "program",
    args: "[-y LINKTYPE] EXPRESSION | { CLASSIC BPF }",
    summary:
      "take a tcpdump filter, or classic BPF as tcpdump -d, -dd, -ddd or bpf_asm write it, as the program",
    examples: [
      ".filter tcp port 80 and not host 10.0.0.1",
      ".filter -y RAW icmp",
      ".filter { ldh [12] … ret #0 }",
    ],
    isSaved: true,
    isOpen: isOpenClassic,
    run(session, args) {
      if (args === "")
        usage(".filter [-y LINKTYPE] EXPRESSION, or .filter { and lines of classic BPF until }");
      openClassic(session, readFilter(args), "filter");
    },
  },
];
