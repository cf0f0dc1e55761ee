import { isMap } from "./msgpack.ts";
import type { TraceValue, TraceValueMap } from "./types.ts";

/**
 * Copies what was decoded, so that nothing of it aliases a block.
 *
 * @returns undefined when it is no map.
 */
export const toPlainMap = (value: unknown): TraceValueMap | undefined =>
  isMap(value)
    ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPlain(item)]))
    : undefined;

/** The walk before decoding has seen to it that there is nothing but plain data, a few levels deep. */
function toPlain(value: unknown): TraceValue {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(toPlain);
  return toPlainMap(value) ?? (value as TraceValue);
}
