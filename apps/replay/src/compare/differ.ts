import { equalBytes, printHexBytes } from "@tsbpf/base";
import type { Effect } from "@tsbpf/plugin";
import { crc32c } from "@tsbpf/trace";
import { printEffectLine, toPlain } from "../report/effects.ts";
import { hex8 } from "../report/hex8.ts";
import { DIVERGED } from "../trace/answers.ts";
import type { Outcome } from "./outcome.ts";

/** What can differ, in the order in which it is shown. */
export const ASPECTS = [
  "verdict",
  "packet",
  "context",
  "effects",
  "tail calls",
  "questions",
  "instructions",
  "maps",
] as const;
export type Aspect = (typeof ASPECTS)[number];

/** One way in which two outcomes of a packet, or a map after it, are not the same. */
export interface Difference {
  readonly aspect: Aspect;
  /** Names what all differences of a group have in common. */
  readonly group: string;
  readonly a: string;
  readonly b: string;
}

/** What is compared beside what always is. */
export interface DifferOptions {
  /** Instructions executed: both sides run the same code. */
  readonly insns: boolean;
}

/** Lists how two outcomes differ; empty when they do not. */
export function differOutcomes(a: Outcome, b: Outcome, options: DifferOptions): Difference[] {
  const differences: Difference[] = [];
  const [verdictA, verdictB] = [verdictText(a), verdictText(b)];
  const asksOther = a.failure?.code === DIVERGED || b.failure?.code === DIVERGED;
  if (asksOther) differences.push(...differQuestions(a, b));
  else if (isOther(a, b)) {
    differences.push({
      aspect: "verdict",
      group: `${verdictA} -> ${verdictB}`,
      a: failureText(a),
      b: failureText(b),
    });
  }
  // A run that failed on one side only has left its packet half-way: what it holds says nothing new.
  if (a.failure !== undefined || b.failure !== undefined) return differences;
  const packets = differPackets(a, b);
  // Where the packets differ, contexts do in their bounds and lengths, which says nothing new.
  differences.push(...packets, ...(packets.length > 0 ? [] : differContexts(a, b)), ...differEffects(a, b));
  if (a.unasked !== b.unasked) {
    differences.push({
      aspect: "questions",
      group: "asks for less than was recorded",
      a: a.unasked === undefined ? "asked all" : `did not ask ${a.unasked}`,
      b: b.unasked === undefined ? "asked all" : `did not ask ${b.unasked}`,
    });
  }
  if (options.insns && a.insns !== undefined && b.insns !== undefined && a.insns !== b.insns) {
    differences.push({
      aspect: "instructions",
      group: "instructions executed",
      a: `${a.insns}`,
      b: `${b.insns}`,
    });
  }
  return differences;
}

/** Whether results differ; what ended two runs early is compared where both sides say it. */
function isOther(a: Outcome, b: Outcome): boolean {
  if (a.verdict === undefined || b.verdict === undefined) return false;
  if (a.failure !== undefined && b.failure !== undefined) return verdictText(a) !== verdictText(b);
  return a.verdict !== b.verdict;
}

const verdictText = ({ verdict = "unknown", failure }: Outcome): string =>
  failure === undefined ? verdict : failure.kind === "trap" ? `trap ${failure.code}` : verdict;

const failureText = (outcome: Outcome): string =>
  outcome.failure === undefined
    ? verdictText(outcome)
    : `${verdictText(outcome)}: ${outcome.failure.message}`;

function differQuestions(a: Outcome, b: Outcome): Difference[] {
  const text = ({ failure, verdict }: Outcome): string =>
    failure?.code === DIVERGED ? failure.message : (verdict ?? "unknown");
  if (a.failure?.code === b.failure?.code) return [];
  return [
    { aspect: "questions", group: "asks for something else than was recorded", a: text(a), b: text(b) },
  ];
}

function differPackets(a: Outcome, b: Outcome): Difference[] {
  if (a.packet === undefined && a.packetDigest === undefined) return [];
  if (b.packet === undefined && b.packetDigest === undefined) return [];
  if (a.packet !== undefined && b.packet !== undefined) {
    return differBytes("packet", a.packet, b.packet);
  }
  const digest = ({ packet, packetDigest }: Outcome) =>
    packet === undefined ? packetDigest : { bytes: packet.length, crc: crc32c(packet) };
  const [left, right] = [digest(a), digest(b)];
  if (left?.bytes === right?.bytes && left?.crc === right?.crc) return [];
  const text = (one: typeof left): string => `${one?.bytes} bytes, checksum ${hex8(one?.crc ?? 0)}`;
  return [{ aspect: "packet", group: "bytes", a: text(left), b: text(right) }];
}

const differContexts = (a: Outcome, b: Outcome): Difference[] =>
  a.ctx === undefined || b.ctx === undefined ? [] : differBytes("context", a.ctx, b.ctx);

export const BYTES_SHOWN = 16;

/** Prints bytes from a place on, as many as are shown. */
export const printBytesAt = (bytes: Uint8Array, at: number): string =>
  `${printHexBytes(bytes.subarray(at, at + BYTES_SHOWN))}${at + BYTES_SHOWN < bytes.length ? "…" : ""}`;

/** Returns where two byte strings begin to differ. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, idx) => byte !== b[idx]);
  return at < 0 ? Math.min(a.length, b.length) : at;
}

function differBytes(aspect: "packet" | "context", a: Uint8Array, b: Uint8Array): Difference[] {
  if (a.length !== b.length) {
    return [
      {
        aspect,
        group: `${a.length} -> ${b.length} bytes`,
        a: `${a.length} bytes`,
        b: `${b.length} bytes`,
      },
    ];
  }
  if (equalBytes(a, b)) return [];
  const at = firstDifference(a, b);
  const count = a.reduce((sum, byte, idx) => sum + (byte === b[idx] ? 0 : 1), 0);
  const shown = (bytes: Uint8Array): string => `at ${at}: ${printBytesAt(bytes, at)}`;
  return [
    {
      aspect,
      group: count === 1 ? `1 byte, at ${at}` : `${count} bytes, from ${at} on`,
      a: shown(a),
      b: shown(b),
    },
  ];
}

const isTailCall = (effect: Effect): boolean => effect.kind === "tail_call";

function differEffects(a: Outcome, b: Outcome): Difference[] {
  if (a.effects === undefined || b.effects === undefined) return [];
  const differences: Difference[] = [];
  const kinds = a.effectKinds ?? b.effectKinds;
  const known = ({ effects = [] }: Outcome): readonly Effect[] =>
    kinds === undefined ? effects : byMap(effects.filter((effect) => kinds.has(effect.kind)));
  const [effectsA, effectsB] = [known(a), known(b)];
  const [pathA, pathB] = [tailCallPath(effectsA), tailCallPath(effectsB)];
  if (pathA !== pathB) differences.push({ aspect: "tail calls", group: "tail calls", a: pathA, b: pathB });
  const restA = effectsA.filter((effect) => !isTailCall(effect));
  const restB = effectsB.filter((effect) => !isTailCall(effect));
  for (let i = 0; i < Math.max(restA.length, restB.length); i++) {
    const [left, right] = [restA[i], restB[i]];
    if (left !== undefined && right !== undefined && isSameEffect(left, right)) continue;
    differences.push({
      aspect: "effects",
      group: effectGroup(left, right),
      a: left === undefined ? "none" : printEffectLine(left),
      b: right === undefined ? "none" : printEffectLine(right),
    });
    break;
  }
  return differences;
}

/** Sorts effects by the map that they went to, keeping their order within one. */
const byMap = (effects: readonly Effect[]): readonly Effect[] => {
  const mapOf = (effect: Effect): string => ("map" in effect ? effect.map : "");
  return [...effects].sort((one, other) =>
    mapOf(one) < mapOf(other) ? -1 : mapOf(one) > mapOf(other) ? 1 : 0,
  );
};

const tailCallPath = (effects: readonly Effect[]): string => {
  const names = effects.flatMap((effect) => (effect.kind === "tail_call" ? [effect.prog] : []));
  return names.length === 0 ? "none" : names.join(" > ");
};

function effectGroup(a: Effect | undefined, b: Effect | undefined): string {
  if (a === undefined || b === undefined) return `${(a ?? b)?.kind} on ${a === undefined ? "B" : "A"} only`;
  return a.kind === b.kind ? a.kind : `${a.kind} -> ${b.kind}`;
}

const isSameEffect = (a: Effect, b: Effect): boolean =>
  a.kind === b.kind && JSON.stringify(toPlain(a)) === JSON.stringify(toPlain(b));
