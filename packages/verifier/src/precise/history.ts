import type { Env } from "../env.ts";
import type { HistoryEntry, LinkedPlace } from "../state/state.ts";

/** What a history entry notes of its instruction. */
export interface HistoryNote {
  readonly frameno?: number;
  readonly spi?: number;
  readonly linked?: readonly LinkedPlace[];
  readonly isDstStack?: boolean;
  readonly isSrcStack?: boolean;
}

/** Notes something of the current instruction in the path's history, in the entry it may already have. */
export function pushHistory(env: Env, note: HistoryNote): void {
  const known = env.historyEntry;
  if (known !== null) {
    if (note.spi !== undefined) {
      known.frameno = note.frameno ?? 0;
      known.spi = note.spi;
    }
    if (note.isDstStack === true) known.isDstStack = true;
    if (note.isSrcStack === true) known.isSrcStack = true;
    known.linked = note.linked ?? null;
    return;
  }
  const before = env.cur.history;
  const entry: HistoryEntry = {
    idx: env.insnIdx,
    prevIdx: env.prevIdx,
    before,
    count: before === null ? 1 : before.count + 1,
    frameno: note.frameno ?? 0,
    spi: note.spi ?? -1,
    linked: note.linked ?? null,
    isDstStack: note.isDstStack ?? false,
    isSrcStack: note.isSrcStack ?? false,
  };
  env.cur.history = entry;
  env.historyEntry = entry;
}
