import { PROG_TYPES, type ProgTypeName } from "@tsbpf/abi";
import { disassemble, printGraph, printListing } from "@tsbpf/asm";
import { InputError } from "@tsbpf/base";
import { compileFilter, isCbpfText, parseCbpf } from "@tsbpf/cbpf";
import { encodeInsns } from "@tsbpf/isa";
import { chooseProg, textOrBytes } from "@tsbpf/vm";
import { fault } from "../fault.ts";
import { assembleText, toSpec } from "../lines.ts";
import { parsePlace } from "../places.ts";
import type { Session } from "../session.ts";
import { symbolsOf } from "../symbols.ts";
import type { Verb } from "../verb.ts";
import { usage } from "./args.ts";
import { openClassic } from "./filter.ts";
import { reportLoaded } from "./loaded.ts";
import { assembleTyped, openTyped } from "./run.ts";

const LIST_BEFORE = 5;
const LIST_COUNT = 16;

/** Loads an object, assembly text, raw instructions or classic BPF: `.load FILE[:PROG]`. */
async function loadFile(session: Session, args: string): Promise<void> {
  const { path, choice, bytes } = await readProgram(session, args);
  const name = path.split("/").at(-1) ?? path;
  const source = textOrBytes(bytes);
  if (typeof source === "string" && isCbpfText(source)) return openClassic(session, parseCbpf(source), name);
  if (typeof source === "string") return loadText(session, source, name);
  // A VM of its own: maps of an object that was loaded before do not stand in for the new one's.
  const vm = session.freshVm();
  const object = vm.loadObject(bytes, { name, progType: session.progType, verify: "off" });
  const spec = chooseOrFirst(object.spec.progs, choice, session);
  const prog = object.prog(spec.name);
  session.moveTo(vm);
  session.openProg(prog, object);
  for (const warning of object.spec.warnings) session.say(`warning: ${warning}`);
  reportLoaded(session);
}

async function readProgram(session: Session, args: string) {
  const colon = args.lastIndexOf(":");
  const path = colon > 0 ? args.slice(0, colon) : args;
  if (colon > 0) {
    try {
      return { path, choice: args.slice(colon + 1).trim(), bytes: await session.host.readFile(path) };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
  }
  try {
    return { path: args, choice: undefined, bytes: await session.host.readFile(args) };
  } catch (error) {
    if (!(error instanceof InputError) || !isFilter(args)) throw error;
    throw fault(
      "REPL_USAGE",
      `no file ${args}; .filter takes expressions of tcpdump, --filter does at the start`,
    );
  }
}

/** Says whether a text is an expression of tcpdump. */
function isFilter(text: string): boolean {
  try {
    compileFilter(text);
    return true;
  } catch {
    return false;
  }
}

function chooseOrFirst(
  progs: Parameters<typeof chooseProg>[0],
  choice: string | undefined,
  session: Session,
) {
  const [first] = progs;
  if (choice !== undefined || progs.length < 2 || first === undefined) return chooseProg(progs, choice);
  session.say(
    `${progs.length} programs: ${progs.map((one) => one.name).join(", ")}; the first is taken, .load FILE:NAME takes another`,
  );
  return first;
}

function loadText(session: Session, text: string, name: string) {
  const made = assembleText(text, session.lineContext, name);
  // `;` starts a comment in files, as elsewhere in tsbpf.
  const object = session.vm.readSource(text, { progType: session.progType, name });
  const spec = object.progs[0];
  if (spec === undefined) throw fault("REPL_NO_PROG", `${name} holds no program`);
  session.openProg(session.prepare(spec), undefined);
  session.labels = made.ok ? made.prog.labels : new Map();
  reportLoaded(session);
}

function showList(session: Session, args: string) {
  if (session.isScratch) {
    if (session.lines.length === 0 && session.funcs.size === 0)
      throw fault("REPL_NO_PROG", "nothing was typed and nothing is loaded");
    for (const text of session.funcs.values()) session.say(text);
    return session.say(session.lines.join("\n"));
  }
  const { stepper } = session.debuggee;
  const place = parsePlace(args, session);
  const from = args === "" ? Math.max(0, place.slot - LIST_BEFORE) : place.slot;
  listFrom(session, place.prog.prog === stepper.prog ? stepper.prog : place.prog.prog, from, LIST_COUNT);
}

function listFrom(session: Session, prog: Session["linked"], from: number, count: number) {
  const { stepper, points } = { ...session.debuggee, stepper: session.debuggee.stepper };
  const breaks = new Set(
    points.all.flatMap(({ what }) =>
      what.kind === "break" && what.progName === prog.spec.name ? [what.slot] : [],
    ),
  );
  const sources = new Map(prog.spec.lines.map((line) => [line.slot, line]));
  const names = new Map(prog.funcs.map((func) => [func.start, func.name]));
  let slot = prog.insns[from - 1]?.op === 0x18 && prog.insns[from]?.op === 0 ? from - 1 : from;
  for (let i = 0; i < count && slot < prog.insns.length; i++) {
    const name = names.get(slot);
    if (name !== undefined) session.say(`${name}:`);
    const source = sources.get(slot);
    if (source !== undefined)
      session.say(`; ${source.text.trim()} @ ${source.fileName.split("/").at(-1)}:${source.line}`);
    const here = prog === stepper.prog && slot === stepper.slot ? "=>" : "  ";
    session.say(
      `${here}${breaks.has(slot) ? "b" : " "}${String(slot).padStart(4)}: ${session.insnText(prog, slot)}`,
    );
    slot += prog.insns[slot]?.op === 0x18 ? 2 : 1;
  }
}

function showDisasm(session: Session, args: string) {
  openTyped(session);
  const { prog } = session.debuggee.stepper;
  if (args !== "" && args !== "-o") {
    const { slot } = parsePlace(args, session);
    const func = prog.funcs.find((one) => slot >= one.start && slot < one.end);
    return listFrom(session, prog, slot, (func?.end ?? prog.insns.length) - slot);
  }
  session.say(
    printListing(prog.spec.insns, {
      symbols: symbolsOf(prog.spec, session.vm, prog.funcs),
      sources: prog.spec.lines,
      opcodes: args === "-o",
    }).trimEnd(),
  );
}

function verify(session: Session, args: string) {
  const spec = session.isScratch
    ? toSpec(assembleTyped(session), session.lineContext, "typed")
    : session.debuggee.stepper.prog.spec;
  const wantsLog = args === "-v" || args === "log";
  const verdict = wantsLog ? session.verdictOf(spec) : session.judge(spec);
  if (wantsLog) session.say(verdict.log.trimEnd());
  else if (args !== "") usage(".verify [log]");
  if (verdict.isAccepted) {
    return session.say(
      `${spec.name} (${spec.type}): accepted, ${verdict.stats.processedInsns} instructions verified`,
    );
  }
  session.say(`${spec.name} (${spec.type}): refused (${verdict.errnoName}) [${verdict.code}]`);
  session.say(`  what: ${verdict.summary}\n  why:  ${verdict.reason}`);
  for (const step of verdict.history.slice(-8))
    session.say(`  ${String(step.slot).padStart(4)}: ${step.text}`);
  session.say(`  try:  ${verdict.suggestion}\n${verdict.message}`);
}

async function exportProg(session: Session, args: string): Promise<void> {
  if (args === "") usage(".export FILE.s|FILE.bin|FILE.dot");
  openTyped(session);
  const { spec, funcs } = session.debuggee.stepper.prog;
  const symbols = symbolsOf(spec, session.vm, funcs);
  if (args.endsWith(".bin")) await session.host.writeFile(args, encodeInsns(spec.insns));
  else if (args.endsWith(".dot")) await session.host.writeFile(args, printGraph(spec.insns, { symbols }));
  else await session.host.writeFile(args, disassemble(spec.insns, { symbols }));
  session.say(`${args}: ${spec.insns.length} slots`);
}

function setType(session: Session, args: string) {
  if (args === "") return session.say(`program type ${session.progType}`);
  if (!(args in PROG_TYPES))
    throw fault(
      "REPL_USAGE",
      `program type ${args} found, one of these needed: ${Object.keys(PROG_TYPES).join(", ")}`,
    );
  session.vm.registry.progType(args as ProgTypeName);
  if (!session.isScratch) throw fault("REPL_USAGE", "the loaded program has its type, .unload it first");
  session.progType = args as ProgTypeName;
  session.unload();
  session.say(`program type ${args}`);
}

export const PROGRAM_VERBS: readonly Verb[] = [
  {
    name: "load",
    words: ["file"],
    group: "program",
    args: "FILE[:PROG]",
    summary: "load an object, assembly text, raw instructions or classic BPF",
    examples: [".load samples/calls/calls.bpf.o", ".load prog.o:xdp_main"],
    completes: "file",
    isSaved: true,
    run: (session, args) => (args === "" ? usage(".load FILE[:PROG]") : loadFile(session, args)),
  },
  {
    name: "unload",
    group: "program",
    summary: "forget the loaded program; lines then run by themselves again",
    isSaved: true,
    run: (session) => session.unload(),
  },
  {
    name: "prog",
    group: "program",
    args: "[NAME]",
    summary: "list the programs of the object, or take another of them",
    completes: "prog",
    isSaved: true,
    run(session, args) {
      const { object } = session;
      if (object === undefined) throw fault("REPL_NO_PROG", "no object is loaded");
      if (args === "") {
        for (const one of object.spec.progs)
          session.say(
            `${one === session.prog.linked.spec ? "=> " : "   "}${one.name}  ${one.type}, ${one.insns.length} slots`,
          );
        return;
      }
      const { name } = chooseProg(object.spec.progs, args);
      session.openProg(session.otherProg(name) ?? object.prog(name), object);
      reportLoaded(session);
    },
  },
  {
    name: "list",
    words: ["l", "list"],
    group: "program",
    args: "[PC|FUNC|FILE:LINE]",
    summary: "list instructions around the present one, or the lines that were typed",
    completes: "func",
    run: showList,
  },
  {
    name: "disasm",
    aliases: ["disas"],
    words: ["disas", "disassemble"],
    group: "program",
    args: "[PC|FUNC|-o]",
    summary: "list the whole program as bpftool does; -o with bytes",
    completes: "func",
    run: showDisasm,
  },
  {
    name: "cfg",
    group: "program",
    summary: "print the control flow graph, for dot",
    run(session) {
      openTyped(session);
      const { spec, funcs } = session.debuggee.stepper.prog;
      const names = new Map(funcs.map((func) => [func.start, func.name]));
      session.say(
        printGraph(spec.insns, {
          symbols: symbolsOf(spec, session.vm, funcs),
          funcName: (slot) => names.get(slot),
        }).trimEnd(),
      );
    },
  },
  {
    name: "verify",
    group: "program",
    args: "[log]",
    summary: "ask whether Linux would load the program; with the kernel's log",
    run: verify,
  },
  {
    name: "type",
    group: "program",
    args: "[TYPE]",
    summary: "show or set the program type of what is typed, e.g. sched_cls",
    isSaved: true,
    run: setType,
  },
  {
    name: "export",
    group: "program",
    args: "FILE",
    summary: "write the program: .s assembly text, .bin raw instructions, .dot graph",
    completes: "file",
    run: exportProg,
  },
];
