import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { renderIsaPage } from "../../../tooling/scripts/isa-page.ts";
import { INSN_ROWS } from "../src/index.ts";

const PAGE = new URL("../../../docs/isa.md", import.meta.url);

describe("docs/isa.md", () => {
  it("is what the rows give; tooling/scripts/gen-docs.ts writes it anew", () => {
    expect(readFileSync(PAGE, "utf8")).toBe(renderIsaPage());
  });

  it("has every row exactly once", () => {
    const lines = renderIsaPage().split("\n");
    for (const row of INSN_ROWS) {
      expect([row.id, lines.filter((line) => line.startsWith(`| \`${row.id}\` |`)).length]).toEqual([
        row.id,
        1,
      ]);
    }
  });
});
