import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseBtf } from "@tsbpf/btf";
import { type KernelCase, probeBpf, runKernelCases } from "@tsbpf/kernel";
import type { Privilege } from "@tsbpf/verifier";
import type { Host } from "./agreement.ts";
import type { KernelAnswer } from "./cases.ts";
import { cacheDir } from "./selftests/source.ts";

/** What is kept of a kernel's answer. */
export interface StoredAnswer extends KernelAnswer {
  /** What failed before the load; then there is no verdict. */
  readonly error?: string;
}

const CPUS_PATH = "/sys/devices/system/cpu/possible";

const TYPES_PATH = "/sys/kernel/btf/vmlinux";

let host: Host | undefined;

/** Reads once what verdicts of the running kernel depend on: how many processors it could have, and its types. */
export function kernelHost(): Host {
  if (host !== undefined) return host;
  const last = existsSync(CPUS_PATH) ? /(\d+)\s*$/.exec(readFileSync(CPUS_PATH, "utf8"))?.[1] : undefined;
  host = {
    ...(last === undefined ? {} : { cpuCount: Number(last) + 1 }),
    ...(existsSync(TYPES_PATH) ? { kernelBtf: parseBtf(readFileSync(TYPES_PATH)) } : {}),
  };
  return host;
}

const keyOf = (one: KernelCase, privilege: Privilege): string =>
  createHash("sha1")
    .update(JSON.stringify(one) + (privilege === "all" ? "" : privilege))
    .digest("hex");

/**
 * Asks the running kernel about each case, remembering its answers in a file of the temporary folder.
 *
 * The file belongs to the kernel's release and this version of the client: another kernel is asked anew.
 */
export async function askKernel(
  cases: readonly KernelCase[],
  privilege: Privilege = "all",
): Promise<readonly StoredAnswer[]> {
  const path = join(cacheDir(), `answers-${probeBpf().kernel}.jsonl`);
  const known = new Map<string, StoredAnswer>();
  if (existsSync(path)) {
    for (const line of readFileSync(path, "utf8").split("\n")) {
      if (line === "") continue;
      const [key, answer] = JSON.parse(line) as [string, StoredAnswer];
      known.set(key, answer);
    }
  }
  const missing = cases.filter((one) => !known.has(keyOf(one, privilege)));
  const answers = await runKernelCases(missing, { privilege });
  const lines: string[] = [];
  missing.forEach((one, i) => {
    const answer = answers[i];
    if (answer === undefined) return;
    const { loaded, errno, errline, processed_insns, error } = answer;
    const kept: StoredAnswer = {
      loaded,
      errno,
      ...(errline === undefined ? {} : { errline }),
      ...(processed_insns === undefined ? {} : { processed_insns }),
      ...(error === undefined ? {} : { error }),
    };
    known.set(keyOf(one, privilege), kept);
    lines.push(`${JSON.stringify([keyOf(one, privilege), kept])}\n`);
  });
  if (lines.length > 0) appendFileSync(path, lines.join(""));
  return cases.map(
    (one) => known.get(keyOf(one, privilege)) ?? { loaded: false, errno: 0, error: "no answer" },
  );
}
