import type { Env } from "../env.ts";
import type { Rejection } from "../reject.ts";
import { type Place, slotAt } from "./places.ts";

const SLOT_BYTES = 8;
const FRAME_POINTER = 10;

/** Registers that a text names, as R3 or as the argument that lies in it. */
const namedIn = (message: string): readonly number[] =>
  [
    ...[...message.matchAll(/\bR(\d+)\b/g)].map((match) => Number(match[1])),
    ...[...message.matchAll(/\barg ?#(\d)\b/g)].map((match) => Number(match[1]) + 1),
    ...[...message.matchAll(/\barg (\d) is/g)].map((match) => Number(match[1])),
  ].filter((regno) => regno <= FRAME_POINTER);

/** Registers of the refused instruction that its refusal is about, where the text names none. */
function ofInsn(env: Env, { code, insnIdx }: Rejection): readonly number[] {
  const insn = env.insns[insnIdx];
  const action = env.rows[insnIdx]?.action;
  if (insn === undefined || action === undefined) return [];
  if (action.kind === "exit") return code === "CALL_RETURN_STACK" || code.startsWith("REG_") ? [0] : [];
  if (action.kind === "load") return [insn.src];
  if (action.kind === "store" || action.kind === "atomic") {
    return /SPILL|LEAK|KPTR/.test(code) ? [insn.src, insn.dst] : [insn.dst];
  }
  if (action.kind === "alu") return action.source === "x" ? [insn.src, insn.dst] : [insn.dst];
  if (action.kind === "branch") return action.source === "x" ? [insn.dst, insn.src] : [insn.dst];
  return [];
}

/** Stack slots that a refusal is about: what lies there decides. */
function slotsOf(env: Env, { code, message, insnIdx }: Rejection): readonly number[] {
  if (!code.startsWith("MEM_STACK") && !message.includes("from stack")) return [];
  const insn = env.insns[insnIdx];
  const action = env.rows[insnIdx]?.action;
  const said = /off[ =](-?\d+)(?:\+\d+)? size[ =]?(\d+)/.exec(message);
  const isOwn =
    insn !== undefined &&
    ((action?.kind === "load" && insn.src === FRAME_POINTER) ||
      ((action?.kind === "store" || action?.kind === "atomic") && insn.dst === FRAME_POINTER));
  const off = said === null ? (isOwn ? insn.off : undefined) : Number(said[1]);
  if (off === undefined || off >= 0) return [];
  const bytes = Math.min(said === null ? SLOT_BYTES : Number(said[2]), -off);
  const slots: number[] = [];
  for (let at = slotAt(off); at < off + bytes; at += SLOT_BYTES) slots.push(at);
  return slots;
}

/** Returns what a refusal is about: registers and stack slots of the frame that was walked. */
export function blamedPlaces(env: Env, refusal: Rejection): readonly Place[] {
  const depth = env.cur.frames.length - 1;
  const named = namedIn(refusal.message);
  const isMove = /^R\d+ (pointer|has|tried)|math between/.test(refusal.message);
  const regs = named.length > 0 && !isMove ? named : [...named, ...ofInsn(env, refusal)];
  const places: Place[] = [...new Set(regs)]
    .filter((regno) => regno !== FRAME_POINTER)
    .map((at) => ({ depth, kind: "reg", at }));
  return [...places, ...slotsOf(env, refusal).map((at): Place => ({ depth, kind: "slot", at }))];
}
