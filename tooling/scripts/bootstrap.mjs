// Installs the workspace with nothing but Node and npm; does nothing when the install is fresh.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";

const root = new URL("../../", import.meta.url);
const at = (path) => new URL(path, root);
const { packageManager } = JSON.parse(readFileSync(at("package.json"), "utf8"));
const stamp = at("node_modules/.modules.yaml");
const isFresh = existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(at("pnpm-lock.yaml")).mtimeMs;

if (!isFresh || process.argv.includes("--force")) {
  const install = spawnSync("npx", ["--yes", packageManager, "install", "--frozen-lockfile"], {
    cwd: root,
    // Standard output belongs to the program that runs after the install.
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (install.status !== 0) process.exit(install.status ?? 1);
}
