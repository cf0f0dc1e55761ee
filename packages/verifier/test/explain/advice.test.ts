import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { adviceFor } from "../../src/explain/advice.ts";

const SRC = new URL("../../src/", import.meta.url).pathname;

/** Every code that the sources name, outside of the explanations themselves. */
function codesOf(dir: string): readonly string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return entry.name === "explain" ? [] : codesOf(path);
    const found = readFileSync(path, "utf8").matchAll(/"((?:ISA|CFG|REG|MEM|CALL|REF|LIMIT)_[A-Z0-9_]+)"/g);
    return [...found].map((match) => match[1] ?? "");
  });
}

const CODES = [...new Set(codesOf(SRC))].sort();

describe("advice", () => {
  it("finds the codes of all checks", () => {
    expect(CODES.length).toBeGreaterThan(100);
  });

  it.each(CODES)("knows what %s misses and what to do", (code) => {
    const advice = adviceFor(code, "R1 some text");
    expect(advice).toBeDefined();
    for (const text of [advice?.reason ?? "", advice?.suggestion ?? ""]) {
      expect(text).toMatch(/^[^\n]{5,150}$/);
      expect(text).not.toMatch(/\$\d|\.$/);
    }
  });

  it("fills in what the message names", () => {
    expect(
      adviceFor("CALL_HELPER_PROG", "program of this type cannot use helper bpf_redirect#23")?.reason,
    ).toBe("programs of this type may not call bpf_redirect");
    expect(
      adviceFor(
        "REG_RETURN_RANGE",
        "At program exit the register R0 has smin=5 smax=5 should have been in [0, 1]",
      )?.reason,
    ).toBe("the result may lie outside of [0, 1]");
  });
});
