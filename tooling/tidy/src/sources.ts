import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

export interface SourceFile {
  /** Path from the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly lineCount: number;
  /** Specifiers of imports and re-exports, as written. */
  readonly imports: readonly ImportLine[];
}

export interface ImportLine {
  readonly specifier: string;
  /** Whether it vanishes when compiled. */
  readonly isTypeOnly: boolean;
}

const IMPORT = /^\s*(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?["']([^"']+)["']/gm;
const DYNAMIC = /\bimport\(\s*["']([^"']+)["']\s*\)/g;

function importsOf(text: string): ImportLine[] {
  const found: ImportLine[] = [];
  for (const match of text.matchAll(IMPORT)) {
    if (match[2] !== undefined) found.push({ specifier: match[2], isTypeOnly: match[1] !== undefined });
  }
  // A lazy import cannot make a load-time cycle.
  for (const match of text.matchAll(DYNAMIC))
    if (match[1] !== undefined) found.push({ specifier: match[1], isTypeOnly: true });
  return found;
}

/** Lists what git would commit: tracked files and new ones that are not ignored. */
export function listFiles(root: string): string[] {
  const out = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  return out.split("\0").filter((path) => path !== "");
}

/** Reads the TypeScript and JavaScript sources among `paths`. */
export function readSources(root: string, paths: readonly string[]): SourceFile[] {
  return paths
    .filter((path) => /\.(ts|tsx|mjs|js)$/.test(path))
    .flatMap((path) => {
      try {
        const text = readFileSync(join(root, path), "utf8");
        return [{ path, text, lineCount: text.split("\n").length - 1, imports: importsOf(text) }];
      } catch {
        return [];
      }
    });
}

/** Returns the path that a relative import names, or undefined for a package. */
export function resolveRelative(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return normalize(join(dirname(from), specifier)).replaceAll("\\", "/");
}
