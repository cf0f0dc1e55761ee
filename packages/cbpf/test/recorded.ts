import { readFileSync } from "node:fs";
import type { TcpdumpAnswer } from "./tcpdump.ts";

/** A filter and what tcpdump 4.99.3 with libpcap 1.10.3 made of it. */
export interface RecordedCase {
  readonly link: string;
  readonly isOptimized: boolean;
  readonly filter: string;
  readonly answer: TcpdumpAnswer;
}

export const recordKey = ({ link, isOptimized, filter }: Omit<RecordedCase, "answer">): string =>
  `${link}\t${isOptimized ? "" : "-O"}\t${filter}`;

/** Reads the recorded cases. */
export function readRecorded(): RecordedCase[] {
  const text = readFileSync(new URL("./recorded/filters.txt", import.meta.url), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [link = "", flag = "", filter = "", answer = ""] = line.split("\t");
      const isOk = !answer.startsWith("! ");
      const insns = answer.split(",");
      return {
        link,
        isOptimized: flag === "",
        filter,
        answer: { isOk, text: isOk ? `${insns.length}\n${insns.join("\n")}\n` : answer.slice(2) },
      };
    });
}
