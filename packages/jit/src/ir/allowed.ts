import { MAP_FLAGS } from "@tsbpf/abi";
import { LIMITS } from "@tsbpf/base";
import { type Facts, holds, type Value } from "./value.ts";

/** Size of the context, and what may be done with all of it; see `Mode`. */
export interface ContextFacts {
  readonly ctxBytes: number;
  readonly ctxPerm: number;
}

/** Says whether the memory would allow an access to bytes from `lo` to `hi` after what an address stands for. */
export function isAllowed(
  facts: Facts,
  value: Value,
  { lo, hi, perm }: { readonly lo: number; readonly hi: number; readonly perm: number },
  { ctxBytes, ctxPerm }: ContextFacts,
): boolean {
  switch (value.kind) {
    case "frame":
      return lo >= 0 && hi <= LIMITS.stackBytes;
    case "ctx":
      return lo >= 0 && hi <= ctxBytes && (perm & ctxPerm) === perm;
    case "value": {
      const { flags, valueBytes, valueFields } = value.map.spec;
      // Values with special fields or one-way rights are left to the memory.
      const denied =
        (valueFields?.length ?? 0) > 0 ||
        (flags & MAP_FLAGS.readOnlyProg) !== 0 ||
        (flags & MAP_FLAGS.writeOnlyProg) !== 0;
      return !value.isNullable && !denied && lo >= 0 && hi <= valueBytes;
    }
    case "end":
    case "small":
      return false;
    case "sym":
      return holds(facts.spans.get(value.id), lo, hi, perm);
  }
}
