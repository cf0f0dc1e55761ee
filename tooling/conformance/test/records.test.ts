import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { InputError, printHexBytes } from "@tsbpf/base";
import { isBpfAllowed, type KernelCase, runKernelCases } from "@tsbpf/kernel";
import { readElf } from "@tsbpf/loader";
import { describe, expect, it } from "vitest";
import { compareCase } from "../src/agreement.ts";
import { kernelHost } from "../src/answers.ts";
import type { Case } from "../src/cases.ts";
import { objectCases } from "../src/objects/cases.ts";

const STRINGS = "\0int\0main\0f\0a\0x.c\0";
const at = (name: string): number => STRINGS.indexOf(`\0${name}\0`) + 1;
const KIND_SHIFT = 24;
const info = (kind: number, vlen: number): number => ((kind << KIND_SHIFT) | vlen) >>> 0;

const words = (...values: number[]): Uint8Array => {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setUint32(i * 4, value, true);
  return bytes;
};

/** int, int (int), global main, static f: types 1 to 4. */
function typesOf(): string {
  const types = words(
    ...[at("int"), info(1, 0), 4, info(1, 32)],
    ...[0, info(13, 1), 1, at("a"), 1],
    ...[at("main"), info(12, 1), 2],
    ...[at("f"), info(12, 0), 2],
  );
  const head = words(0x0001eb9f, 24, 0, types.length, types.length, STRINGS.length);
  return printHexBytes(Uint8Array.from([...head, ...types, ...new TextEncoder().encode(STRINGS)]));
}

const CODE =
  "b701000001000000851000000100000095000000000000001800000001000000000000000000000095000000000000000";

const hex = (...values: number[]): string => printHexBytes(words(...values));
const FILE = at("x.c");
const TEXT = at("a");
const line = (slot: number, file = FILE, text = TEXT): number[] => [slot, file, text, 1 << 10];
const FUNCS = hex(0, 3, 3, 4);

type Records = Pick<Case, "func_info" | "func_info_rec_size" | "line_info" | "line_info_rec_size">;

/** Name, records, message; C-26..C-33, ideas T-46, T-47, T-48, T-49, T-50, T-51. */
const CASES: readonly (readonly [string, Records, string])[] = [
  ["records as they should be", { line_info: hex(...line(0), ...line(3)) }, ""],
  ["a longer record with zeros", { func_info: hex(0, 3, 0, 3, 4, 0), func_info_rec_size: 12 }, ""],
  ["records of 4 bytes", { func_info_rec_size: 4 }, "invalid func info rec size 4"],
  [
    "records of 10 bytes",
    { func_info: `${FUNCS}00000000`, func_info_rec_size: 10 },
    "invalid func info rec size 10",
  ],
  [
    "records of 256 bytes",
    { func_info: "00".repeat(512), func_info_rec_size: 256 },
    "invalid func info rec size 256",
  ],
  [
    "a tail",
    { func_info: hex(0, 3, 0, 3, 4, 9), func_info_rec_size: 12 },
    "nonzero tailing record in func info",
  ],
  [
    "a first record at 1",
    { func_info: hex(1, 3, 3, 4) },
    "nonzero insn_off 1 for the first func info record",
  ],
  [
    "one offset twice",
    { func_info: hex(0, 3, 0, 4) },
    "same or smaller insn offset (0) than previous func info record (0)",
  ],
  ["an integer for a function", { func_info: hex(0, 1, 3, 4) }, "invalid type id 1 in func info"],
  ["void for a function", { func_info: hex(0, 0, 3, 4) }, "invalid type id 0 in func info"],
  ["a type that is none", { func_info: hex(0, 99, 3, 4) }, "invalid type id 99 in func info"],
  ["a negative type", { func_info: hex(0, 0xffffffff, 3, 4) }, "invalid type id -1 in func info"],
  [
    "a record too few",
    { func_info: hex(0, 3) },
    "number of funcs in func_info doesn't match number of subprogs",
  ],
  [
    "a record off by one",
    { func_info: hex(0, 3, 2, 4) },
    "func_info BTF section doesn't match subprog layout in BPF program",
  ],
  [
    "a line twice",
    { line_info: hex(...line(0), ...line(0)) },
    "Invalid line_info[1].insn_off:0 (prev_offset:0 prog->len:6)",
  ],
  [
    "a line beyond the program",
    { line_info: hex(...line(0), ...line(3), ...line(6)) },
    "Invalid line_info[2].insn_off:6 (prev_offset:3 prog->len:6)",
  ],
  [
    "a line of a second slot",
    { line_info: hex(...line(0), ...line(3), ...line(4)) },
    "Invalid insn code at line_info[2].insn_off",
  ],
  [
    "a file beyond the strings",
    { line_info: hex(...line(0), ...line(3, STRINGS.length)) },
    "Invalid line_info[1].line_off or .file_name_off",
  ],
  [
    "a text beyond the strings",
    { line_info: hex(...line(0), ...line(3, FILE, STRINGS.length + 5)) },
    "Invalid line_info[1].line_off or .file_name_off",
  ],
  [
    "a function without a line",
    { line_info: hex(...line(0), ...line(1), ...line(5)) },
    "missing bpf_line_info for func#1",
  ],
  ["a first line at 1", { line_info: hex(...line(1), ...line(3)) }, "missing bpf_line_info for func#0"],
  [
    "functions behind the last line",
    { line_info: hex(...line(0), ...line(1)) },
    "missing bpf_line_info for 1 funcs starting from func#1",
  ],
  ["lines of 12 bytes", { line_info: hex(...line(0), ...line(3)), line_info_rec_size: 12 }, "no line"],
  ["lines of 256 bytes", { line_info: "00".repeat(512), line_info_rec_size: 256 }, "no line"],
  [
    "a tail of a line",
    { line_info: hex(...line(0), 0, ...line(3), 1), line_info_rec_size: 20 },
    "nonzero tailing record in line_info",
  ],
];

const questionOf = (name: string, records: Records): Case & KernelCase =>
  ({
    name,
    prog_type: "socket_filter",
    insns: CODE.slice(0, 96),
    btf: typesOf(),
    func_info: FUNCS,
    ...records,
  }) as Case & KernelCase;

const SAMPLE = fileURLToPath(new URL("../../../samples/calls/", import.meta.url));

/** Objects with one word of their records changed, those left out that do not load any more. */
function damagedObjects(): { readonly name: string; readonly question: Case & KernelCase }[] {
  return readdirSync(SAMPLE)
    .filter((name) => name.endsWith(".bpf.o"))
    .flatMap((name) => {
      const bytes = new Uint8Array(readFileSync(`${SAMPLE}${name}`));
      const section = readElf(bytes).sectionNamed(".BTF.ext");
      if (section === undefined) return [];
      const view = new DataView(bytes.buffer);
      const at = Buffer.from(bytes).indexOf(section.bytes);
      return Array.from({ length: 24 }, (_, run) => {
        const word = at + 24 + 4 * ((run * 7) % Math.floor((section.bytes.length - 24) / 4));
        const before = view.getUint32(word, true);
        view.setUint32(word, [before + 8, before - 8, before + 1, 0][run % 4] ?? 0, true);
        const damaged = bytes.slice();
        view.setUint32(word, before, true);
        return { name: `${name} ${run}`, bytes: damaged };
      });
    })
    .flatMap(({ name, bytes }) => {
      try {
        return objectCases(name, bytes, kernelHost().kernelBtf).flatMap((one) =>
          one.question === undefined ? [] : [{ name: one.name, question: one.question as Case & KernelCase }],
        );
      } catch (thrown) {
        if (thrown instanceof InputError) return [];
        throw thrown;
      }
    });
}

describe("function and line records", () => {
  it.skipIf(!isBpfAllowed())("damaged objects are judged as the kernel does", async () => {
    const cases = damagedObjects();
    const answers = await runKernelCases(cases.map(({ question }) => ({ ...question, log_level: 1 })));
    const words = new Map<string, number>();
    const differing = cases.flatMap(({ name, question }, i) => {
      const answer = answers[i];
      if (answer === undefined || answer.error !== undefined) return [`${name}: ${answer?.error}`];
      const one = compareCase(question, answer, kernelHost());
      const word = one.message.replace(/\d+/g, "N").slice(0, 24);
      words.set(word, (words.get(word) ?? 0) + 1);
      const isSame = one.crash === "" && one.isErrnoSame && one.isMessageSame !== false;
      return isSame ? [] : [`${name}: ${answer.errline} | ${one.message} ${one.crash}`];
    });
    expect(differing).toEqual([]);
    expect(words.size).toBeGreaterThan(5);
  });

  it.each(CASES)("%s", (name, records, message) => {
    const refused = compareCase(questionOf(name, records), { loaded: false, errno: 22 });
    expect(refused.crash).toBe("");
    expect(refused.isAccepted).toBe(message === "");
    // Sizes of line records are refused without a line of their own.
    expect(refused.message).toBe(message === "no line" ? "" : message);
  });

  it.skipIf(!isBpfAllowed())("the running kernel says the same", async () => {
    const questions = CASES.map(([name, records]) => questionOf(name, records));
    const answers = await runKernelCases(questions);
    const differing = questions.flatMap((question, i) => {
      const answer = answers[i];
      if (answer === undefined || answer.error !== undefined) return [`${question.name}: ${answer?.error}`];
      const one = compareCase(question, answer);
      return one.isErrnoSame && one.isMessageSame !== false && one.isLogSame ? [] : [question.name];
    });
    expect(differing).toEqual([]);
  });
});
