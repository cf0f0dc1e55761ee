import { watchStandardOutput } from "./io.ts";

watchStandardOutput();

// The two machine interfaces must start fast: they load no command framework.
const words = process.argv.slice(2);
const isHelp = words.includes("--help") || words.includes("-h");
if (words[0] === "plugin" && !isHelp) {
  const { runPlugin } = await import("./verbs/plugin.ts");
  process.exitCode = await runPlugin(words.slice(1));
} else if (words[0] === "--version" || words[0] === "-V") {
  const { printVersion } = await import("./version.ts");
  process.stdout.write(`${printVersion()}\n`);
} else {
  const { runCli } = await import("./cli.ts");
  process.exitCode = await runCli(words);
}
