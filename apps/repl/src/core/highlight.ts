/** Kinds of what can be coloured. */
export type Paint = "register" | "number" | "helper" | "comment" | "verb" | "verdict" | "error" | "plain";

export interface Span {
  readonly paint: Paint;
  readonly text: string;
}

const PARTS =
  /((?:#|\/\/|;(?= )).*$)|(\b[rRwW](?:10|\d)\b|\bfp(?:-\d+)?\b)|((?<![\w.])-?(?:0x[0-9a-fA-F]+|\d+)\b)|(\b(?:bpf_\w+)\b|(?<=\bcall )[A-Za-z_]\w*)|(^\s*\.[\w-]+)|(\b(?:XDP|TC_ACT)_\w+\b)|(^(?:error|trap):)/gm;

const PAINTS: readonly Paint[] = ["comment", "register", "number", "helper", "verb", "verdict", "error"];

/** Cuts a line into spans to be coloured; joined, their texts are the line. */
export function highlight(line: string): Span[] {
  const spans: Span[] = [];
  let at = 0;
  for (const found of line.matchAll(PARTS)) {
    const from = found.index ?? 0;
    if (from > at) spans.push({ paint: "plain", text: line.slice(at, from) });
    const kind = found.slice(1).findIndex((part) => part !== undefined);
    spans.push({ paint: PAINTS[kind] ?? "plain", text: found[0] });
    at = from + found[0].length;
  }
  if (at < line.length) spans.push({ paint: "plain", text: line.slice(at) });
  return spans;
}
