import { printHex, printHexBytes } from "@tsbpf/base";
import type { MapChangeEntry, TraceDefinitions, TraceEvent, TraceHelper } from "@tsbpf/trace";
import { printEffectLine, toPlain } from "../report/effects.ts";
import { printQuestion } from "./asked.ts";
import { decodeEffect } from "./effects.ts";
import { fromTraceHelper } from "./proto.ts";

const BYTES_SHOWN = 32;

const printShort = (bytes: Uint8Array): string =>
  bytes.length <= BYTES_SHOWN
    ? printHexBytes(bytes)
    : `${printHexBytes(bytes.subarray(0, BYTES_SHOWN))}… (${bytes.length} bytes)`;

function printChange(
  { mapIdx, change, key, value, flags }: MapChangeEntry,
  maps: TraceDefinitions["maps"],
): string {
  const name = maps[mapIdx]?.name ?? `map ${mapIdx}`;
  return [
    `${name}: ${change}`,
    ...(key === undefined ? [] : [printShort(key)]),
    ...(value === undefined ? [] : [`= ${printShort(value)}`]),
    ...(flags === 0n ? [] : [`flags ${printHex(flags)}`]),
  ].join(" ");
}

/** Prints an event as lines for people. */
export function printEvent(
  event: TraceEvent,
  { maps, helpers }: Pick<TraceDefinitions, "maps" | "helpers">,
): string[] {
  const when = event.phase === "before" ? "before: " : "";
  switch (event.kind) {
    case "map":
      return [`${when}host changes ${printChange(event, maps)}`];
    case "clock":
      return [`clock ${event.clock} = ${event.value}`];
    case "random":
      return [`random = ${printHex(event.value)}`];
    case "call":
      return printCall(event, maps, helpers);
    case "output":
      return [`output ${event.channel}: ${printShort(event.bytes)}`];
    case "effect": {
      const { kind, code, message } = event.effect;
      if (kind === "trap" || kind === "refused") return [`${kind}: ${String(message)} [${String(code)}]`];
      return [printEffectLine(decodeEffect(event.effect))];
    }
    case "notes":
      return [`${when}notes ${JSON.stringify(toPlain(event.notes))}`];
  }
}

function printCall(
  event: Extract<TraceEvent, { kind: "call" }>,
  maps: TraceDefinitions["maps"],
  helpers: readonly TraceHelper[],
): string[] {
  const asked =
    event.asked === undefined
      ? ""
      : printQuestion(argsOf(event.name, helpers, event.asked.length), event.asked);
  const lines = [`call ${event.name}(${asked}) = ${printHex(event.result)}`];
  for (const { arg, offset, bytes } of event.writes) {
    lines.push(
      arg === 0
        ? `  left the packet: ${printShort(bytes)}`
        : `  wrote r${arg}${offset === 0 ? "" : `+${offset}`}: ${printShort(bytes)}`,
    );
  }
  for (const change of event.changes ?? []) lines.push(`  changed ${printChange(change, maps)}`);
  for (const effect of event.effects ?? []) lines.push(`  ${printEffectLine(decodeEffect(effect))}`);
  if (event.error !== undefined) lines.push(`  ended the run: ${event.error.message} [${event.error.code}]`);
  return lines;
}

/** Names of a helper's arguments; r1 and on where no definition says. */
function argsOf(name: string, helpers: readonly TraceHelper[], count: number) {
  const known = helpers.find((one) => one.name === name);
  if (known !== undefined) {
    try {
      return fromTraceHelper(known);
    } catch {
      // A definition that cannot be used is shown all the same.
    }
  }
  return { args: Array.from({ length: count }, (_, idx) => ({ name: `r${idx + 1}` })) };
}
