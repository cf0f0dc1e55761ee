import { namePointer } from "@tsbpf/runtime";
import { type Belief, beliefsOf, collectBeliefs } from "../belief.ts";
import { parseExpr } from "../expr.ts";
import { fault } from "../fault.ts";
import { diffMarks, type Mark, takeMark } from "../marks.ts";
import { parsePlace } from "../places.ts";
import type { Session } from "../session.ts";
import { describeValue, dumpBytes, printScalar, printValue } from "../values.ts";
import { variables } from "../variables.ts";
import type { Verb } from "../verb.ts";
import { countArg, firstWord, usage } from "./args.ts";
import { examine } from "./examine.ts";
import { listPoints } from "./stops.ts";

const MEM_BYTES = 64;
const MEM_BYTES_MAX = 65_536;
const FRAME_BYTES = 512;
/** Instructions that the verifier walks to say what it believes; enough for all but huge programs. */
const BELIEF_STEPS = 200_000;
const BELIEFS_SHOWN = 4;

function showRegs(session: Session) {
  const { stepper, machine } = session.debuggee;
  for (let n = 0; n <= 10; n++) session.say(`R${n}`.padEnd(4) + describeValue(stepper.reg(n), machine));
}

function showMem(session: Session, args: string) {
  if (args.startsWith("/")) return session.say(examine(args, session));
  if (args === "") usage(".mem ADDR[ BYTES], .mem ADDR = HEX, x/16xb ADDR");
  const assigned = /^(.+?)\s*=\s*((?:[0-9a-f]{2}\s*)+)$/i.exec(args);
  const parts = /^(.+?)\s+(\d+|0x[0-9a-f]+)$/i.exec(args);
  const place = assigned?.[1] ?? parts?.[1] ?? args;
  const address = Number(parseExpr(place)(session.values()));
  const { memory } = session.vm;
  const region = memory.regions.nearest(address);
  if (region === undefined || address >= region.end || address < region.start || region.kind === "reserved") {
    throw fault("REPL_EXPR", `0x${address.toString(16)} lies in no region; .regs and .maps show addresses`);
  }
  if (assigned !== null) {
    const bytes = Uint8Array.from((assigned[2] ?? "").match(/[0-9a-f]{2}/gi) ?? [], (pair) =>
      Number.parseInt(pair, 16),
    );
    if (address + bytes.length > region.end)
      throw fault(
        "REPL_EXPR",
        `${bytes.length} bytes leave ${region.name}, which ends at 0x${region.end.toString(16)}`,
      );
    session.debuggee.edit(() => memory.u8.set(bytes, address));
    return session.say(dumpBytes(bytes, address));
  }
  const wanted = Math.min(Number(parts?.[2] ?? MEM_BYTES), MEM_BYTES_MAX, region.end - address);
  session.say(
    `${region.name === region.kind ? "" : `${region.kind} `}${region.name}, offset ${address - region.start} of ${region.end - region.start}`,
  );
  session.say(dumpBytes(memory.u8.subarray(address, address + wanted), address));
}

function showStack(session: Session, args: string) {
  const { stepper, machine } = session.debuggee;
  const frames = stepper.frames();
  const idx = args === "" ? (frames[0]?.idx ?? 0) : countArg(args, session, 0);
  const frame = frames.find((one) => one.idx === idx);
  const start = frame?.stackStart ?? machine.stackBase;
  if (args !== "" && frame === undefined)
    throw fault("REPL_NOTHING", `no frame ${idx}, there are ${frames.length}`);
  session.say(
    `frame ${idx}${frame === undefined ? "" : ` ${frame.func}`}, 0x${start.toString(16)}..0x${(start + FRAME_BYTES).toString(16)}`,
  );
  const { view } = session.vm.memory;
  let zeros = 0;
  for (let at = FRAME_BYTES - 8; at >= 0; at -= 8) {
    const value = view.getBigUint64(start + at, true);
    if (value === 0n) {
      zeros++;
      continue;
    }
    if (zeros > 0) session.say(`  … ${zeros * 8} bytes of zeros`);
    zeros = 0;
    session.say(
      `  fp${String(at - FRAME_BYTES).padEnd(5)} 0x${value.toString(16).padStart(16, "0")}  ${printValue(value, machine)}`,
    );
  }
  if (zeros > 0) session.say(`  … ${zeros * 8} bytes of zeros`);
}

function showFrames(session: Session) {
  const frames = session.debuggee.stepper.frames();
  frames.forEach((frame, level) => {
    const source = frame.slot === undefined ? undefined : session.sourceOf(frame.prog, frame.slot);
    const at = source === undefined ? "" : ` at ${source.fileName.split("/").at(-1)}:${source.line}`;
    const prog = frame.prog.spec.name === frame.func ? "" : ` of ${frame.prog.spec.name}`;
    session.say(
      `#${level}  ${frame.func}${prog}${frame.slot === undefined ? "" : ` slot ${Math.max(0, frame.slot)}`}${at}${frame.isCallback ? "  (callback)" : ""}`,
    );
  });
}

function showBelief(session: Session, args: string) {
  const { stepper, machine } = session.debuggee;
  const { spec } = stepper.prog;
  const slot = args === "" ? stepper.slot : parsePlace(args, session).slot;
  const isHere = slot === stepper.slot;
  const beliefs = collectBeliefs(spec, slot, {
    ...session.vm.verifyOptions(),
    insnLimit: BELIEF_STEPS,
  });
  session.say(`${String(slot).padStart(4)}: ${session.insnText(stepper.prog, slot)}`);
  const note = beliefs.refusal === "" ? "" : `; not whole, the verifier stopped: ${beliefs.refusal}`;
  if (beliefs.paths.length === 0) {
    return session.say(`the verifier never reached this instruction${note}`);
  }
  session.say(`paths seen: ${beliefs.paths.length}${beliefs.isCut ? ", and more" : ""}${note}`);
  const places = new Set(beliefs.paths.flatMap((state) => [...state.keys()]));
  for (const place of [...places].sort(byPlace)) {
    const believed = beliefsOf(beliefs, place);
    const texts =
      believed
        .slice(0, BELIEFS_SHOWN)
        .map(({ text }) => text)
        .join(" | ") + (believed.length > BELIEFS_SHOWN ? " | …" : "");
    const truth = isHere ? ` ; is ${truthOf(place, believed, beliefs.isWhole, session)}` : "";
    session.say(`  ${place.padEnd(6)} ${texts}${truth}`);
  }
  if (!isHere) session.say(`the program stands at ${stepper.slot}, so there are no values to compare`);
  else if (machine.depth > 0 && beliefs.refusal === "") session.say("values are those of the moment");
}

const byPlace = (a: string, b: string): number => {
  const rank = (text: string): number =>
    text.startsWith("R") ? Number(text.slice(1)) : 1000 - Number(text.slice(2));
  return rank(a) - rank(b);
};

/** The true value of a register or stack slot, marked when none of the verifier's states holds it. */
function truthOf(place: string, believed: readonly Belief[], isWhole: boolean, session: Session): string {
  const { stepper, machine } = session.debuggee;
  const value = place.startsWith("R")
    ? stepper.reg(Number(place.slice(1)))
    : session.vm.memory.view.getBigUint64(Number(stepper.reg(10)) + Number(place.slice(2)), true);
  const answers = believed.map((one) => one.holds(value));
  const isOutside = answers.length > 0 && answers.every((one) => one === false);
  const isScalar = believed.some(({ text }) => /^P?(?:scalar|-?\d|-?0x)/.test(text));
  const text = isScalar ? printScalar(value) : printValue(value, machine);
  if (!isOutside) return text;
  return `${text}  (${isWhole ? "OUTSIDE what was believed" : "on none of these paths; the verifier gave others up as equal"})`;
}

/** The state of the moment as a mark. */
function markNow(session: Session, name: string): Mark {
  const { stepper, machine } = session.debuggee;
  return takeMark(name, { machine, slot: stepper.slot, maps: session.vm.maps, reg: (n) => stepper.reg(n) });
}

const MARKS_MAX = 16;

/** Finds a state: a mark's name, `@N` after N instructions, `-N` steps ago, nothing for now. */
function stateOf(session: Session, text: string): Mark {
  const { debuggee } = session;
  const now = debuggee.stepper.insnCount;
  const count = /^@(\d+)$/.exec(text)?.[1];
  const ago = /^-(\d+)$/.exec(text)?.[1];
  if (text === "" || text === "now") return markNow(session, "now");
  if (count === undefined && ago === undefined) {
    const mark = session.marks.get(text);
    if (mark === undefined) throw fault("REPL_NOTHING", `no mark ${text}; a mark, @N or -N needed`);
    return mark;
  }
  const isOver = debuggee.stepper.isOver;
  debuggee.goTo(count === undefined ? now - Number(ago) : Number(count));
  try {
    return markNow(session, text);
  } finally {
    debuggee.goTo(isOver ? Number.MAX_SAFE_INTEGER : now);
  }
}

function showDiff(session: Session, args: string) {
  const [a, b] = firstWord(args);
  const before = stateOf(session, a === "" ? "-1" : a);
  const after = stateOf(session, b);
  const lines = diffMarks(before, after, session.debuggee.machine);
  session.say(
    `from ${before.name} (instruction ${before.insnCount}) to ${after.name} (instruction ${after.insnCount})`,
  );
  session.say(lines.length === 0 ? "nothing differs" : lines.map((line) => `  ${line}`).join("\n"));
}

/** gdb's formats of a number. */
const FORMATS: Readonly<Record<string, (value: bigint) => string>> = {
  x: (value) => `0x${value.toString(16)}`,
  d: (value) => `${BigInt.asIntN(64, value)}`,
  u: (value) => `${value}`,
  t: (value) => `0b${value.toString(2)}`,
};

/** Splits off a format, as in `/x r1`. */
function formatIn(args: string) {
  const found = /^\/([xdut])\s+(.*)$/s.exec(args);
  return { format: FORMATS[found?.[1] ?? ""], text: found?.[2] ?? args };
}

function printExpr(session: Session, args: string) {
  const { format, text } = formatIn(args);
  if (text === "") usage(".print EXPR");
  const value = parseExpr(text)(session.values());
  const { machine } = session.debuggee;
  session.last = value;
  if (format !== undefined) return session.say(format(value));
  if (/^[rRwW](?:10|\d)$/.test(text))
    return session.say(`${text.toUpperCase()}=${printValue(value, machine)}`);
  const pointer = namePointer(value, machine);
  session.say(
    `${printScalar(value)}${value > 9n && !printScalar(value).startsWith("0x") ? ` (0x${value.toString(16)})` : ""}${pointer === undefined ? "" : `  ${pointer}`}`,
  );
}

/** Lists the variables of the object: numbers with their values, others with their addresses. */
function showVariables(session: Session) {
  const all = [...variables(session)];
  if (all.length === 0) return session.say("no variables: BTF of a loaded object names them");
  const shownOf = (text: string): string =>
    printValue(parseExpr(text)(session.values()), session.debuggee.machine);
  for (const [name, { sizeBytes, element }] of all) {
    const count = element === undefined ? 0 : Math.floor(sizeBytes / element.sizeBytes);
    const shown = Math.min(count, ELEMENTS_SHOWN);
    const elements = Array.from({ length: shown }, (_, i) => shownOf(`${name}[${i}]`));
    const list = `[${[...elements, ...(count > shown ? ["…"] : [])].join(", ")}]`;
    session.say(`${name} = ${count > 0 ? list : shownOf(name)}, ${sizeBytes} bytes`);
  }
}

const ELEMENTS_SHOWN = 16;
const DISPLAYS_MAX = 32;

function addDisplay(session: Session, args: string) {
  if (args === "") return session.showDisplays();
  if (args === "off") {
    session.displays.length = 0;
    return;
  }
  if (args.startsWith("/i"))
    throw fault("REPL_USAGE", "every stop shows the next instruction without being asked");
  parseExpr(formatIn(args).text);
  if (session.displays.length >= DISPLAYS_MAX)
    throw fault("REPL_USAGE", `${DISPLAYS_MAX} displays are enough`);
  session.displays.push(args);
  session.showDisplays = () => {
    for (const text of session.displays) {
      const { format = (value) => printValue(value, session.debuggee.machine), text: expr } = formatIn(text);
      try {
        session.say(`${expr} = ${format(parseExpr(expr)(session.values()))}`);
      } catch {
        session.say(`${expr} = ?`);
      }
    }
  };
  session.showDisplays();
}

export const LOOK_VERBS: readonly Verb[] = [
  {
    name: "regs",
    group: "look",
    summary: "show all registers: hex, decimal, and what they point to",
    run: showRegs,
  },
  {
    name: "print",
    words: ["p", "print"],
    group: "look",
    args: "[/x|/d|/u|/t] EXPR",
    summary: "compute an expression; the result is _",
    examples: ["p r0 + 1", "p *(u32 *)(fp - 4)", "p/x r1"],
    completes: "reg",
    run: printExpr,
  },
  {
    name: "mem",
    words: ["x"],
    group: "look",
    args: "ADDR[ BYTES] | ADDR = HEX",
    summary: "dump or change memory; x/16xb, x/4gx, x/s, x/3i as in gdb",
    examples: [".mem pkt 32", "x/4gx fp-32", ".mem fp-8 = 01 02 03 04"],
    completes: "reg",
    isSaved: true,
    isRepeated: true,
    run: showMem,
  },
  {
    name: "stack",
    group: "look",
    args: "[FRAME]",
    summary: "show the stack of a frame, slot by slot",
    run: showStack,
  },
  {
    name: "frames",
    aliases: ["bt", "backtrace"],
    words: ["bt", "where", "backtrace"],
    group: "look",
    summary: "list the frames, the running one first",
    run: showFrames,
  },
  {
    name: "where",
    aliases: ["pc"],
    group: "look",
    summary: "show the instruction that runs next",
    run(session) {
      const { stepper } = session.debuggee;
      session.say(session.whereText());
      session.say(`${stepper.insnCount} instructions executed${stepper.isOver ? ", the run has ended" : ""}`);
    },
  },
  {
    name: "belief",
    aliases: ["believes"],
    group: "look",
    args: "[PC]",
    summary: "show what the verifier believes at this instruction beside what is true",
    completes: "func",
    run: showBelief,
  },
  {
    name: "mark",
    group: "look",
    args: "NAME",
    summary: "remember this state under a name, for .diff",
    isSaved: true,
    run(session, args) {
      if (!/^[A-Za-z_]\w*$/.test(args)) usage(".mark NAME");
      if (session.marks.size >= MARKS_MAX && !session.marks.has(args))
        throw fault("REPL_USAGE", `${MARKS_MAX} marks are enough`);
      session.marks.set(args, markNow(session, args));
    },
  },
  {
    name: "diff",
    group: "look",
    args: "[MARK|@N|-N] [MARK|@N]",
    summary: "show how registers, memory and maps differ between two states; from one step ago to now",
    examples: [".diff a", ".diff @10 @20", ".diff -5"],
    run: showDiff,
  },
  {
    name: "display",
    words: ["display"],
    group: "look",
    args: "[/x|/d|/u|/t] [EXPR|off]",
    summary: "show an expression at every stop",
    completes: "reg",
    isSaved: true,
    run: addDisplay,
  },
  {
    name: "info",
    words: ["i", "info"],
    group: "look",
    args: "r|b|func|frame|var|maps|REG",
    summary: "gdb's info: registers, breakpoints, functions, frames, variables, maps",
    run(session, args) {
      const [what, rest] = firstWord(args);
      if (/^r(eg(isters)?)?$/.test(what)) return rest === "" ? showRegs(session) : printExpr(session, rest);
      if (/^b(reak(points)?)?$|^watch(points)?$/.test(what)) return listPoints(session);
      if (/^f(rame|rames)?$|^s(tack)?$/.test(what)) return showFrames(session);
      if (/^func(tion)?s?$/.test(what)) {
        for (const { name, start, end } of session.linked.funcs)
          session.say(`${String(start).padStart(5)}  ${name}, ${end - start} slots`);
        for (const name of session.funcs.keys()) session.say(`   --  ${name}, typed`);
        return;
      }
      if (/^var(iables)?$|^locals$/.test(what)) return showVariables(session);
      if (what === "display") return session.showDisplays();
      if (what === "maps") {
        for (const [name, map] of session.vm.maps) session.say(`${name}  ${map.spec.type}`);
        return;
      }
      usage("info registers|breakpoints|frame|functions|variables|maps|display");
    },
  },
];
