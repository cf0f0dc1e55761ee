import type { AsmError } from "@tsbpf/asm";
import { parseExpr } from "./expr.ts";
import { fault } from "./fault.ts";
import type { Session } from "./session.ts";
import { printValue } from "./values.ts";
import { variables } from "./variables.ts";
import { findVerb } from "./verbs/table.ts";

/** Words of other tools, and what does here what they do there. */
const ELSEWHERE: readonly (readonly [words: RegExp, hint: string])[] = [
  [/^(?:up|down|frame|f)$/, ".frames lists the frames, .stack N shows the stack of one"],
  [
    /^(?:layout|tui|nexti?i|la)$/,
    ".list and .disasm show the code, display shows an expression at every stop",
  ],
  [/^(?:show|ptype|whatis|apropos)$/, ".help and ?NAME say what there is, .info and .ctx what is there"],
  [/^(?:kill|restart|rerun)$/, ".start stands before the first instruction again"],
  [/^(?:jump|j|return)$/, ".goto N goes to a state, .patch changes an instruction"],
  [
    /^(?:record|checkpoint|rr)$/,
    "everything is recorded: .back, .rcont and .origin go back, .mark names a state",
  ],
  [/^(?:commands|condition|ignore|tcatch|catch)$/, ".break PLACE if EXPR has a condition"],
  [
    /^(?:let|const|var|function|class|import|require|console|await|async|return)$/,
    "the prompt takes BPF: r0 = 42; .helper takes TypeScript",
  ],
  [
    /^(?:tcp|udp|icmp|icmp6|ip|ip6|arp|host|port|net|src|dst|ether|vlan|not)$/,
    ".filter takes expressions of tcpdump, .pkt makes packets",
  ],
  [/^(?:ls|cd|pwd|cat|echo|man|bpftool|tcpdump|tshark|clang)$/, "!COMMAND runs a command of the shell"],
];

const firstWordOf = (text: string): string => /^[A-Za-z_][\w]*/.exec(text)?.[0] ?? "";

/** What somebody meant who typed what is no instruction; undefined when nothing is known. */
function hintFor(text: string, error: AsmError, session: Session): string | undefined {
  const codes = new Set(error.diagnostics.map(({ code }) => code));
  const called = /^(?:r0\s*=\s*|call\s+)?([A-Za-z_]\w*)\s*\(.*\)$/s.exec(text)?.[1];
  if (called !== undefined) {
    if (session.funcSlot(called) !== undefined) return `.call ${called}(…) calls a function of the program`;
    const { helpersByName, kfuncsByName } = session.vm.registry;
    const isKnown = [called, `bpf_${called}`].some(
      (name) => helpersByName.has(name) || kfuncsByName.has(name),
    );
    if (isKnown) return `arguments go into r1..r5 first, then: call ${called}`;
  }
  if (!codes.has("ASM_UNKNOWN_INSN") && !codes.has("ASM_SYNTAX")) return undefined;
  const word = firstWordOf(text);
  if (/^[A-Za-z_]\w*(?:\[.*\])?\s*=(?!=)/.test(text))
    return variables(session).has(word)
      ? `.set ${text} changes a variable of the program`
      : "r0..r10 and w0..w10 hold values here, no other names";
  if (!codes.has("ASM_UNKNOWN_INSN")) return undefined;
  const elsewhere = ELSEWHERE.find(([words]) => words.test(word))?.[1];
  const verb = findVerb(word);
  return elsewhere ?? (verb === undefined ? undefined : `.${verb.name} is the verb`);
}

/** The value of a text that is no instruction but an expression, for those who type what they want to see. */
export function valueOfExpr(text: string, session: Session): string | undefined {
  try {
    const value = parseExpr(text)(session.values());
    session.last = value;
    return printValue(value, session.debuggee.machine);
  } catch {
    return undefined;
  }
}

/** @throws REPL_VERB (InputError) with the hint, when there is one for a text that is no instruction. */
export function failWithHint(text: string, error: AsmError, session: Session): void {
  const hint = hintFor(text, error, session);
  if (hint !== undefined) throw fault("REPL_VERB", `that is no instruction; ${hint}`);
}
