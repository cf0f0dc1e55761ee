import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isBpfAllowed } from "@tsbpf/kernel";
import {
  type Against,
  type CompareResult,
  compareProgram,
  makeRandomCaptures,
  ownPrograms,
  printResult,
  sampleCaptures,
} from "./compare-all.ts";

const USAGE = `usage: compare-all-main.ts [--against engines|kernel|both] [--random N] [--only TEXT] [--diff DIR] [CAPTURE...]

Runs every program of samples, examples and benchmarks over every capture of the samples, random packets of 18 kinds
and the captures named, on both engines and in the running kernel, and compares verdicts, bytes, maps and effects.
  --against WHAT  both when omitted; the kernel is left out where it does not allow bpf(2)
  --random N      random packets of each kind, 500 when omitted
  --only TEXT     programs whose object or name has TEXT
  --diff DIR      where packets that show differences go, a capture a program
Ends with 1 when anything differs.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: "string", default: "both" },
    random: { type: "string", default: "500" },
    only: { type: "string", default: "" },
    diff: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

const write = (text: string): void => {
  process.stdout.write(text);
};

function sides(): Against[] {
  const engines = values.against !== "kernel";
  const kernel = values.against !== "engines";
  if (kernel && !isBpfAllowed()) write("the running kernel does not allow bpf(2): it is left out\n");
  return [
    ...(engines ? (["engine=jit"] as const) : []),
    ...(kernel && isBpfAllowed() ? (["kernel"] as const) : []),
  ];
}

function printTotals(against: Against, results: readonly CompareResult[]): void {
  const compared = results.filter(({ skipped }) => skipped === undefined);
  const packets = compared.reduce((sum, one) => sum + one.packets, 0);
  const differing = compared.filter(({ different }) => different > 0).length;
  write(
    `${against}: ${compared.length} programs, ${packets} runs, ${differing} programs differ, ${results.length - compared.length} skipped\n`,
  );
}

async function compareAll(folder: string): Promise<boolean> {
  const captures = [
    ...sampleCaptures(),
    ...makeRandomCaptures(folder, Number(values.random)),
    ...positionals,
  ];
  const programs = ownPrograms().filter(({ object, prog }) => `${object} ${prog}`.includes(values.only));
  const against = sides();
  write(`${programs.length} programs, ${captures.length} captures: ${captures.join(" ")}\n`);
  const results: CompareResult[] = [];
  for (const program of programs) {
    const found: CompareResult[] = [];
    for (const side of against) {
      const diff =
        values.diff === undefined
          ? undefined
          : join(values.diff, `${program.object.replaceAll("/", "_")}-${program.prog}-${side}.pcapng`);
      found.push(await compareProgram(program, captures, side, diff));
    }
    const cells = found.map((one) => `${one.against} ${printResult(one)}`.padEnd(28));
    write(
      `${`${program.object} ${program.prog}`.padEnd(52)} ${program.type.padEnd(14)} ${cells.join(" ").trimEnd()}\n`,
    );
    for (const one of found) {
      if (one.skipped !== undefined) write(`    ${one.against}: ${one.skipped}\n`);
      for (const text of [...one.notes.map((note) => `note: ${note}`), ...one.differences])
        write(`    ${one.against}: ${text.slice(0, 400)}\n`);
    }
    results.push(...found);
  }
  for (const side of against)
    printTotals(
      side,
      results.filter((one) => one.against === side),
    );
  return results.every(({ different }) => different === 0);
}

if (values.help) write(USAGE);
else {
  if (values.diff !== undefined) mkdirSync(values.diff, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), "tsbpf-compare-"));
  try {
    process.exitCode = (await compareAll(folder)) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
