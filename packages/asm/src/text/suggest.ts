/** Names longer than this get no suggestion; it bounds the work for hostile input. */
const NAME_MAX = 64;
/** Candidates after these are not looked at. */
const CANDIDATES_MAX = 4096;

/** Counts edits (insert, delete, replace, swap neighbours) between two short names; `limit + 1` when more. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      }
      current.push(best);
    }
    before = previous;
    previous = current;
  }
  return previous[b.length] ?? limit + 1;
}

/**
 * Finds the candidate nearest to a misspelt name; undefined when none is near.
 *
 * Cost: bounded by the limits above, whatever the text.
 */
function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > NAME_MAX) return undefined;
  const lower = name.toLowerCase();
  let limit = name.length <= 3 ? 1 : name.length <= 7 ? 2 : 3;
  let best: string | undefined;
  let count = 0;
  for (const candidate of candidates) {
    if (++count > CANDIDATES_MAX) break;
    if (candidate.length > NAME_MAX) continue;
    if (candidate === `bpf_${name}`) return candidate;
    const distance = editDistance(lower, candidate.toLowerCase(), limit);
    if (distance > limit || (distance === limit && best !== undefined)) continue;
    best = candidate;
    limit = distance;
  }
  return best;
}

/** Words a suggestion, or nothing when no candidate is near. */
export function didYouMean(name: string, candidates: Iterable<string>): string | undefined {
  const nearest = nearestName(name, candidates);
  return nearest === undefined ? undefined : `did you mean ${nearest}?`;
}

/** Reads through several lists of candidates without copying them. */
export function* eachOf(...lists: readonly Iterable<string>[]): Generator<string> {
  for (const list of lists) yield* list;
}
