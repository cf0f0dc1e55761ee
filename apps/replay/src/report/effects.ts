import { printHexBytes } from "@tsbpf/base";
import type { Effect } from "@tsbpf/plugin";

const DATA_BYTES_SHOWN = 32;

const printData = (data: Uint8Array): string => {
  const shown = printHexBytes(data.subarray(0, DATA_BYTES_SHOWN));
  return `${data.length} bytes ${shown}${data.length > DATA_BYTES_SHOWN ? "…" : ""}`;
};

/** Prints one effect as a line for people. */
export function printEffectLine(effect: Effect): string {
  switch (effect.kind) {
    case "printk":
      return `printk: ${effect.text}`;
    case "redirect":
      return "ifindex" in effect.target
        ? `redirect to ifindex ${effect.target.ifindex}, flags ${effect.flags}`
        : `redirect to map ${effect.target.map}, key ${effect.target.key}, flags ${effect.flags}`;
    case "perf_event":
      return `perf event to map ${effect.map}, cpu ${effect.cpu}: ${printData(effect.data)}`;
    case "ringbuf":
      return `ringbuf record to map ${effect.map}${effect.isDiscarded ? ", discarded" : ""}: ${printData(effect.data)}`;
    case "tail_call":
      return `tail call to ${effect.prog} (map ${effect.map}, index ${effect.index})`;
    case "count":
      return `count ${effect.name} +${effect.value}`;
    case "custom":
      return `${effect.name}: ${JSON.stringify(toPlain(effect.data))}`;
  }
}

/** Turns a value into plain JSON: bytes as hex, wide numbers as hex strings. */
export function toPlain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, inner: unknown) =>
      typeof inner === "bigint"
        ? `0x${inner.toString(16)}`
        : inner instanceof Uint8Array
          ? printHexBytes(inner)
          : inner,
    ) ?? "null",
  );
}
