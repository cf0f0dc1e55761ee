import { type ProgSpec, protoOf } from "@tsbpf/abi";
import type { PrintSymbols } from "@tsbpf/asm";
import type { Vm } from "@tsbpf/vm";

/** Names for what the instructions of a program refer to. */
export function symbolsOf(
  prog: ProgSpec,
  vm: Vm,
  funcs: readonly { readonly name: string; readonly start: number }[],
): PrintSymbols & {
  readonly calleeText: (insn: { readonly imm: number }, slot: number) => string | undefined;
} {
  const nameAt = (slot: number): string | undefined => funcs.find(({ start }) => start === slot)?.name;
  return {
    helperName: (id) => vm.registry.helpersById.get(id)?.proto.name ?? protoOf(id)?.name,
    kfuncName: (_insn, slot) => prog.kernelRefs.find((ref) => ref.slot === slot)?.name,
    mapName: (slot) => {
      const ref = prog.mapRefs.find((one) => one.slot === slot);
      return ref === undefined ? undefined : prog.maps[ref.mapIdx]?.name;
    },
    ksymName: (slot) => prog.kernelRefs.find((ref) => ref.slot === slot)?.name,
    labelName: nameAt,
    calleeText: (insn, slot) => {
      const name = nameAt(slot + insn.imm + 1);
      return name === undefined ? undefined : `${insn.imm < 0 ? "" : "+"}${insn.imm} <${name}>`;
    },
  };
}
