import { writeFileSync } from "node:fs";
import { printScan } from "./scan.ts";

// node --conditions=@tsbpf/source --import tsx apps/replay/gen/main.ts
writeFileSync(new URL("../src/scan/scan.gen.ts", import.meta.url), await printScan());
