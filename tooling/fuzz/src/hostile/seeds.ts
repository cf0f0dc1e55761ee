import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "@tsbpf/base";
import { type KernelCase, toKernelCase } from "@tsbpf/kernel";
import { parseBpft, readBytes, readText } from "@tsbpf/testkit";
import { kernelHost } from "../../../conformance/src/answers.ts";
import { objectCases } from "../../../conformance/src/objects/cases.ts";
import { readSelftests } from "../../../conformance/src/selftests/read.ts";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));

const filesIn = (dir: string, ending: string): readonly string[] =>
  existsSync(dir)
    ? readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory()
          ? filesIn(join(dir, entry.name), ending)
          : entry.name.endsWith(ending)
            ? [join(dir, entry.name)]
            : [],
      )
    : [];

/** Programs of compiled objects; those that do not load are left out. */
export function objectSeeds(paths: readonly string[]): readonly KernelCase[] {
  const types = kernelHost().kernelBtf;
  return paths.flatMap((path) => {
    const bytes = readBytes(path);
    try {
      return objectCases(path, bytes, types).flatMap(({ question }) =>
        question === undefined ? [] : [question],
      );
    } catch (thrown) {
      if (thrown instanceof InputError) return [];
      throw thrown;
    }
  });
}

/** The programs of the repository: samples, and the catalogue of the verifier's rules. */
export const ownSeeds = (): readonly KernelCase[] => [
  ...objectSeeds(filesIn(join(ROOT, "samples"), ".o")),
  ...filesIn(join(ROOT, "packages/verifier/test/bpft"), ".bpft").flatMap((path) =>
    parseBpft(readText(path), path).map(({ spec }) => toKernelCase(spec)),
  ),
];

/** Slots of the longest program that is mutated: changing a million of them costs more than judging it. */
const SLOTS_MAX = 20_000;
const HEX_OF_SLOT = 16;

/** Linux's instruction-level tests, where a source package is installed; none elsewhere. */
export const selftestSeeds = (): readonly KernelCase[] =>
  readSelftests().flatMap(({ question }) =>
    question === undefined || question.insns.length > SLOTS_MAX * HEX_OF_SLOT ? [] : [question],
  );
