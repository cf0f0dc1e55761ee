import { cpus } from "node:os";
import { type KernelCase, type KernelClient, toKernelCase } from "@tsbpf/kernel";
import { type Verdict, verifyProg } from "@tsbpf/verifier";
import type { VerifyProgram } from "./programs.ts";

/** What both must say about a program. */
export interface VerifyAnswer {
  readonly isAccepted: boolean;
  readonly processed: number;
}

/** Asked once: the answer takes longer than to judge a short program. */
const CPU_COUNT = cpus().length;

/** Judges a program here; the answer is that of the last of the runs. */
export function timeOurs(program: VerifyProgram, runs: number): VerifyAnswer & { readonly usec: number } {
  const started = performance.now();
  let verdict: Verdict | undefined;
  for (let i = 0; i < runs; i++) verdict = verifyProg(program.spec, { cpuCount: CPU_COUNT });
  const usec = ((performance.now() - started) * 1000) / runs;
  return {
    usec,
    isAccepted: verdict?.isAccepted ?? false,
    processed: verdict?.stats.processedInsns ?? 0,
  };
}

const LOG_STATS = 4;
const TIMEOUT_SECONDS = 20;

/** Makes the question to the kernel: statistics only, so that it prints no more than we do. */
export const kernelQuestion = ({ spec, object }: VerifyProgram): KernelCase => ({
  ...toKernelCase(spec, { progs: object?.progs ?? [] }),
  log_level: LOG_STATS,
  timeout: TIMEOUT_SECONDS,
});

/**
 * Loads a program in the kernel.
 *
 * The time is the kernel's own account of its verifier, `verification time N usec`: what the system call also does
 * (copying, descriptors, machine code of a program without functions) is not in it.
 */
export async function timeKernel(
  client: KernelClient,
  question: KernelCase,
  runs: number,
): Promise<VerifyAnswer & { readonly usec: number }> {
  let usec = 0;
  let last: VerifyAnswer = { isAccepted: false, processed: 0 };
  for (let i = 0; i < runs; i++) {
    const answer = await client.ask(question);
    const said = /^verification time (\d+) usec/m.exec(answer.log ?? "");
    if (said === null)
      throw new Error(`${question.name}: no verdict from the kernel: ${answer.error ?? answer.log}`);
    usec += Number(said[1]);
    last = { isAccepted: answer.loaded, processed: answer.processed_insns ?? 0 };
  }
  return { ...last, usec: Math.max(1, usec / runs) };
}
