/** Edits between two words, cut off at 3. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + cost));
    }
    row = next;
  }
  return row[b.length] ?? 3;
}

/** Returns `, did you mean …?` for the nearest known word, or nothing. */
export function didYouMean(word: string, known: Iterable<string>): string {
  let best: string | undefined;
  let least = 3;
  for (const one of known) {
    const edits = distance(word, one);
    if (edits < least) {
      least = edits;
      best = one;
    }
  }
  return best === undefined ? "" : `, did you mean ${best}?`;
}
