import type { Effect } from "@tsbpf/plugin";
import type { TraceValue, TraceValueMap } from "@tsbpf/trace";

/** Levels that data of an effect may have; what lies deeper is kept as text. */
const LEVELS_MAX = 2;

/** Turns an effect into what a trace holds. */
export const encodeEffect = (effect: Effect): TraceValueMap =>
  Object.fromEntries(
    Object.entries(effect).map(([key, value]) => [key, toTraceValue(value, LEVELS_MAX)]),
  ) satisfies TraceValueMap;

/** Turns a value of a plugin's choice into plain data: what msgpack has no form for becomes text. */
function toTraceValue(value: unknown, levels: number): TraceValue {
  switch (typeof value) {
    case "boolean":
    case "string":
      return value;
    case "number":
      return value;
    case "bigint":
      return fitsU64(value) ? value : value.toString();
    case "object":
      break;
    default:
      return value === undefined ? null : String(value);
  }
  if (value === null) return null;
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (levels === 0) return printDeep(value);
  if (Array.isArray(value)) return value.map((item) => toTraceValue(item, levels - 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, toTraceValue(item, levels - 1)]),
  );
}

const fitsU64 = (value: bigint): boolean =>
  BigInt.asUintN(64, value) === value || BigInt.asIntN(64, value) === value;

function printDeep(value: object): string {
  try {
    return JSON.stringify(value, (_key, inner: unknown) =>
      typeof inner === "bigint" ? inner.toString() : inner,
    );
  } catch {
    return String(value);
  }
}

const text = (value: TraceValue | undefined): string => (typeof value === "string" ? value : "");
const count = (value: TraceValue | undefined): number => Number(value ?? 0);
const big = (value: TraceValue | undefined): bigint =>
  typeof value === "bigint"
    ? value
    : typeof value === "number" && Number.isInteger(value)
      ? BigInt(value)
      : 0n;
const bytes = (value: TraceValue | undefined): Uint8Array =>
  value instanceof Uint8Array ? value : new Uint8Array(0);

/** Turns what a trace holds back into an effect; a kind of a later version becomes a custom one. */
export function decodeEffect(map: TraceValueMap): Effect {
  switch (map.kind) {
    case "printk":
      return { kind: "printk", text: text(map.text), cpu: count(map.cpu) };
    case "redirect":
      return { kind: "redirect", target: decodeTarget(map.target), flags: big(map.flags) };
    case "perf_event":
      return { kind: "perf_event", map: text(map.map), cpu: count(map.cpu), data: bytes(map.data) };
    case "ringbuf":
      return {
        kind: "ringbuf",
        map: text(map.map),
        data: bytes(map.data),
        isDiscarded: map.isDiscarded === true,
      };
    case "tail_call":
      return { kind: "tail_call", map: text(map.map), index: count(map.index), prog: text(map.prog) };
    case "count":
      return { kind: "count", name: text(map.name), value: count(map.value) };
    default:
      return { kind: "custom", name: text(map.name ?? map.kind), data: map.data ?? null };
  }
}

function decodeTarget(
  target: TraceValue | undefined,
): { readonly ifindex: number } | { readonly map: string; readonly key: bigint } {
  const fields = (typeof target === "object" && target !== null ? target : {}) as TraceValueMap;
  return "ifindex" in fields
    ? { ifindex: count(fields.ifindex) }
    : { map: text(fields.map), key: big(fields.key) };
}
