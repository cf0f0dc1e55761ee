import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ASM_ERROR_CODES, ASM_WARNING_CODES, assemble, printInsn, printListing } from "../src/index.ts";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

describe("README", () => {
  it("shows the example that is checked here", () => {
    const example = read("./readme-example.ts");
    expect(read("../README.md")).toContain(`\`\`\`ts\n${example}\`\`\``);
    const { insns, mapRefs } = assemble(/`([^`]*)`/.exec(example)?.[1] ?? "");
    expect(mapRefs).toEqual([{ slot: 1, name: "counts" }]);
    expect(printInsn(insns, 4, { syntax: "llvm" })).toBe("lock *(u64 *)(r1 + 0x0) += r0");
    expect(printListing(insns)).toMatch(/^ {3}0: \(b7\) r0 = 2\n {3}1: \(18\) r1 = map\[id:0\]\n/);
  });

  it("names every code", () => {
    for (const code of [...ASM_ERROR_CODES, ...ASM_WARNING_CODES])
      expect(read("../README.md")).toContain(code);
  });
});
