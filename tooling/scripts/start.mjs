// `npm start [-- VERB ...]`: installs, builds, then runs the CLI; without words it runs the main job on bundled input.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import "./bootstrap.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const build = spawnSync("npx", ["turbo", "run", "bundle", "--output-logs=errors-only"], {
  cwd: root,
  stdio: ["ignore", "pipe", 2],
  encoding: "utf8",
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" },
  shell: process.platform === "win32",
});
if (build.status !== 0) {
  process.stderr.write(build.stdout ?? "");
  process.exit(build.status ?? 1);
}

const words = process.argv.slice(2);
const demo = ["replay", "samples/parser/parser.bpf.o", "samples/captures/lab.pcap"];
if (words.length === 0) process.stderr.write(`$ tsbpf ${demo.join(" ")}\n`);
// Plugins of this tree import packages whose sources need no build under this condition.
const run = spawnSync(
  process.execPath,
  ["--conditions=@tsbpf/source", `${root}apps/cli/dist/main.js`, ...(words.length === 0 ? demo : words)],
  {
    cwd: words.length === 0 ? root : process.cwd(),
    stdio: "inherit",
  },
);
process.exitCode = run.status ?? 1;
