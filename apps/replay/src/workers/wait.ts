/** What `Atomics.waitAsync` gives. @source ECMAScript 2024 §25.4.15 */
type Waiting = { readonly async: false } | { readonly async: true; readonly value: Promise<string> };

interface WaitAsync {
  waitAsync(words: Int32Array, idx: number, value: number): Waiting;
}

/** Resolves when a word of shared memory does not hold a value any more and somebody has said so. */
export async function whenChanged(words: Int32Array, idx: number, value: number): Promise<void> {
  const waiting = (Atomics as unknown as WaitAsync).waitAsync(words, idx, value);
  if (waiting.async) await waiting.value;
}
