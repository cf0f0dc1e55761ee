import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { scratchFolder, tsbpf } from "./cli.ts";

const { at, file } = scratchFolder();

const HEAD = `
struct __sk_buff { unsigned len; };
#define SEC(name) __attribute__((section(name), used))
char _license[] SEC("license") = "GPL";
`;
const TARGET = `${HEAD}
__attribute__((noinline)) int hit(struct __sk_buff *skb, int n) { return skb->len + n; }
SEC("tc") int entry(struct __sk_buff *skb) { return hit(skb, 1); }
`;
const EXTENSION = `${HEAD}
SEC("freplace/hit") int instead(struct __sk_buff *skb, int n) { return skb->len - n; }
SEC("freplace") int unsaid(struct __sk_buff *skb) { return 0; }
`;

const CLANG = ["clang", "clang-22"].find((name) => spawnSync(name, ["--version"]).status === 0);

function compile(name: string, source: string): string {
  const out = at(`${name}.bpf.o`);
  const made = spawnSync(CLANG ?? "", [
    "-O2",
    "-g",
    "-target",
    "bpf",
    "-c",
    file(`${name}.c`, source),
    "-o",
    out,
  ]);
  expect(made.status, made.stderr.toString()).toBe(0);
  return out;
}

describe.skipIf(CLANG === undefined)("verify --target", () => {
  it("judges extensions by the function that they replace", { timeout: 30_000 }, () => {
    const [target, extension] = [compile("target", TARGET), compile("extension", EXTENSION)];
    const good = tsbpf(["verify", extension, "--prog", "instead", "--target", target]);
    expect([good.status, good.stdout]).toEqual([0, "instead (ext): accepted, 3 instructions verified\n"]);
    const other = tsbpf(["verify", extension, "--prog", "unsaid", "--target", `${target}:hit`]);
    expect([other.status, other.stderr]).toEqual([1, "unsaid() has 1 args while hit() has 2 args\n"]);
    const alone = tsbpf(["verify", extension, "--prog", "instead"]);
    expect([alone.status, alone.stderr]).toEqual([1, "Tracing programs must provide btf_id\n"]);
    const unsaid = tsbpf(["verify", extension, "--prog", "unsaid", "--target", target]);
    expect([unsaid.status, unsaid.stderr]).toEqual([
      2,
      "error: unsaid names no function to replace: say --target OBJ:FUNC [OPTION_TARGET]\n",
    ]);
    const missing = tsbpf(["verify", extension, "--prog", "instead", "--target", `${target}:gone`]);
    expect(missing.stderr).toBe(
      "error: the target has no function gone; it has entry, hit [OPTION_TARGET]\n",
    );
  });
});
