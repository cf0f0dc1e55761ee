import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Linux releases whose source packages are looked for, newest first. */
const RELEASES = ["6.12", "6.1"] as const;
const TEST_DIR = "tools/testing/selftests/bpf";
const HEADERS = [
  "include/uapi/linux/bpf_common.h",
  "include/uapi/linux/bpf.h",
  "include/uapi/linux/bpf_perf_event.h",
  "include/uapi/linux/btf.h",
  "include/uapi/linux/if_ether.h",
  "tools/include/linux/filter.h",
  `${TEST_DIR}/test_btf.h`,
  `${TEST_DIR}/test_verifier.c`,
];

/** The verifier's instruction-level tests of one Linux release, unpacked. */
export interface SelftestSource {
  readonly release: string;
  /** Headers and the harness, in the order they build on each other. */
  readonly headers: readonly string[];
  /** Path of each test file by its name, e.g. `calls.c`. */
  readonly tests: ReadonlyMap<string, string>;
}

const tarballOf = (release: string): string => `/usr/src/linux-source-${release}.tar.xz`;

/** Folder of this user for files that can be made again. */
export function cacheDir(): string {
  const dir = join(tmpdir(), `tsbpf-conformance-${process.getuid?.() ?? 0}`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return dir;
}

/** Unpacks what is needed of a release once; later calls find it. */
function unpack(release: string): string {
  const target = join(cacheDir(), `linux-${release}`);
  if (existsSync(target)) return target;
  const part = `${target}.${process.pid}`;
  mkdirSync(part, { recursive: true });
  try {
    const wanted = [`*/${TEST_DIR}/verifier/*.c`, ...HEADERS.map((path) => `*/${path}`)];
    const args = ["-xJf", tarballOf(release), "-C", part, "--strip-components=1", "--wildcards", ...wanted];
    execFileSync("tar", args, { stdio: ["ignore", "ignore", "pipe"] });
    if (!existsSync(target)) renameSync(part, target);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return target;
}

/** Finds the releases whose source package is installed, newest first; empty when none is. */
export const installedReleases = (): readonly string[] =>
  RELEASES.filter((one) => existsSync(tarballOf(one)));

/** Reads where the tests of a release are, unpacking them first when that was not done yet. */
export function openRelease(release: string): SelftestSource {
  const root = unpack(release);
  const dir = join(root, TEST_DIR, "verifier");
  const names = readdirSync(dir)
    .filter((name) => name.endsWith(".c"))
    .sort();
  return {
    release,
    headers: HEADERS.map((path) => join(root, path)).filter((path) => existsSync(path)),
    tests: new Map(names.map((name) => [name, join(dir, name)])),
  };
}

export const readText = (path: string): string => readFileSync(path, "utf8");
