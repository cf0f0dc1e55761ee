import { writeFileSync } from "node:fs";
import { printRuns } from "./runs.ts";
import { printScan } from "./scan.ts";

// node --conditions=@tsbpf/source --import tsx apps/replay/gen/main.ts
writeFileSync(new URL("../src/scan/scan.gen.ts", import.meta.url), await printScan());
writeFileSync(new URL("../src/run/runs.gen.ts", import.meta.url), await printRuns());
