import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { VERBS } from "../src/index.ts";
import { root } from "./support.ts";
import { hasTmux, Terminal } from "./terminal-driver.ts";
import { TERMINAL_STEPS } from "./terminal-steps.ts";

const PLUGIN = `import { arg, defineHelper, ret } from ${JSON.stringify(`${root}packages/plugin/src/index.ts`)};
export const tenfold = defineHelper({
  id: 0x1_0100,
  name: "tenfold",
  summary: "Ten times a number.",
  args: [arg.u64("x")],
  returns: ret.u64(),
  call: ({ x }) => x * 10n,
});
`;

const REPL = "node --conditions=@tsbpf/source --import tsx apps/cli/src/main.ts repl --color always";

describe("forty steps", () => {
  it("are forty, and use every verb", () => {
    expect(TERMINAL_STEPS).toHaveLength(40);
    const texts = TERMINAL_STEPS.map(({ run }) => String(run)).join("\n");
    const unused = VERBS.filter(
      ({ name, aliases = [], words = [] }) =>
        ![...[name, ...aliases].map((one) => `\\.${one}`), ...words].some((one) =>
          new RegExp(`["\`]${one}(?![\\w-])`).test(texts),
        ),
    );
    expect(unused.map(({ name }) => name)).toEqual([]);
  });
});

describe.skipIf(!hasTmux)("somebody at a terminal", () => {
  it("does everything in forty steps, and never sees a JavaScript stack", async () => {
    const directory = mkdtempSync(join(tmpdir(), "tsbpf-terminal-"));
    const at = (name: string): string => join(directory, name);
    const files = {
      plugin: at("plugin.ts"),
      script: at("script.txt"),
      saved: at("saved.txt"),
      exported: at("typed.s"),
    };
    writeFileSync(files.plugin, PLUGIN);
    writeFileSync(files.script, "r5 = 55\n");
    writeFileSync(at("editor.sh"), '#!/bin/sh\necho "r0 = 4242" > "$1"\n', { mode: 0o700 });
    const history = at("history");
    const terminal = new Terminal(directory);
    try {
      terminal.start(`${REPL}; echo LEFT $?; ${REPL} -x ${files.saved}; echo GONE $?; sleep 600`, {
        TSBPF_HISTORY: history,
        EDITOR: at("editor.sh"),
        VISUAL: "",
        SHELL: "/bin/sh",
      });
      await terminal.until(/tsbpf>$/);
      for (const [idx, { title, run }] of TERMINAL_STEPS.entries()) {
        try {
          await run(terminal, files);
        } catch (error) {
          throw new Error(`step ${idx + 1}, ${title}: ${(error as Error).message}`);
        }
      }
      expect(existsSync(history)).toBe(true);
      expect(statSync(history).mode & 0o777).toBe(0o600);
      expect(readFileSync(files.saved, "utf8")).toContain(".load samples/tailcalls/tailcalls.bpf.o:dispatch");
    } finally {
      terminal.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  }, 600_000);
});
