import type { EngineProg } from "@tsbpf/runtime";
import { toEngineProg } from "@tsbpf/runtime";
import { parseExpr } from "./expr.ts";
import { fault } from "./fault.ts";
import type { Session } from "./session.ts";
import { didYouMean } from "./suggest.ts";

/** An instruction of a program. */
export interface CodePlace {
  readonly prog: EngineProg;
  readonly slot: number;
  /** For people: `mix+3`. */
  readonly text: string;
}

/**
 * Finds an instruction: a slot (`12`), a function (`mix`), `mix+3`, a source line (`:54`, `calls.bpf.c:54`), or any of
 * them in another program of the object (`other/12`).
 *
 * @throws REPL_PLACE (InputError) when there is none.
 */
export function parsePlace(text: string, session: Session): CodePlace {
  const trimmed = text.trim().replace(/^\*/, "");
  const slash = trimmed.indexOf("/");
  if (slash > 0) {
    const progName = trimmed.slice(0, slash);
    const prog = toEngineProg(session.otherProg(progName));
    if (prog === undefined) {
      const names = session.object?.spec.progs.map((one) => one.name) ?? [];
      throw fault("REPL_PLACE", `no program ${progName}${didYouMean(progName, names)}`);
    }
    const slot = slotIn(trimmed.slice(slash + 1), prog, session);
    return { prog, slot, text: nameSlot(prog, slot) };
  }
  const prog = session.debuggee.engineProg;
  const here = findSlot(trimmed, prog, session);
  if (here !== undefined) return { prog, slot: here, text: nameSlot(prog, here) };
  const other = toEngineProg(session.otherProg(trimmed));
  if (other !== undefined) return { prog: other, slot: 0, text: nameSlot(other, 0) };
  return { prog, slot: slotIn(trimmed, prog, session), text: trimmed };
}

function slotIn(text: string, prog: EngineProg, session: Session): number {
  const slot = findSlot(text, prog, session);
  if (slot !== undefined) return slot;
  const names = [...prog.prog.funcs.map((func) => func.name), ...session.labels.keys()];
  throw fault(
    "REPL_PLACE",
    `no instruction ${JSON.stringify(text)}: a slot below ${prog.prog.insns.length}, a function or file:line needed${didYouMean(text, names)}`,
  );
}

function findSlot(text: string, prog: EngineProg, session: Session): number | undefined {
  const { insns } = prog.prog;
  if (text === "") return session.debuggee.stepper.slot;
  if (/^(0x[0-9a-fA-F]+|\d+)$/.test(text)) return Number(text) < insns.length ? Number(text) : undefined;
  const line = /^([^:\s]*):(\d+)$/.exec(text);
  if (line !== null) return slotOfLine(prog, line[1] ?? "", Number(line[2]));
  const parts = /^([A-Za-z_.$][\w.$]*)\s*(?:\+\s*(\d+|0x[0-9a-f]+))?$/.exec(text);
  const name = parts?.[1];
  if (name !== undefined) {
    const start = prog.prog.funcs.find((func) => func.name === name)?.start ?? session.labels.get(name);
    const slot = start === undefined ? undefined : start + Number(parts?.[2] ?? 0);
    if (slot !== undefined) return slot < insns.length ? slot : undefined;
  }
  try {
    const value = parseExpr(text)(session.values());
    return value < BigInt(insns.length) ? Number(value) : undefined;
  } catch {
    return undefined;
  }
}

/** The first instruction of a source line, or of the next line that has one. */
function slotOfLine({ prog }: EngineProg, file: string, line: number): number | undefined {
  let best: { readonly slot: number; readonly line: number } | undefined;
  for (const one of prog.spec.lines) {
    if (file !== "" && !one.fileName.endsWith(file)) continue;
    if (one.line >= line && (best === undefined || one.line < best.line)) best = one;
  }
  return best?.slot;
}

/** Names a slot by its function. */
function nameSlot({ prog }: EngineProg, slot: number): string {
  const func = prog.funcs.find(({ start, end }) => slot >= start && slot < end);
  return func === undefined
    ? `${prog.spec.name} ${slot}`
    : `${func.name}+${slot - func.start} (slot ${slot})`;
}
