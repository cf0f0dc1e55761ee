import type { Predicate, StepView, WatchTarget } from "@tsbpf/interpreter";
import { type Expr, parseExpr, parseNamed, regIdx } from "../expr.ts";
import { fault } from "../fault.ts";
import { parsePlace } from "../places.ts";
import type { Session } from "../session.ts";
import { readMemory } from "../values.ts";
import type { Verb } from "../verb.ts";
import { splitIf, usage } from "./args.ts";
import { openTyped } from "./run.ts";

/** Makes a condition of an expression; where it cannot be computed it does not hold. */
function toPredicate(expr: Expr, session: Session): Predicate {
  return (view: StepView) => {
    const { memory } = view.machine.env;
    try {
      return (
        expr({
          ...session.values(),
          reg: (n) => view.reg(n),
          read: (address, sizeBytes) => readMemory(memory, address, sizeBytes),
          name: (name) =>
            name === "insns"
              ? BigInt(view.insnCount)
              : name === "depth"
                ? BigInt(view.depth)
                : name === "pc"
                  ? BigInt(view.slot)
                  : session.valueOf(name),
        }) !== 0n
      );
    } catch {
      return false;
    }
  };
}

function conditionOf(text: string | undefined, session: Session): Predicate | undefined {
  if (text === undefined) return undefined;
  const expr = parseExpr(text);
  // Names that do not exist are told now, not silently at each stop.
  const { place } = session.values();
  for (const name of text.match(/(?<![\w$.]|->\s*)[A-Za-z_.][\w.]*/g) ?? []) {
    const isKnown =
      regIdx(name) !== undefined ||
      /^[us](?:8|16|32|64)$|^s$/.test(name) ||
      name === "map" ||
      place?.(name, undefined) !== undefined ||
      session.valueOf(name) !== undefined;
    if (!isKnown) throw fault("REPL_EXPR", `nothing is named ${name} in the condition ${text}`);
  }
  return toPredicate(expr, session);
}

function addBreak(session: Session, args: string, isTemporary: boolean) {
  openTyped(session);
  const [place, conditionText] = splitIf(args);
  const { prog, slot, text } = parsePlace(place, session);
  const condition = conditionOf(conditionText, session);
  const { debuggee } = session;
  const progName = prog.prog.spec.name;
  const point = debuggee.points.add({
    what: { kind: "break", progName, slot, prog },
    conditionText,
    condition,
    text,
    isTemporary,
  });
  debuggee.points.install(debuggee.stepper, debuggee.engineProg);
  session.say(
    `breakpoint ${point.id} at ${text}${conditionText === undefined ? "" : ` if ${conditionText}`}`,
  );
}

const WATCH_BYTES_MAX = 8;
const SIZED = /^\*?\s*\(\s*([us])(8|16|32|64)\s*\*\s*\)\s*(.+)$/s;

/** Reads what to watch: a register, an address with a length, or `*(u32 *)address`. */
export function parseTarget(text: string, session: Session): WatchTarget {
  const reg = regIdx(text);
  if (reg !== undefined) return { kind: "reg", reg };
  if (session.vm.maps.has(text))
    throw fault(
      "REPL_EXPR",
      `${text} is a map: map[${text}][KEY] is what it holds, variables have names of their own`,
    );
  const place = parseNamed(text)?.(session.values());
  if (place !== undefined && place.sizeBytes <= WATCH_BYTES_MAX)
    return { kind: "memory", address: Number(place.address), bytes: place.sizeBytes };
  const sized = SIZED.exec(text);
  const parts = sized === null ? /^(.+?)(?:\s+|:)(\d+)$/s.exec(text) : null;
  const bytes = sized !== null ? Number(sized[2]) / 8 : parts !== null ? Number(parts[2]) : 8;
  const address = parseExpr(sized?.[3] ?? parts?.[1] ?? text)(session.values());
  if (bytes < 1 || bytes > WATCH_BYTES_MAX)
    throw fault("REPL_USAGE", `${bytes} bytes found, 1..8 can be watched`);
  if (readMemory(session.vm.memory, address, bytes) === undefined) {
    throw fault("REPL_EXPR", `no memory for ${bytes} bytes at 0x${address.toString(16)}`);
  }
  return { kind: "memory", address: Number(address), bytes };
}

function addWatch(session: Session, args: string) {
  const [what, conditionText] = splitIf(args);
  if (what === "") usage(".watch rN | ADDR[ BYTES] | *(u32 *)ADDR [if EXPR]");
  openTyped(session);
  const target = parseTarget(what, session);
  const condition = conditionOf(conditionText, session);
  const { debuggee } = session;
  const point = debuggee.points.add({
    what: target,
    conditionText,
    condition,
    text: what,
    isTemporary: false,
  });
  debuggee.points.install(debuggee.stepper, debuggee.engineProg);
  session.say(
    `watchpoint ${point.id} on ${what}${conditionText === undefined ? "" : ` if ${conditionText}`}`,
  );
}

/** Lists break- and watchpoints. */
export function listPoints(session: Session) {
  const { all } = session.debuggee.points;
  if (all.length === 0) return session.say("no break- or watchpoints");
  for (const { id, what, text, conditionText, hits, isTemporary } of all) {
    const kind = what.kind === "break" ? (isTemporary ? "break (once)" : "break") : "watch";
    const condition = conditionText === undefined ? "" : ` if ${conditionText}`;
    session.say(
      `${String(id).padStart(3)}  ${kind}  ${text}${condition}${hits === 0 ? "" : `  hit ${hits} times`}`,
    );
  }
}

export const STOP_VERBS: readonly Verb[] = [
  {
    name: "break",
    words: ["b", "break"],
    group: "stops",
    args: "[PC|FUNC|FILE:LINE|PROG/PC] [if EXPR]",
    summary: "stop before an instruction; without a place, list what there is",
    examples: [".break mix+3 if r2 == 7", "b calls.bpf.c:54"],
    completes: "func",
    isSaved: true,
    run(session, args) {
      if (args === "") listPoints(session);
      else addBreak(session, args, false);
    },
  },
  {
    name: "tbreak",
    words: ["tbreak", "tb"],
    group: "stops",
    args: "PC|FUNC|FILE:LINE [if EXPR]",
    summary: "stop once before an instruction",
    completes: "func",
    isSaved: true,
    run: (session, args) => addBreak(session, args, true),
  },
  {
    name: "watch",
    words: ["watch"],
    group: "stops",
    args: "rN | VARIABLE | ADDR[ BYTES] | *(u32 *)ADDR [if EXPR]",
    summary: "stop after an instruction that changes a register of this frame, or memory",
    examples: [
      ".watch r6",
      ".watch total_bytes",
      ".watch map[counts][3]",
      ".watch *(u64 *)(fp - 8) if r1 > 3",
    ],
    completes: "reg",
    isSaved: true,
    run: addWatch,
  },
  {
    name: "delete",
    words: ["d", "delete"],
    group: "stops",
    args: "[N …]",
    summary: "remove break- and watchpoints, all when none is named",
    isSaved: true,
    run(session, args) {
      const { debuggee } = session;
      if (args === "") {
        debuggee.points.clear();
        debuggee.points.install(debuggee.stepper, debuggee.engineProg);
        return;
      }
      for (const word of args.split(/[\s,]+/)) {
        if (!session.removePoint(Number(word)))
          throw fault("REPL_NOTHING", `no break- or watchpoint ${word}`);
      }
    },
  },
];
