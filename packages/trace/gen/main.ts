import { writeFileSync } from "node:fs";
import { printCrc32c } from "./crc32c.ts";

// node --conditions=@tsbpf/source --import tsx packages/trace/gen/main.ts
writeFileSync(new URL("../src/msgtrace/crc32c.gen.ts", import.meta.url), await printCrc32c());
