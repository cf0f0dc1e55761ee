import { HELPER_PROTOS, type HelperProto } from "@tsbpf/abi";
import { printHelperPage } from "@tsbpf/plugin";
import { fault } from "../fault.ts";
import { insnHelp } from "../insn-help.ts";
import type { Repl } from "../repl.ts";
import type { Session } from "../session.ts";
import { didYouMean } from "../suggest.ts";
import type { Verb, VerbGroup } from "../verb.ts";
import { usage } from "./args.ts";

function protosOf(session: Session): HelperProto[] {
  const custom = [...session.vm.registry.helpersById.values()].map((one) => one.proto);
  const byName = new Map<string, HelperProto>();
  for (const proto of [...Object.values(HELPER_PROTOS), ...custom]) byName.set(proto.name, proto);
  return [...byName.values()].sort((a, b) => a.id - b.id);
}

/** Prints the page of a helper or kernel function. */
function helperPage({ vm }: Session, proto: HelperProto): string {
  const { helpersById, kfuncsByName } = vm.registry;
  const plugin = proto.id === 0 ? kfuncsByName.get(proto.name) : helpersById.get(proto.id);
  return printHelperPage(proto, plugin?.summary);
}

function findProto(session: Session, name: string): HelperProto | undefined {
  const kfuncs = [...session.vm.registry.kfuncsByName.values()].map((one) => one.proto);
  return [...protosOf(session), ...kfuncs].find((one) => one.name === name || one.name === `bpf_${name}`);
}

function showHelpers(session: Session, args: string) {
  if (args !== "") {
    const proto = findProto(session, args);
    if (proto !== undefined) return session.say(helperPage(session, proto));
    const matching = protosOf(session).filter((one) => one.name.includes(args));
    if (matching.length === 0)
      throw fault(
        "REPL_HELPER",
        `no helper ${args}${didYouMean(
          args,
          protosOf(session).map((one) => one.name),
        )}`,
      );
    return session.say(matching.map((one) => `${String(one.id).padStart(5)}  ${one.name}`).join("\n"));
  }
  for (const one of protosOf(session)) {
    const isHere = session.vm.registry.helpersById.has(one.id);
    session.say(`${String(one.id).padStart(5)}  ${one.name}${isHere ? "" : "  (judged only)"}`);
  }
}

const GROUPS: Readonly<Record<VerbGroup, string>> = {
  program: "Programs",
  run: "Running",
  stops: "Stopping",
  look: "Looking",
  back: "Going back",
  change: "Changing",
  input: "Input",
  session: "Session",
};

const INTRO = `A line of assembly is executed at once: r0 = 42, *(u32 *)(r10 - 4) = r1, call get_prandom_u32.
{ … } and lines after a label run, or define a function, as a whole; _ is the last result.`;

/** Prints the help of one verb, or all of them. */
function help(session: Session, args: string, verbs: readonly Verb[]) {
  const name = args.replace(/^\./, "");
  if (name !== "") return session.say(pageOf(session, name, verbs));
  session.say(INTRO);
  for (const [group, title] of Object.entries(GROUPS)) {
    session.say(`\n${title}`);
    for (const verb of verbs.filter((one) => one.group === group)) {
      const words = verb.words === undefined ? "" : ` (${verb.words[0]})`;
      session.say(`  ${`.${verb.name}${words}`.padEnd(18)} ${verb.summary}`);
    }
  }
  session.say(
    "\n.help VERB, .help HELPER and .help INSTRUCTION say more; Tab completes, Ctrl-R searches what was typed.",
  );
}

function pageOf(session: Session, name: string, verbs: readonly Verb[]): string {
  const verb = verbs.find(
    (one) => one.name === name || one.aliases?.includes(name) || one.words?.includes(name),
  );
  if (verb !== undefined) {
    const others = [...(verb.aliases ?? []).map((one) => `.${one}`), ...(verb.words ?? [])];
    return [
      `.${verb.name}${verb.args === undefined ? "" : ` ${verb.args}`}`,
      `  ${verb.summary}`,
      others.length === 0 ? "" : `  also ${others.join(", ")}`,
      ...(verb.examples ?? []).map((example) => `  > ${example}`),
      insnHelp(name, true),
    ]
      .filter((line) => line !== "")
      .join("\n");
  }
  const proto = findProto(session, name);
  if (proto !== undefined) return helperPage(session, proto);
  const insns = insnHelp(name);
  if (insns !== "") return insns;
  const known = [...verbs.map((one) => one.name), ...protosOf(session).map((one) => one.name)];
  throw fault("REPL_VERB", `no verb, helper or instruction ${name}${didYouMean(name, known)}`);
}

async function edit(session: Session, args: string, repl: Repl): Promise<void> {
  if (session.host.edit === undefined)
    throw fault("REPL_UNSUPPORTED", "there is no editor here; .save FILE, then .source FILE");
  const text = await session.host.edit(args === "" ? session.lines.join("\n") : args);
  if (text.trim() === "") return;
  session.lines = [];
  await repl.runScript(`{\n${text.trimEnd()}\n}`, "edit");
}

/** The verbs of the session itself; `all` is asked for when help is. */
export const sessionVerbs = (all: () => readonly Verb[]): readonly Verb[] => [
  {
    name: "helpers",
    group: "session",
    args: "[NAME|PART]",
    summary: "list helpers, or show the page of one",
    completes: "helper",
    run: showHelpers,
  },
  {
    name: "save",
    group: "session",
    args: "FILE",
    summary: "write down what was typed, as a script for .source and -x",
    completes: "file",
    async run(session, args) {
      if (args === "") usage(".save FILE");
      await session.host.writeFile(args, `${session.script.join("\n")}\n`);
      session.say(`${args}: ${session.script.length} inputs`);
    },
  },
  {
    name: "source",
    words: ["source"],
    group: "session",
    args: "FILE",
    summary: "execute the lines of a script",
    completes: "file",
    isSaved: true,
    async run(session, args, repl) {
      if (args === "") usage(".source FILE");
      const text = new TextDecoder().decode(await session.host.readFile(args));
      await repl.runScript(text, args);
    },
  },
  {
    name: "edit",
    aliases: ["editor"],
    group: "session",
    summary: "edit the lines that were typed in $EDITOR and execute them",
    run: edit,
  },
  {
    name: "clear",
    aliases: ["reset"],
    group: "session",
    summary: "forget what was typed and loaded; registers and memory start anew",
    run(session) {
      session.lines = [];
      session.script = [];
      session.funcs.clear();
      session.marks.clear();
      session.displays.length = 0;
      session.isTracing = false;
      session.ownMaps.clear();
      session.unload();
    },
  },
  {
    name: "help",
    words: ["h", "help"],
    group: "session",
    args: "[VERB|HELPER|INSTRUCTION]",
    summary: "say what there is, or more of one thing; ?NAME does the same",
    completes: "verb",
    run: (session, args) => help(session, args, all()),
  },
  {
    name: "quit",
    aliases: ["exit", "q"],
    words: ["q", "quit"],
    group: "session",
    summary: "leave",
    run: (_session, _args, repl) => repl.quit(),
  },
];
