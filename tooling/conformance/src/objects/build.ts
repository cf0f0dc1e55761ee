import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { cacheDir } from "../selftests/source.ts";

/** Release whose C selftests are built when nobody asks for another. */
const NEWEST_RELEASE = "6.12";
const tarballOf = (release: string): string => `/usr/src/linux-source-${release}.tar.xz`;
const TESTS = "tools/testing/selftests/bpf";
const WANTED = [
  `*/${TESTS}/progs/*`,
  `*/${TESTS}/*.h`,
  "*/tools/lib/bpf/*.h",
  "*/tools/include/*",
  "*/scripts/bpf_doc.py",
  "*/include/uapi/linux/bpf.h",
];
const COMPILERS = ["clang-22", "clang-20", "clang-19", "clang"];

const runs = (command: string): boolean =>
  spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;

/** Tools that building needs and this machine lacks; empty when it can be done. */
export function missingTools(release = NEWEST_RELEASE): readonly string[] {
  const tarball = tarballOf(release);
  const missing = existsSync(tarball) ? [] : [tarball];
  if (!COMPILERS.some(runs)) missing.push("clang");
  if (!runs("bpftool")) missing.push("bpftool");
  return missing;
}

/** Unpacks the sources and generates the two headers that the kernel's build would make. */
function prepare(root: string, release: string): void {
  mkdirSync(root, { recursive: true });
  const args = ["-xJf", tarballOf(release), "-C", root, "--strip-components=1", "--wildcards", ...WANTED];
  execFileSync("tar", args, { stdio: ["ignore", "ignore", "pipe"] });
  const include = join(root, "inc");
  cpSync(join(root, "tools/lib/bpf"), join(include, "bpf"), { recursive: true });
  const run = (command: string, args: readonly string[]): Buffer =>
    execFileSync(command, args, { maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "ignore"] });
  const helpers = ["scripts/bpf_doc.py", "--header", "--file", "include/uapi/linux/bpf.h"];
  writeFileSync(
    join(include, "bpf/bpf_helper_defs.h"),
    execFileSync("python3", helpers, { cwd: root, maxBuffer: 1 << 26, stdio: ["ignore", "pipe", "ignore"] }),
  );
  const types = ["btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c"];
  writeFileSync(join(include, "vmlinux.h"), run("bpftool", types));
}

function compile(root: string, compiler: string, source: string, object: string): void {
  const flags = [
    "-g",
    "-O2",
    "--target=bpf",
    "-mcpu=v4",
    "-std=gnu11",
    "-fno-strict-aliasing",
    "-Wno-everything",
  ];
  const defines = ["-D__TARGET_ARCH_x86", "-DENABLE_ATOMICS_TESTS"];
  const own = ["inc", TESTS, `${TESTS}/progs`, "tools/include/uapi", "tools/include"].map(
    (dir) => `-I${dir}`,
  );
  const host = ["-idirafter", "/usr/include/x86_64-linux-gnu", "-idirafter", "/usr/include"];
  spawnSync(compiler, [...flags, ...defines, ...own, ...host, "-c", source, "-o", object], {
    cwd: root,
    stdio: "ignore",
  });
}

/**
 * Builds the C selftests of the installed source package for the running kernel, once.
 *
 * @param prefix - only files whose name starts so, e.g. `verifier_`.
 * @param release - of Linux, e.g. `6.1`.
 * @returns paths of the objects that compile; sources that need other kernel types are left out.
 */
export function buildSelftestObjects(prefix: string, release = NEWEST_RELEASE): readonly string[] {
  const compiler = COMPILERS.find(runs) ?? "clang";
  const root = join(cacheDir(), `c-selftests-${release}`);
  if (!existsSync(root)) {
    const part = `${root}.${process.pid}`;
    try {
      prepare(part, release);
      if (!existsSync(root)) renameSync(part, root);
    } finally {
      rmSync(part, { recursive: true, force: true });
    }
  }
  const out = join(root, "objects");
  mkdirSync(out, { recursive: true });
  const sources = readdirSync(join(root, TESTS, "progs")).filter(
    (name) => name.endsWith(".c") && name.startsWith(prefix),
  );
  return sources.sort().flatMap((name) => {
    const object = join(out, `${basename(name, ".c")}.o`);
    if (!existsSync(object)) compile(root, compiler, join(TESTS, "progs", name), object);
    return existsSync(object) ? [object] : [];
  });
}
