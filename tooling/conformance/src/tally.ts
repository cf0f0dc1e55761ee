import type { Comparison } from "./agreement.ts";

/** How far the verifier and the kernel agree over a set of cases. */
export interface Tally {
  cases: number;
  verdict: number;
  errno: number;
  messages: number;
  message: number;
  counts: number;
  count: number;
  unsound: number;
  falseRefusals: number;
  crashes: number;
}

const emptyTally = (): Tally => ({
  cases: 0,
  verdict: 0,
  errno: 0,
  messages: 0,
  message: 0,
  counts: 0,
  count: 0,
  unsound: 0,
  falseRefusals: 0,
  crashes: 0,
});

/** A refusal that Linux itself calls a fault of its verifier is no judgement of the program. */
const isKernelFault = (one: Comparison): boolean => (one.kernel.errline ?? "").startsWith("verifier bug");

/** Tells whether we accept what the kernel refuses. */
export const isUnsound = (one: Comparison): boolean =>
  one.isAccepted && !one.kernel.loaded && !isKernelFault(one);
/** Tells whether we refuse what the kernel accepts. */
export const isFalseRefusal = (one: Comparison): boolean => !one.isAccepted && one.kernel.loaded;

/** Counts one comparison. */
function addTo(tally: Tally, one: Comparison): void {
  tally.cases += 1;
  if (one.isVerdictSame) tally.verdict += 1;
  if (one.isErrnoSame) tally.errno += 1;
  if (one.isMessageSame !== undefined) tally.messages += 1;
  if (one.isMessageSame === true) tally.message += 1;
  if (one.isVerdictSame && one.isCountSame !== undefined) tally.counts += 1;
  if (one.isVerdictSame && one.isCountSame === true) tally.count += 1;
  if (isUnsound(one)) tally.unsound += 1;
  if (isFalseRefusal(one)) tally.falseRefusals += 1;
  if (one.crash !== "") tally.crashes += 1;
}

export function tallyOf(all: readonly Comparison[]): Tally {
  const tally = emptyTally();
  for (const one of all) addTo(tally, one);
  return tally;
}

const share = (hits: number, all: number): string =>
  all === 0 ? "-" : `${hits}/${all} ${((100 * hits) / all).toFixed(1)} %`;

/** Prints a tally as one line. */
export const printTally = (name: string, of: Tally): string =>
  [
    name.padEnd(34),
    `verdict ${share(of.verdict, of.cases)}`,
    `errno ${share(of.errno, of.cases)}`,
    `message ${share(of.message, of.messages)}`,
    `count ${share(of.count, of.counts)}`,
    `unsound ${of.unsound}`,
    `false refusals ${of.falseRefusals}`,
    ...(of.crashes > 0 ? [`crashes ${of.crashes}`] : []),
  ].join("  ");

/** Prints what both sides said about one case. */
export function printDifference(one: Comparison): string {
  const say = (isAccepted: boolean, errno: number, why: string, count: number | undefined): string =>
    `${isAccepted ? "accepts" : `refuses ${errno} ${why}`} (${count ?? "?"})`;
  const crash = one.crash === "" ? "" : `  crash   ${one.crash.split("\n").slice(0, 4).join(" | ")}\n`;
  const { kernel } = one;
  return (
    `${one.name}\n  kernel  ${say(kernel.loaded, kernel.errno, kernel.errline ?? "", kernel.processed_insns)}\n` +
    `  tsbpf   ${say(one.isAccepted, one.errno, one.message, one.processedInsns)}\n${crash}`
  );
}
