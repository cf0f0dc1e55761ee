import type { LinkedProg } from "@tsbpf/runtime";

type LiveMap = LinkedProg["maps"][number];

/** What is known of a register. */
export type Value =
  /** An address in the function's own stack: bytes from the lowest one of its own frame. */
  | { readonly kind: "frame"; readonly level: number; readonly off: number }
  /** An address in the context. */
  | { readonly kind: "ctx"; readonly off: number }
  /** An address in a value of a map; null as well until that was tested. */
  | { readonly kind: "value"; readonly map: LiveMap; readonly off: number; readonly isNullable: boolean }
  /** The packet's end as the context says it, plus a constant. */
  | { readonly kind: "end"; readonly off: number }
  /** A number from 0 to `max`. */
  | { readonly kind: "small"; readonly off: 0; readonly max: number }
  /** The same unknown number plus a constant. */
  | {
      readonly kind: "sym";
      /** Where the number came from. */
      readonly id: number;
      readonly off: number;
      /** Whether it was made of the packet's address. */
      readonly isPacket: boolean;
      /** Whether the number is the packet's start plus something that is not negative. */
      readonly isAbove: boolean;
      /** The largest that the number can be; infinite when that is not known. */
      readonly max: number;
    };

/** What is known of a number of which nothing is known. */
export const UNKNOWN = { isAbove: false, max: Number.POSITIVE_INFINITY } as const;

/** Spans of bytes after an unknown number that accesses have shown to be in one region: lo, hi, rights, … */
export type Spans = readonly number[];

/** Numbers of one span in {@link Spans}. */
const SPAN_NUMBERS = 3;
const SPANS_MAX = 4;

/** What holds before or after an instruction. */
export interface Facts {
  readonly regs: (Value | undefined)[];
  readonly spans: Map<number, Spans>;
}

export const copyFacts = ({ regs, spans }: Facts): Facts => ({ regs: regs.slice(), spans: new Map(spans) });

export function isSameValue(a: Value | undefined, b: Value | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.kind !== b.kind || a.off !== b.off) return false;
  switch (a.kind) {
    case "frame":
      return b.kind === "frame" && a.level === b.level;
    case "ctx":
    case "end":
      return true;
    case "small":
      return b.kind === "small" && a.max === b.max;
    case "value":
      return b.kind === "value" && a.map === b.map && a.isNullable === b.isNullable;
    case "sym":
      return b.kind === "sym" && a.id === b.id && a.isAbove === b.isAbove && a.max === b.max;
  }
}

/** Adds a constant to an address; undefined when it grows beyond what offsets hold. */
export function moveValue(value: Value | undefined, by: number): Value | undefined {
  if (value === undefined) return undefined;
  if (value.kind === "small") return by < 0 ? undefined : { ...value, max: value.max + by };
  const off = value.off + by;
  return Math.abs(off) > OFFSET_MAX ? undefined : { ...value, off };
}

const OFFSET_MAX = 1 << 20;

/** Says whether one of the spans holds an access. */
export function holds(spans: Spans | undefined, lo: number, hi: number, perm: number): boolean {
  if (spans === undefined) return false;
  for (let i = 0; i < spans.length; i += SPAN_NUMBERS) {
    const isInside = (spans[i] as number) <= lo && hi <= (spans[i + 1] as number);
    if (isInside && ((spans[i + 2] as number) & perm) === perm) return true;
  }
  return false;
}

/**
 * Adds a span that an access has shown. Spans that share a byte lie in the same piece of memory, so they join, keeping
 * the rights that both have; spans that only touch may belong to two elements of a map.
 */
export function addSpan(spans: Spans | undefined, lo: number, hi: number, perm: number): Spans {
  const next: number[] = [];
  let from = lo;
  let to = hi;
  for (let i = 0; spans !== undefined && i < spans.length; i += SPAN_NUMBERS) {
    const [a, b, rights] = [spans[i] as number, spans[i + 1] as number, spans[i + 2] as number];
    if (rights === perm && a < to && from < b) {
      from = Math.min(from, a);
      to = Math.max(to, b);
    } else next.push(a, b, rights);
  }
  next.push(from, to, perm);
  return next.length > SPANS_MAX * SPAN_NUMBERS ? next.slice(SPAN_NUMBERS) : next;
}

/** Keeps of the spans those that other ones hold as well. */
export function meetSpans(spans: Spans, others: Spans | undefined): Spans {
  const next: number[] = [];
  for (let i = 0; i < spans.length; i += SPAN_NUMBERS) {
    const [lo, hi, perm] = [spans[i] as number, spans[i + 1] as number, spans[i + 2] as number];
    if (holds(others, lo, hi, perm)) next.push(lo, hi, perm);
  }
  return next;
}
