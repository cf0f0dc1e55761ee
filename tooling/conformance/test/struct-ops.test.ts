import { PROG_FLAGS, PROG_TYPES } from "@tsbpf/abi";
import { assemble } from "@tsbpf/asm";
import { printHexBytes } from "@tsbpf/base";
import { findPath } from "@tsbpf/btf";
import { encodeInsns } from "@tsbpf/isa";
import { isBpfAllowed, type KernelCase, runKernelCases } from "@tsbpf/kernel";
import { describe, expect, it } from "vitest";
import { compareCase } from "../src/agreement.ts";
import { kernelHost } from "../src/answers.ts";
import type { Case } from "../src/cases.ts";

const canRun =
  isBpfAllowed() && (kernelHost().kernelBtf?.idsOf("bpf_struct_ops_tcp_congestion_ops").length ?? 0) > 0;
const STRUCTS = { tcp_congestion_ops: 20, bpf_dummy_ops: 6 } as const;
const TCP = "tcp_congestion_ops";
const SSTHRESH = 0;
const CONG_AVOID = 1;
const RELEASE = 17;

const question = (
  struct: string,
  member: number,
  text: string,
  more: Partial<KernelCase> = {},
): KernelCase => ({
  name: `${struct}#${member}: ${text.replace(/\s*\n\s*/g, "; ")}`,
  prog_type: PROG_TYPES.struct_ops,
  expected_attach_type: member,
  attach_btf: { name: struct, kind: "struct" },
  insns: printHexBytes(encodeInsns(assemble(text).insns)),
  log_level: 2,
  ...more,
});

/** Cases on which verdict, error, message or log differ. */
async function differences(asked: readonly KernelCase[]): Promise<readonly string[]> {
  const answers = await runKernelCases(asked);
  return asked.flatMap((one, i) => {
    const answer = answers[i];
    if (answer === undefined || answer.error !== undefined) return [`${one.name}: ${answer?.error}`];
    const ours = compareCase(one as unknown as Case, answer, kernelHost());
    if (ours.crash === "" && ours.isErrnoSame && ours.isMessageSame !== false && ours.isLogSame) return [];
    return [
      `${one.name}: ${answer.errno} ${answer.errline ?? ""} | ${ours.errno} ${ours.message} ${ours.crash}`,
    ];
  });
}

const members = Object.entries(STRUCTS).flatMap(([struct, count]) =>
  Array.from({ length: count }, (_, member) => ({ struct, member })),
);

describe.skipIf(!canRun)("members of structs of functions, as the running kernel judges them", () => {
  it("get their arguments by type, and nothing else", { timeout: 60_000 }, async () => {
    const loads = Array.from({ length: 7 }, (_, arg) => `r2 = *(u64 *)(r1 + ${8 * arg})\nr0 = 0\nexit`);
    const odd = ["r2 = *(u32 *)(r1 + 4)\nr0 = 0\nexit", "*(u64 *)(r1 + 0) = 0\nr0 = 0\nexit"];
    const asked = members.flatMap(({ struct, member }) =>
      [...loads, ...odd].map((text) => question(struct, member, text)),
    );
    expect(await differences(asked)).toEqual([]);
  });

  it("return numbers, or nothing", { timeout: 60_000 }, async () => {
    const ends = ["exit", "r0 = 0\nexit", "r0 = 7\nexit", "r0 = r1\nexit", "r0 = *(u64 *)(r1 + 0)\nexit"];
    const asked = members.flatMap(({ struct, member }) => ends.map((text) => question(struct, member, text)));
    expect(await differences(asked)).toEqual([]);
  });

  it("need a licence and may sleep where the struct lets them", async () => {
    const asked = members.flatMap(({ struct, member }) => [
      question(struct, member, "r0 = 0\nexit", { license: "MIT" }),
      question(struct, member, "r0 = 0\nexit", { flags: PROG_FLAGS.sleepable }),
    ]);
    expect(await differences(asked)).toEqual([]);
  });

  it("are members of structs that the kernel knows", async () => {
    const others = ["task_struct", "bpf_struct_ops", "inet_connection_sock"];
    const asked = others.map((struct) => question(struct, 0, "r0 = 0\nexit"));
    expect(await differences(asked)).toEqual([]);
  });

  it("store to some fields of TCP's sockets", { timeout: 60_000 }, async () => {
    const writable = [
      "snd_cwnd",
      "snd_cwnd_cnt",
      "snd_cwnd_stamp",
      "snd_ssthresh",
      "ecn_flags",
      "app_limited",
    ];
    const btf = kernelHost().kernelBtf;
    const [sock] = btf?.idsOf("tcp_sock", "struct") ?? [];
    const places = writable.map((name) =>
      btf === undefined || sock === undefined ? 0 : (findPath(btf, sock, name)?.offsetBits ?? 0) >> 3,
    );
    const asked = Array.from({ length: 2304 / 12 }, (_, i) => i * 12)
      .concat(places)
      .flatMap((off) =>
        ["u32", "u64"].map((size) =>
          question(TCP, CONG_AVOID, `r2 = *(u64 *)(r1 + 0)\n*(${size} *)(r2 + ${off}) = 0\nr0 = 0\nexit`, {
            log_level: 1,
          }),
        ),
      );
    expect(await differences(asked)).toEqual([]);
  });

  it("store to the state of the dummy", async () => {
    const asked = [0, 4, 8].flatMap((off) =>
      ["u32", "u64"].map((size) =>
        question(
          "bpf_dummy_ops",
          0,
          `r2 = *(u64 *)(r1 + 0)\nif r2 == 0 goto +1\n*(${size} *)(r2 + ${off}) = 0\nr0 = 0\nexit`,
        ),
      ),
    );
    expect(await differences(asked)).toEqual([]);
  });

  it("call the helpers of their struct", { timeout: 60_000 }, async () => {
    const asked = [SSTHRESH, RELEASE].flatMap((member) =>
      [1, 5, 6, 49, 57, 107, 108, 116, 160, 181].map((id) =>
        question(TCP, member, `call ${id}\nr0 = 0\nexit`),
      ),
    );
    asked.push(...[1, 5, 6, 107].map((id) => question("bpf_dummy_ops", 0, `call ${id}\nr0 = 0\nexit`)));
    expect(await differences(asked)).toEqual([]);
  });
});
