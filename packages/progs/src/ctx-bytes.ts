import { refuse } from "./refuse.ts";

/** Says whether all bytes of a span are zero. */
export function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}

/**
 * Copies context bytes and fits them to the struct: shorter ones are extended with zeros, longer ones must end in zeros.
 *
 * @throws RUN_INPUT (InputError) with -E2BIG when they do not (T-4).
 */
export function fitCtx(given: Uint8Array, sizeBytes: number): Uint8Array {
  if (!isZero(given, sizeBytes, given.length)) {
    throw refuse(
      "E2BIG",
      `context of ${given.length} bytes found, only zeros may follow the first ${sizeBytes}`,
    );
  }
  const fitted = new Uint8Array(sizeBytes);
  fitted.set(given.subarray(0, sizeBytes));
  return fitted;
}
