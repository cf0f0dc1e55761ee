/** Edits between two words, swapped neighbours counting as one; cut off at 3. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, i) => i)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 3;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let edits = Math.min(at(i - 1, j) + 1, (row[j - 1] ?? 0) + 1, at(i - 1, j - 1) + cost);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwapped) edits = Math.min(edits, at(i - 2, j - 2) + 1);
      row.push(edits);
    }
  }
  return at(a.length, b.length);
}

/** Returns `, did you mean …?` for the nearest known word, or nothing. */
export function didYouMean(word: string, known: Iterable<string>): string {
  let best: string | undefined;
  // Of a short word, everything is near.
  let least = Math.min(3, Math.ceil(word.length / 2));
  for (const one of known) {
    const edits = distance(word, one);
    if (edits < least) {
      least = edits;
      best = one;
    }
  }
  return best === undefined ? "" : `, did you mean ${best}?`;
}
