import { writeFileSync } from "node:fs";
import { printLoop, printOps } from "./loop.ts";

/** Writes the generated files: `node --conditions=@tsbpf/source --import tsx packages/interpreter/gen/main.ts`. */
const at = (name: string): URL => new URL(`../src/${name}`, import.meta.url);
writeFileSync(at("ops.gen.ts"), printOps());
writeFileSync(at("loop.gen.ts"), printLoop());
