import { ATTACH_TYPES, PROG_TYPES } from "@tsbpf/abi";
import { assemble } from "@tsbpf/asm";
import { printHexBytes } from "@tsbpf/base";
import { encodeInsns } from "@tsbpf/isa";
import { isBpfAllowed, type KernelCase, runKernelCases } from "@tsbpf/kernel";
import { describe, expect, it } from "vitest";
import { compareCase } from "../src/agreement.ts";
import { kernelHost } from "../src/answers.ts";
import type { Case } from "../src/cases.ts";

const canRun = isBpfAllowed() && kernelHost().kernelBtf !== undefined;
const ARGS = 6;

const loadOf = (arg: number): string => {
  const { insns } = assemble(`r2 = *(u64 *)(r1 + ${8 * arg})\nr0 = 0\nexit`);
  return printHexBytes(encodeInsns(insns));
};

/** Type that the load gave, as the log prints it. */
const typeIn = (log: string): string =>
  /R2=([a-z_]+)/.exec(log)?.[1] ?? (log.includes("R2=") ? "number" : "refused");

function questions(kind: "typedef" | "func", prefix: string, attachType: number): readonly KernelCase[] {
  const names = [...(kernelHost().kernelBtf?.types() ?? [])].flatMap((type) =>
    type.kind === kind && type.name.startsWith(prefix) ? [type.name] : [],
  );
  return [...new Set(names)].flatMap((name) =>
    Array.from({ length: ARGS }, (_, arg) => ({
      name: `${name} ${arg}`,
      prog_type: PROG_TYPES.tracing,
      expected_attach_type: attachType,
      insns: loadOf(arg),
      attach_btf: { name, kind },
      log_level: 2,
    })),
  );
}

/** Arguments that both sides type differently. */
async function differences(asked: readonly KernelCase[]): Promise<readonly string[]> {
  const answers = await runKernelCases(asked);
  return asked.flatMap((one, i) => {
    const answer = answers[i];
    if (answer === undefined || answer.error !== undefined) return [];
    if (!answer.loaded && (answer.log ?? "") === "") return [];
    const ours = compareCase(one as unknown as Case, answer, kernelHost());
    const [kernel, own] = [typeIn(answer.log ?? ""), typeIn(ours.log)];
    return kernel === own && ours.isVerdictSame ? [] : [`${one.name}: kernel ${kernel}, tsbpf ${own}`];
  });
}

describe.skipIf(!canRun)("arguments that the running kernel passes", () => {
  it("are typed alike for every raw tracepoint", { timeout: 300_000 }, async () => {
    expect(await differences(questions("typedef", "btf_trace_", ATTACH_TYPES.trace_raw_tp))).toEqual([]);
  });

  it("are typed alike for every iterator", { timeout: 60_000 }, async () => {
    expect(await differences(questions("func", "bpf_iter_", ATTACH_TYPES.trace_iter))).toEqual([]);
  });
});
