import { InputError, S32_MAX, S32_MIN } from "@tsbpf/base";
import { checkRange, checkU32, checkU64, checkUpTo } from "../capture/checks.ts";
import { TRACE_LIMITS } from "../limits.ts";
import type { PacketNotes, TraceEvent } from "./types.ts";

/** Bytes of a run or event that leave room for a block's other parts below the size that readers take. */
export const PART_BYTES_MAX = TRACE_LIMITS.blockBytes / 4;

/** Checks the size of what goes into a block in one piece; throws TRACE_TOO_BIG (InputError). */
export function checkPart(name: string, size: number): void {
  if (size > PART_BYTES_MAX) throw tooBig(name, size, PART_BYTES_MAX);
}

/** Makes the error of something that no block can hold. */
export function tooBig(name: string, size: number, max: number): InputError {
  return new InputError(
    "TRACE_TOO_BIG",
    `${name} has ${size} bytes, a trace holds at most ${max} in one piece`,
    { details: { name, size, max } },
  );
}

/** Makes the error of a run whose events do not fit one block. */
export function tooManyEvents(run: number, valuesMax: number, bytesMax: number): InputError {
  return new InputError(
    "TRACE_TOO_MANY_EVENTS",
    `run ${run} has more events than one block holds, ${valuesMax} values or ${bytesMax} bytes`,
    { details: { run, valuesMax, bytesMax } },
  );
}

/** Checks an event's numbers; throws TRACE_FIELD_RANGE (InputError). */
export function checkEvent(event: TraceEvent): void {
  if (event.kind === "notes") checkNotes(event.notes);
  if (event.kind === "map") checkU64("flags", event.flags);
  if (event.kind === "effect") checkPlain("effect", event.effect, EFFECT_LEVELS);
  if (event.kind === "clock" || event.kind === "random") checkU64("value", event.value);
  if (event.kind === "call") {
    checkU64("result", event.result);
    for (const write of event.writes) {
      checkUpTo("arg", write.arg, ARGS_MAX);
      if (write.arg === 0) checkRange("offset", write.offset, S32_MIN, S32_MAX);
      else checkU32("offset", write.offset);
    }
    for (const value of event.asked ?? []) {
      if (typeof value === "bigint") checkU64("asked", value);
    }
    for (const change of event.changes ?? []) checkU64("flags", change.flags);
    for (const effect of event.effects ?? []) checkPlain("effect", effect, EFFECT_LEVELS - 1);
  }
}

/** Registers that hold arguments. */
const ARGS_MAX = 5;
/** Levels of lists and maps that an effect may have: a block allows 8, and has 3 around it. */
const EFFECT_LEVELS = 5;

/** Checks that a value is what msgpack holds plainly; throws TRACE_FIELD_RANGE (InputError). */
function checkPlain(name: string, value: unknown, levels: number): void {
  if (value === null || value instanceof Uint8Array) return;
  if (["boolean", "number", "string"].includes(typeof value)) return;
  if (typeof value === "bigint" && BigInt.asIntN(64, value) === value) return;
  if (typeof value === "bigint" && BigInt.asUintN(64, value) === value) return;
  if (typeof value !== "object" || levels === 0) {
    const found = typeof value === "object" ? "nested too deep" : `of type ${typeof value}`;
    throw new InputError(
      "TRACE_FIELD_RANGE",
      `a value of ${name} is ${found}, plain data of at most ${EFFECT_LEVELS} levels and 64 bits allowed`,
      { details: { name } },
    );
  }
  for (const item of Object.values(value)) checkPlain(name, item, levels - 1);
}

function checkNotes(notes: PacketNotes): void {
  checkU32("flags", notes.flags ?? 0);
  checkU64("dropCount", notes.dropCount ?? 0n);
  checkU64("packetId", notes.packetId ?? 0n);
  checkU64("tsTicks", notes.tsTicks ?? 0n);
  for (const verdict of notes.verdicts ?? []) {
    if ("value" in verdict) checkU64("verdict", verdict.value);
    if (verdict.kind === "other") checkUpTo("verdict type", verdict.type, 0xff);
  }
  for (const option of notes.otherOptions ?? []) checkUpTo("option code", option.code, 0xffff);
}

/** Checks an index of something that must be defined; throws TRACE_UNDEFINED (InputError). */
export function checkIdx(name: string, idx: number, end: number): number {
  if (Number.isInteger(idx) && idx >= 0 && idx < end) return idx;
  throw unknownIdx(name, idx, end);
}

/** Makes the error of an index that nothing was defined for. */
export function unknownIdx(name: string, idx: number, end: number): InputError {
  return new InputError("TRACE_UNDEFINED", `${name} is ${idx}, ${end} are defined so far`, {
    details: { name, idx, end },
  });
}

/** Checks the bytes of map contents; throws TRACE_CONTENTS_LENGTH (InputError). */
export function checkLength(name: string, bytes: Uint8Array, size: number): void {
  if (bytes.byteLength === size) return;
  throw new InputError("TRACE_CONTENTS_LENGTH", `${name} have ${bytes.byteLength} bytes, ${size} expected`, {
    details: { name, found: bytes.byteLength, expected: size },
  });
}

/** Makes the error of an event that has no run to belong to. */
export function noRunForEvent(kind: string): InputError {
  return new InputError(
    "TRACE_NO_RUN",
    `a ${kind} event of phase "during" needs a run before it in the same block: write the run first, and its events before flush`,
  );
}
