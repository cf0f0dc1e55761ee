import { chmodSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/**
 * Returns where the history is kept: `TSBPF_HISTORY`, else under `XDG_STATE_HOME`; undefined when it is not kept.
 */
export function historyPath(env: NodeJS.ProcessEnv): string | undefined {
  const given = env.TSBPF_HISTORY;
  if (given !== undefined) return given === "" ? undefined : given;
  const state = env.XDG_STATE_HOME;
  return join(
    state === undefined || state === "" ? join(homedir(), ".local", "state") : state,
    "tsbpf",
    "history",
  );
}

/** Makes the directory; says whether the history can be kept there. */
export function prepareHistory(path: string): boolean {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return true;
  } catch {
    return false;
  }
}

/** Lets nobody else read it. */
export function protectHistory(path: string): void {
  try {
    chmodSync(path, 0o600);
  } catch {
    // There is no history yet, or it belongs to somebody else; either way nothing was made readable here.
  }
}
