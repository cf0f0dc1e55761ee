import type { ProgSpec } from "@tsbpf/abi";
import { declTagsOf, parseBtf } from "@tsbpf/btf";

/*
 * What Linux's C selftests say of their programs themselves, in tags that `test_loader.c` reads. Computes: whether a
 * program is to load and which texts its log is to hold, in order.
 */

/** What a program's author expects of the verifier. */
export interface Expectation {
  readonly isAccepted: boolean;
  /** Texts of the log; parts in `{{…}}` are regular expressions. */
  readonly messages: readonly string[];
  /** Level of the log that the texts are looked for in. */
  readonly logLevel: number;
}

const FAILURE = "comment:test_expect_failure";
const SUCCESS = "comment:test_expect_success";
const MESSAGE = /^comment:test_expect_msg=(\d+)=([\s\S]*)$/;
const LOG_LEVEL = /^comment:test_log_level=(\d+)$/;
/** The compiler that made the object and the processor that runs it. */
const ARCH = /^comment:test_arch=(?!X86_64)/;

/** Reads the expectation of a program; undefined where its author says nothing, or means other processors. */
export function expectationOf(spec: ProgSpec): Expectation | undefined {
  const func = spec.funcs[0]?.btfTypeId;
  if (spec.btf === undefined || func === undefined || func === 0) return undefined;
  const tags = declTagsOf(parseBtf(spec.btf), func, -1).map((tag) => tag.name);
  const isFailure = tags.includes(FAILURE);
  if ((!isFailure && !tags.includes(SUCCESS)) || tags.some((tag) => ARCH.test(tag))) return undefined;
  const numbered = tags.flatMap((tag) => {
    const [, order, text] = MESSAGE.exec(tag) ?? [];
    return order === undefined || text === undefined ? [] : [{ order: Number(order), text }];
  });
  const level = tags.map((tag) => LOG_LEVEL.exec(tag)?.[1]).find((one) => one !== undefined);
  return {
    isAccepted: !isFailure,
    messages: numbered.sort((a, b) => a.order - b.order).map(({ text }) => text),
    logLevel: level === undefined ? 1 : Number(level),
  };
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Regular expressions of the C library know `[[:space:]]` and no `\d`. */
const toPattern = (posix: string): string => posix.replaceAll("[[:space:]]", "\\s");

/** Makes a pattern of a text in which parts between double braces are patterns. */
function patternOf(text: string): RegExp {
  const parts = text.split(/\{\{(.*?)\}\}/);
  return new RegExp(parts.map((part, i) => (i % 2 === 0 ? escaped(part) : toPattern(part))).join(""), "g");
}

/** Returns the first expected text that a log does not hold behind the ones before; undefined when all are there. */
export function missingMessage(log: string, messages: readonly string[]): string | undefined {
  let at = 0;
  for (const text of messages) {
    const pattern = patternOf(text);
    pattern.lastIndex = at;
    if (pattern.exec(log) === null) return text;
    at = pattern.lastIndex;
  }
  return undefined;
}
