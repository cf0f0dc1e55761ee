import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { checkDocs } from "./docs.ts";
import {
  checkCycles,
  checkDeadFiles,
  checkForms,
  checkImportTable,
  checkRelativeEscapes,
  checkSizes,
  type Finding,
} from "./rules.ts";
import { listFiles, readSources } from "./sources.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const ROOT_ALLOWED =
  /^(\.changeset|\.ci|\.editorconfig|\.gitignore|\.node-version|ARCHITECTURE\.md|CONTRIBUTING\.md|LICENSE|README\.md|apps|biome\.json|docs|examples|package\.json|packages|pnpm-lock\.yaml|pnpm-workspace\.yaml|samples|tooling|tsconfig\.json|turbo\.json|vitest\.config\.ts)$/;

const ratchetUrl = new URL("../ratchet.json", import.meta.url);
const ratchet: Record<string, number> = existsSync(ratchetUrl)
  ? JSON.parse(readFileSync(ratchetUrl, "utf8"))
  : {};

const paths = listFiles(root).filter((path) => existsSync(`${root}${path}`));
const files = readSources(root, paths);

const findings: Finding[] = [
  ...checkImportTable(files),
  ...checkRelativeEscapes(files),
  ...checkCycles(files),
  ...checkSizes(files, ratchet),
  ...checkDeadFiles(files),
  ...checkForms(files),
  ...checkDocs(root, paths),
  ...[...new Set(paths.map((path) => path.split("/")[0] ?? ""))]
    .filter((name) => !ROOT_ALLOWED.test(name))
    .map((name) => ({ rule: "root-clutter", path: name, text: "does not belong at the top level" })),
  ...paths
    .filter((path) => /\.c\.orig$|\.rej$|\.tmp$/.test(path))
    .map((path) => ({ rule: "left-over", path, text: "is a left-over" })),
];

for (const { rule, path, text } of findings) process.stderr.write(`${path}: ${rule}: ${text}\n`);
process.stdout.write(`tidy: ${files.length} files, ${findings.length} findings\n`);
process.exitCode = findings.length === 0 ? 0 : 1;
