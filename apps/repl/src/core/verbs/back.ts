import { fault } from "../fault.ts";
import type { Session } from "../session.ts";
import type { Verb } from "../verb.ts";
import { countArg, usage } from "./args.ts";
import { parseTarget } from "./stops.ts";

/** Says where going back has led; never before the first state there is. */
function report(session: Session, stop: Parameters<Session["reportStop"]>[0]) {
  const { debuggee } = session;
  if (debuggee.stepper.insnCount < debuggee.firstCount) debuggee.goTo(debuggee.firstCount);
  session.reportStop(stop);
}

export const BACK_VERBS: readonly Verb[] = [
  {
    name: "back",
    aliases: ["rstep"],
    words: ["rs", "rsi", "rstep", "reverse-step", "reverse-stepi"],
    group: "back",
    args: "[N]",
    summary: "go back over one instruction, or N",
    isSaved: true,
    isRepeated: true,
    run: (session, args) => report(session, session.debuggee.back(countArg(args, session, 1))),
  },
  {
    name: "rcont",
    words: ["rc", "rcont", "reverse-continue"],
    group: "back",
    summary: "go back to the last breakpoint or change of something watched, or to the start",
    isSaved: true,
    isRepeated: true,
    run: (session) => report(session, session.debuggee.stepper.backContinue()),
  },
  {
    name: "origin",
    aliases: ["lastwrite"],
    group: "back",
    args: "rN | ADDR[ BYTES]",
    summary: "go back to the instruction that last changed a register or memory",
    examples: [".origin r6", ".origin fp-8"],
    completes: "reg",
    isSaved: true,
    run(session, args) {
      if (args === "") usage(".origin rN | ADDR[ BYTES]");
      const target = parseTarget(args, session);
      const { debuggee } = session;
      const stop =
        target.kind === "reg" ? debuggee.backToWrite(target.reg) : debuggee.stepper.backToChange(target);
      report(session, stop);
    },
  },
  {
    name: "goto",
    group: "back",
    args: "N",
    summary: "go to the state after N instructions, forwards or backwards",
    isSaved: true,
    run(session, args) {
      if (args === "") usage(".goto N");
      report(session, session.debuggee.goTo(countArg(args, session, 0)));
    },
  },
  {
    name: "undo",
    group: "back",
    summary: "take back the last line or change: registers and memory as they were",
    isSaved: true,
    run(session) {
      if (!session.debuggee.undo()) throw fault("REPL_NOTHING", "nothing to take back");
      session.say(session.isScratch ? "taken back" : `taken back\n${session.whereText()}`);
    },
  },
];
