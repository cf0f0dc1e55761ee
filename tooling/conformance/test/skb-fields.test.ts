import { assemble } from "@tsbpf/asm";
import { printHexBytes } from "@tsbpf/base";
import { encodeInsns } from "@tsbpf/isa";
import { isBpfAllowed, type KernelCase, runKernelCases } from "@tsbpf/kernel";
import { describe, expect, it } from "vitest";
import { compareCase } from "../src/agreement.ts";

/** Program types whose context is a packet's `struct __sk_buff`, each with fields of its own (A-42). */
const TYPES = ["socket_filter", "sched_cls", "cgroup_skb", "lwt_xmit", "sk_skb", "flow_dissector"];
/** One field past the end of `struct __sk_buff`. */
const BYTES = 200;

/** Every aligned access of a size, as a program each. */
const questions = (type: string, size: number): readonly (KernelCase & { readonly name: string })[] =>
  ["load", "store"].flatMap((way) =>
    Array.from({ length: BYTES / size }, (_, i) => {
      const place = `*(u${size * 8} *)(r1 + ${i * size})`;
      const text = `r2 = 0\n${way === "load" ? `r2 = ${place}` : `${place} = r2`}\nr0 = 0\nexit`;
      const insns = printHexBytes(encodeInsns(assemble(text).insns));
      return { name: `${way} of ${size} bytes at ${i * size}`, prog_type: type, insns };
    }),
  );

describe.skipIf(!isBpfAllowed())("fields of a packet's context, of every size (A-42, idea T-239)", () => {
  it.each(TYPES)("%s", async (type) => {
    const asked = [1, 2, 4, 8].flatMap((size) => questions(type, size));
    const answers = await runKernelCases(asked);
    const differing = asked.flatMap((question, i) => {
      const answer = answers[i];
      if (answer === undefined || answer.error !== undefined) return [`${question.name}: ${answer?.error}`];
      const one = compareCase(question, answer);
      return one.isErrnoSame && one.isMessageSame !== false && one.crash === "" ? [] : [question.name];
    });
    expect(differing).toEqual([]);
    expect(answers.some((answer) => answer.loaded)).toBe(true);
    expect(answers.some((answer) => !answer.loaded)).toBe(true);
  });
});
