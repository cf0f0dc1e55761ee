import { protoOf } from "@tsbpf/abi";
import { printKernelInsn } from "@tsbpf/asm";
import type { LinkedProg } from "@tsbpf/runtime";

const insnTexts = new WeakMap<LinkedProg, (string | undefined)[]>();

/** Prints an instruction as the verifier's log does; programs run the same ones again and again. */
export function insnTextOf(prog: LinkedProg, slot: number): string {
  let texts = insnTexts.get(prog);
  if (texts === undefined) {
    texts = new Array(prog.insns.length).fill(undefined);
    insnTexts.set(prog, texts);
  }
  const known = texts[slot];
  if (known !== undefined) return known;
  const { spec } = prog;
  const text = printKernelInsn(spec.insns, slot, {
    helperName: (id) => prog.helpersById.get(id)?.proto.name ?? protoOf(id)?.name,
    kfuncName: (_insn, at) => spec.kernelRefs.find((ref) => ref.slot === at)?.name,
    wideText: (_insn, _value, at) => {
      const ref = spec.mapRefs.find((one) => one.slot === at);
      return ref === undefined ? undefined : `map[${spec.maps[ref.mapIdx]?.name ?? ref.mapIdx}]`;
    },
  });
  texts[slot] = text;
  return text;
}
