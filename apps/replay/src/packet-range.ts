import { InputError } from "@tsbpf/base";
import type { PacketRange } from "./options.ts";

const PART = /^(\d+)(?:(-)(\d*))?$/;

/**
 * Parses packet numbers from 1: `3,10-20,100-`.
 *
 * @throws OPTION_RANGE (InputError) naming the part that is none.
 */
export function parsePacketRange(text: string): PacketRange {
  const spans = text.split(",").map((part) => {
    const match = PART.exec(part.trim());
    const first = Number(match?.[1]);
    const last =
      match?.[2] === undefined ? first : match[3] === "" ? Number.POSITIVE_INFINITY : Number(match?.[3]);
    if (match === null || first < 1 || last < first) {
      throw new InputError(
        "OPTION_RANGE",
        `packet range ${JSON.stringify(part)} found, numbers from 1 like 3,10-20,100- needed`,
      );
    }
    return [first, last] as const;
  });
  return {
    has: (number) => spans.some(([first, last]) => number >= first && number <= last),
    last: Math.max(...spans.map(([, last]) => last)),
  };
}
