import { type KernelAnswer, type KernelCase, runKernelCases } from "@tsbpf/kernel";
import type { Privilege } from "@tsbpf/verifier";
import { mutatedCase } from "../../fuzz/src/hostile/case.ts";
import { Random } from "../../fuzz/src/random.ts";
import { type Comparison, compareCase } from "./agreement.ts";
import { kernelHost } from "./answers.ts";

const BATCH = 250;
/** Most entries and bytes of a map that a mutation may ask the kernel for. */
const ENTRIES_MAX = 4096;
const NEG_OP = 0x87;
const NEG32_OP = 0x84;

/** Says whether the kernel may be asked: a negation behind a mask, in a loop, hurts the verifier of Linux 6.18. */
function isHarmless(one: KernelCase): boolean {
  for (let at = 0; at + 16 <= one.insns.length; at += 16) {
    const op = Number.parseInt(one.insns.slice(at, at + 2), 16);
    if (op === NEG_OP || op === NEG32_OP) return false;
  }
  return (one.maps ?? []).every((map) => (map.max_entries ?? 0) <= ENTRIES_MAX);
}

const LD_IMM64 = "18";
const CALL = "85";

/** Opcode and source register of a slot, in hex. */
const slotHex = (insns: string, slot: number): readonly [op: string, src: string] => [
  insns.slice(slot * 16, slot * 16 + 2),
  insns.slice(slot * 16 + 2, slot * 16 + 3),
];

/** Leaves out references that are none in the mutated code: the client would write their numbers all the same. */
function withoutStrayRefs(one: KernelCase): KernelCase {
  const isAt = (slot: number, op: string, sources: string): boolean => {
    const [own, src] = slotHex(one.insns, slot);
    return own === op && src !== "" && sources.includes(src);
  };
  return {
    ...one,
    fixups: (one.fixups ?? []).filter(({ insn }) => isAt(insn, LD_IMM64, "12")),
    kfuncs: (one.kfuncs ?? []).filter(({ insn }) => isAt(insn, CALL, "2")),
    ksyms: (one.ksyms ?? []).filter(({ insn }) => isAt(insn, LD_IMM64, "3")),
  };
}

/**
 * Makes the mutant of a number: three of four with small changes, so that the walk gets far.
 *
 * Few change what stands around the code, which the kernel mostly refuses unseen.
 */
export function mutantOf(seed: number, seeds: readonly KernelCase[]): KernelCase & { readonly name: string } {
  const random = new Random(Math.imul(seed, 0x85eb_ca6b));
  return {
    ...withoutStrayRefs(mutatedCase(random, seeds, { frameShare: 5, isGentle: random.chance(75) })),
    name: `mutant ${seed}`,
  };
}

/** What the kernel refuses before its verifier says a word is no verdict on the program. */
const isUnjudged = (answer: KernelAnswer): boolean =>
  answer.error !== undefined || (!answer.loaded && (answer.errline ?? "") === "");

/** What a run over mutants gave. */
export interface MutantRun {
  readonly compared: readonly Comparison[];
  /** The cases of which both say the opposite, as lines of JSON. */
  readonly opposed: readonly string[];
  /** Mutants that the kernel does not judge. */
  readonly unjudged: number;
}

/** Compares both on the mutants of some numbers; those that the kernel does not judge are counted alone. */
export async function compareMutants(
  first: number,
  count: number,
  seeds: readonly KernelCase[],
  privilege: Privilege = "all",
): Promise<MutantRun> {
  const compared: Comparison[] = [];
  const opposed: string[] = [];
  let unjudged = 0;
  for (let from = first; from < first + count; from += BATCH) {
    const cases: (KernelCase & { readonly name: string })[] = [];
    for (let seed = from; seed < Math.min(from + BATCH, first + count); seed++) {
      const one = mutantOf(seed, seeds);
      if (isHarmless(one)) cases.push(one);
      else unjudged++;
    }
    const answers = await runKernelCases(cases, { privilege });
    cases.forEach((one, i) => {
      const answer = answers[i];
      if (answer === undefined || isUnjudged(answer)) unjudged++;
      else {
        const comparison = compareCase(one, answer, { ...kernelHost(), privilege });
        const { loaded, errno, errline, processed_insns } = answer;
        const kept = {
          loaded,
          errno,
          ...(errline === undefined ? {} : { errline }),
          ...(processed_insns === undefined ? {} : { processed_insns }),
        };
        // Logs of a million instructions are not kept.
        compared.push({ ...comparison, kernel: kept, log: "" });
        if (!comparison.isVerdictSame) opposed.push(JSON.stringify(one));
      }
    });
  }
  return { compared, opposed, unjudged };
}
