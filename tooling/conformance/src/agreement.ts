import { type VerifyOptions, verifyProg } from "@tsbpf/verifier";
import { type Case, type KernelAnswer, toInput } from "./cases.ts";

/** How one case came out, beside the kernel. */
export interface Comparison {
  readonly name: string;
  readonly kernel: KernelAnswer;
  readonly isAccepted: boolean;
  readonly errno: number;
  readonly message: string;
  readonly processedInsns: number;
  readonly log: string;
  readonly isVerdictSame: boolean;
  readonly isErrnoSame: boolean;
  /** Undefined where there is nothing to compare. */
  readonly isMessageSame: boolean | undefined;
  readonly isCountSame: boolean | undefined;
  readonly isLogSame: boolean | undefined;
  /** What our own code threw, if it did. */
  readonly crash: string;
}

/** Lines that the kernel writes after its refusal. */
const isStatsLine = (line: string): boolean =>
  /^(processed \d+ insns|verification time|stack depth )/.test(line);

/** Returns the line of a log that says why a program was refused. */
export function errorLineOf(log: string): string {
  const lines = log.split("\n").filter((line) => line !== "" && !isStatsLine(line));
  const last = lines[lines.length - 1] ?? "";
  return last.replace(/processed \d+ insns.*$/, "");
}

/** Takes addresses of one machine out of a log, and the padding that their length decides. */
const withoutAddresses = (log: string): string =>
  log
    .replace(/(\(18\) r\d+ = )0x(?:0|ffff[0-9a-f]{12})(?: +;)?/g, "$1ADDRESS ;")
    .replace(/(\(18\) r\d+ = ADDRESS) ;(?=\n)/g, "$1")
    .replace(/^verification time \d+ usec$/gm, "verification time 0 usec");

/** Facts of the machine that a verdict depends on. */
export type Host = Pick<VerifyOptions, "cpuCount" | "kernelBtf" | "privilege">;

/**
 * Judges a case and compares with what the kernel said.
 *
 * @param host - what is known of the kernel that answered.
 */
export function compareCase(item: Case, kernel: KernelAnswer, host: Host = {}): Comparison {
  let crash = "";
  let verdict: ReturnType<typeof verifyProg> | undefined;
  try {
    const input = toInput(item);
    verdict = verifyProg(input.spec, {
      logLevel: input.logLevel,
      mapBtf: input.mapBtf,
      ...(input.targetProg === undefined ? {} : { targetProg: input.targetProg }),
      ...host,
    });
  } catch (thrown) {
    crash = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  }
  const isAccepted = verdict?.isAccepted ?? false;
  const errno = verdict?.errno ?? -1;
  const log = verdict?.log ?? "";
  const message = isAccepted ? "" : errorLineOf(log);
  const isVerdictSame = verdict !== undefined && isAccepted === kernel.loaded;
  const isRefusedByBoth = isVerdictSame && !isAccepted;
  const expected = kernel.errline === undefined ? undefined : errorLineOf(kernel.errline);
  return {
    name: item.name,
    kernel,
    isAccepted,
    errno,
    message,
    processedInsns: verdict?.stats.processedInsns ?? 0,
    log,
    isVerdictSame,
    isErrnoSame: isVerdictSame && errno === kernel.errno,
    // A log that grew beyond the kernel's buffer is asked for again without its instructions: the last line alone is there.
    isMessageSame:
      isRefusedByBoth && expected !== undefined
        ? expected === message || expected === verdict?.message
        : undefined,
    isCountSame:
      kernel.processed_insns === undefined
        ? undefined
        : verdict?.stats.processedInsns === kernel.processed_insns,
    isLogSame: kernel.log === undefined ? undefined : withoutAddresses(log) === withoutAddresses(kernel.log),
    crash,
  };
}
