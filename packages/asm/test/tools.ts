import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Says whether a program starts here; tests that need it skip themselves otherwise. */
export const hasTool = (name: string): boolean =>
  spawnSync(name, ["--version"], { stdio: "ignore", timeout: 20_000 }).status === 0;

/** Runs a program and returns what it prints; fails with its errors. */
export function runTool(name: string, args: readonly string[], input?: string): string {
  const done = spawnSync(name, [...args], { encoding: "utf8", input, maxBuffer: 1 << 28, timeout: 60_000 });
  if (done.status !== 0) throw new Error(`${name} ${args.join(" ")}: ${done.stderr}${done.error ?? ""}`);
  return done.stdout;
}

/** Gives a directory to a function and removes it afterwards. */
export function withDirectory<Result>(use: (dir: string) => Result): Result {
  const dir = mkdtempSync(join(tmpdir(), "tsbpf-asm-"));
  try {
    return use(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Assembles a text with LLVM into an object file in a directory. */
export function assembleWithLlvm(dir: string, text: string): string {
  const object = join(dir, "prog.o");
  writeFileSync(join(dir, "prog.s"), text);
  runTool("llvm-mc-22", ["-arch=bpfel", "-mcpu=v4", "-filetype=obj", "-o", object, join(dir, "prog.s")]);
  return object;
}

/** Returns the bytes of a section of an object as hex. */
export function sectionHex(dir: string, object: string, section: string): string {
  const out = join(dir, "section.bin");
  runTool("llvm-objcopy-22", ["-O", "binary", `--only-section=${section}`, object, out]);
  return runTool("od", ["-An", "-v", "-tx1", out]).replace(/\s+/g, "");
}
