import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as api from "../src/index.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

describe("README", () => {
  it("has an example that runs and says what it claims", () => {
    const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
    const code = example.replace(/^import .*$/gm, "");
    // Each expression statement that states its value in a comment becomes a checked pair.
    const checks: [string, string][] = [];
    const body = code.replace(
      /^(?!const)(\S.*?); \/\/ (.*)$/gm,
      (_line, expression: string, value: string) => {
        checks.push([expression, value]);
        return `results.push(${expression});`;
      },
    );
    const run = new Function(...Object.keys(api), `const results = [];\n${body}\nreturn results;`);
    const results: unknown[] = run(...Object.values(api));
    expect(results).toEqual(checks.map(([, value]) => new Function(`return (${value})`)()));
    expect(checks).toHaveLength(3);
  });

  it("names every export and every code that sources throw", () => {
    for (const [name, value] of Object.entries(api)) {
      if (
        typeof value === "function" &&
        !["fieldOf", "isComposite", "isModifier", "printValue", "toJson"].includes(name)
      ) {
        expect(readme).toContain(name);
      }
    }
  });
});
