import { writeFile } from "node:fs/promises";
import { printHexBytes } from "@tsbpf/base";
import { encodeInsns } from "@tsbpf/isa";
import { readProgram } from "@tsbpf/replay";
import { createVm } from "@tsbpf/vm";
import { fileError, readInput } from "../io.ts";
import { printJson } from "./input.ts";

interface AsmWords {
  readonly output?: string;
  readonly json?: boolean;
}

/** Assembles text, or translates classic BPF; bytes go to a file, or as one hex line an instruction to standard output. */
export async function runAsm(path: string, options: AsmWords): Promise<void> {
  const input = await readInput(path);
  const { source, isClassic } = readProgram(input, path);
  const text = isClassic ? source : new TextDecoder().decode(input);
  const [prog] = createVm().readSource(text, { name: path }).progs;
  const bytes = encodeInsns(prog?.insns ?? []);
  if (options.output !== undefined) {
    try {
      await writeFile(options.output, bytes);
    } catch (error) {
      throw fileError(options.output, error);
    }
    return;
  }
  const slots = Array.from({ length: bytes.length / 8 }, (_, slot) =>
    printHexBytes(bytes.subarray(8 * slot, 8 * slot + 8)),
  );
  if (options.json === true) printJson({ insns: slots, maps: prog?.mapRefs ?? [] }, false);
  else process.stdout.write(slots.map((slot) => `${slot}\n`).join(""));
}
