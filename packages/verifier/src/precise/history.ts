import type { Env } from "../env.ts";
import type { HistoryEntry } from "../state/state.ts";

/** Puts the current instruction into the path's history, once; returns its entry, without linked places. */
export function pushHistory(env: Env): HistoryEntry {
  const known = env.historyEntry;
  if (known !== null) {
    known.linked = null;
    return known;
  }
  const before = env.cur.history;
  const entry: HistoryEntry = {
    idx: env.insnIdx,
    prevIdx: env.prevIdx,
    before,
    count: before === null ? 1 : before.count + 1,
    frameno: 0,
    spi: -1,
    linked: null,
    isDstStack: false,
    isSrcStack: false,
  };
  env.cur.history = entry;
  env.historyEntry = entry;
  return entry;
}

/** Notes in the path's history which stack slot the current instruction accesses. */
export function noteStackAccess(env: Env, frameno: number, spi: number): void {
  const entry = pushHistory(env);
  entry.frameno = frameno;
  entry.spi = spi;
}
