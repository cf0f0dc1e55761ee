// Writes the pages of docs/ that are printed from the code.
// Run: node --conditions=@tsbpf/source --import tsx tooling/scripts/gen-docs.ts [--check]
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { renderIsaPage } from "./isa-page.ts";

const PAGES = [{ path: "docs/isa.md", render: renderIsaPage }] as const;

const root = new URL("../../", import.meta.url);
const isCheck = process.argv.includes("--check");
mkdirSync(new URL("docs/", root), { recursive: true });
for (const { path, render } of PAGES) {
  const url = new URL(path, root);
  const text = render();
  if (existsSync(url) && readFileSync(url, "utf8") === text) continue;
  if (isCheck) {
    process.stderr.write(`${path} is not what the code gives; run tooling/scripts/gen-docs.ts\n`);
    process.exitCode = 1;
  } else {
    writeFileSync(url, text);
    process.stdout.write(`${path}\n`);
  }
}
