/**
 * Writes recorded/filters.txt: what the installed tcpdump makes of the expressions. Run by hand:
 * node --conditions=@tsbpf/source --import tsx packages/cbpf/test/record.ts
 */
import { writeFileSync } from "node:fs";
import { EXPRESSIONS } from "./expressions.ts";
import { type RecordedCase, recordKey } from "./recorded.ts";
import { askTcpdump } from "./tcpdump.ts";

const few = EXPRESSIONS.filter((_, i) => i % 6 === 0);
const cases: readonly RecordedCase[] = [
  ...EXPRESSIONS.map((filter) => ({ link: "EN10MB", isOptimized: true, filter })),
  ...few.map((filter) => ({ link: "EN10MB", isOptimized: false, filter })),
  ...["RAW", "LINUX_SLL", "LINUX_SLL2", "NULL", "LOOP", "PPP", "C_HDLC"].flatMap((link, shift) =>
    EXPRESSIONS.filter((_, i) => i % 23 === shift).map((filter) => ({ link, isOptimized: true, filter })),
  ),
].map((one) => ({ ...one, answer: askTcpdump(one.filter, one) }));

const lines = cases.map((one) => {
  const { isOk, text } = one.answer;
  const answer = isOk ? text.trim().split("\n").slice(1).join(",") : `! ${text}`;
  return `${recordKey(one)}\t${answer}\n`;
});
writeFileSync(new URL("./recorded/filters.txt", import.meta.url), lines.join(""));
