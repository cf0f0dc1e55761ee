import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Finding } from "./rules.ts";

const LINK = /\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)/g;
/** Code spans that look like a path of this tree. */
const CODE_PATH = /`((?:packages|apps|tooling|samples|examples|docs)\/[A-Za-z0-9_./-]+)`/g;

/** Finds links and paths in documents that lead nowhere. */
export function checkDocs(root: string, paths: readonly string[]): Finding[] {
  return paths
    .filter((path) => path.endsWith(".md") && !path.startsWith(".changeset/"))
    .flatMap((path) => {
      const text = readFileSync(join(root, path), "utf8");
      const links = [...text.matchAll(LINK)]
        .flatMap((match) => match[1] ?? [])
        .filter((to) => !/^[a-z]+:/.test(to));
      const spans = [...text.matchAll(CODE_PATH)].flatMap((match) => match[1] ?? []);
      return [
        ...links.filter((to) => !existsSync(join(root, dirname(path), to))),
        ...spans.filter((to) => !existsSync(join(root, to))),
      ].map((to) => ({ rule: "doc-path", path, text: `names ${to}, which does not exist` }));
    });
}
