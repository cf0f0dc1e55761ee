import { defsOf, type Insn } from "@tsbpf/isa";
import { helperById } from "../calls/protos.ts";
import type { Env } from "../env.ts";
import { printInsn } from "../log/print-insn.ts";
import type { Rejection } from "../reject.ts";
import type { HistoryStep } from "../verdict.ts";
import { blamedPlaces } from "./blame.ts";
import { type PathStep, pathBefore } from "./path.ts";
import { Places } from "./places.ts";

/** Steps that a history shows before the refused instruction. */
const SHOWN = 12;

/**
 * Lists the instructions of the failing path that shaped what was refused, oldest first, the refused one last.
 *
 * Registers are followed through moves, arithmetic, spills and calls; shown are also the compares that looked at them, what took
 * a pointer away, what acquired a reference that is missed, and what began a section that is still open.
 */
export function traceRefusal(env: Env, refusal: Rejection): readonly HistoryStep[] {
  const { insnIdx } = refusal;
  if (insnIdx < 0 || insnIdx >= env.len) return [];
  const found = new Set<number>([insnIdx]);
  const places = new Places(env, env.cur.frames.length - 1, blamedPlaces(env, refusal));
  const opens = openingSlots(env, refusal);
  const path: PathStep[] = [];
  const losing: number[] = [];
  for (const step of pathBefore(env, insnIdx)) {
    if (found.size > SHOWN || (places.isEmpty && opens === undefined)) break;
    path.push(step);
    if (!places.isEmpty && losesPointers(env, step.slot)) losing.push(step.slot);
    // A loop comes by again and again; each of its instructions is named once, where it was last.
    if (places.follow(step)) found.add(step.slot);
    if (opens?.(step.slot) === true) found.add(step.slot);
  }
  const culprit = /'scalar'|type=scalar|pkt|!read_ok/.test(refusal.message)
    ? lossOf(env, places, losing)
    : undefined;
  if (culprit !== undefined) found.add(culprit);
  if (refusal.code === "MEM_PACKET_BOUNDS")
    for (const slot of packetCompares(env, path, places)) found.add(slot);
  return inPathOrder(found, path).map((slot) => toStep(env, slot));
}

/** Puts slots in the order in which the path came by them last. */
function inPathOrder(found: ReadonlySet<number>, path: readonly PathStep[]): readonly number[] {
  const [refused, ...others] = found;
  const order = new Map<number, number>();
  path.forEach(({ slot }, at) => {
    if (!order.has(slot)) order.set(slot, at);
  });
  const sorted = others.sort((a, b) => (order.get(b) ?? 0) - (order.get(a) ?? 0));
  return refused === undefined ? sorted : [...sorted, refused];
}

/** What the calls of a refusal are about, by its code: shown is what the path did to such an object before. */
const OBJECT_CALLS: Readonly<Record<string, RegExp>> = {
  CALL_ARG_DYNPTR: /dynptr/,
  MEM_DYNPTR_OVERWRITE: /dynptr/,
  CALL_ARG_ITER: /iter_\w+_(new|destroy)$/,
  REF_IRQ: /irq|res_spin/,
};

/** Tells which instructions of the path acquired what the refusal misses; undefined when it is about no such thing. */
function openingSlots(env: Env, refusal: Rejection): ((slot: number) => boolean) | undefined {
  const { code, message } = refusal;
  if (code === "REF_LEAK" || code === "REF_LOCK" || code === "CALL_UNDER_LOCK") {
    const isWanted = (kind: string): boolean => code === "REF_LEAK" || kind.includes("lock");
    const slots = new Set(env.cur.refs.filter((ref) => isWanted(ref.kind)).map((ref) => ref.insnIdx));
    return (slot) => slots.has(slot);
  }
  const region = /(bpf_\w+)-ed region/.exec(message)?.[1];
  if (region !== undefined) return (slot) => nameAt(env, slot) === region;
  const calls = OBJECT_CALLS[code];
  return calls === undefined ? undefined : (slot) => calls.test(nameAt(env, slot));
}

/** Name of the helper or kernel function that is called at a slot; empty elsewhere. */
const nameAt = (env: Env, slot: number): string =>
  env.kfuncOfSlot.get(slot) ?? helperAt(env, slot)?.name ?? "";

const helperAt = (env: Env, slot: number) => {
  const action = env.rows[slot]?.action;
  const insn = env.insns[slot];
  return action?.kind === "call" && action.callKind === "helper" && insn !== undefined
    ? helperById(env, insn.imm)
    : undefined;
};

/** Calls after which pointers may be numbers: what releases, and what may move the packet. */
function losesPointers(env: Env, slot: number): boolean {
  const proto = helperAt(env, slot);
  return proto !== undefined && (proto.invalidatesPacket || proto.args.some((arg) => arg.releases === true));
}

/** The call that took a pointer away: of packet pointers the first that may move the packet, of objects the first release. */
function lossOf(env: Env, places: Places, losing: readonly number[]): number | undefined {
  const origin = places.origins.at(-1);
  if (origin === undefined) return undefined;
  const isLoad = env.rows[origin]?.action.kind === "load";
  if (!isLoad && env.rows[origin]?.action.kind !== "call") return undefined;
  return losing.filter((slot) => slot !== origin && helperAt(env, slot)?.invalidatesPacket === isLoad).at(-1);
}

/** Compares of copies of the packet pointer: they are what could have proven the access. */
function packetCompares(env: Env, path: readonly PathStep[], places: Places): readonly number[] {
  const origin = places.origins.at(-1);
  const start = path.findIndex(({ slot }) => slot === origin);
  const load = env.insns[origin ?? -1];
  if (origin === undefined || start < 0 || load === undefined) return [];
  const copies = new Set<number>([load.dst]);
  const found: number[] = [];
  for (let at = start - 1; at >= 0; at--) {
    const slot = path[at]?.slot ?? -1;
    const insn = env.insns[slot] as Insn;
    const action = env.rows[slot]?.action;
    if (action === undefined) continue;
    if (action.kind === "branch") {
      if (action.source === "x" && copies.has(insn.dst) !== copies.has(insn.src)) found.push(slot);
    } else if (
      action.kind === "alu" &&
      action.aluOp === "mov" &&
      action.source === "x" &&
      copies.has(insn.src)
    ) {
      copies.add(insn.dst);
    } else if (action.kind === "alu" && copies.has(insn.dst)) found.push(slot);
    else for (const reg of [...copies]) if (((defsOf(insn) >> reg) & 1) === 1) copies.delete(reg);
  }
  return found.slice(-4);
}

function toStep(env: Env, slot: number): HistoryStep {
  const text = printInsn(env, slot).trimEnd();
  const line = env.spec.lines.filter((one) => one.slot <= slot).at(-1);
  if (line === undefined) return { slot, text };
  const base = line.fileName.slice(line.fileName.lastIndexOf("/") + 1);
  return { slot, text, source: `${base}:${line.line} ${line.text.trim()}` };
}
