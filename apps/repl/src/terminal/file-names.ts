import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const NAMES_MAX = 200;

/** Lists files whose path starts as typed; directories end with a slash. */
export function completeFile(part: string): string[] {
  const slash = part.lastIndexOf("/");
  const directory = part.slice(0, slash + 1);
  const start = part.slice(slash + 1);
  const from = directory.startsWith("~/") ? join(homedir(), directory.slice(2)) : directory || ".";
  try {
    return readdirSync(from, { withFileTypes: true })
      .filter(({ name }) => name.startsWith(start) && (start.startsWith(".") || !name.startsWith(".")))
      .slice(0, NAMES_MAX)
      .map((entry) => `${directory}${entry.name}${entry.isDirectory() ? "/" : ""}`);
  } catch {
    return [];
  }
}
