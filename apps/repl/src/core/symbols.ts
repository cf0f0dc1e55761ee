import { type ProgSpec, protoOf } from "@tsbpf/abi";
import type { KernelPrintOptions, PrintSymbols } from "@tsbpf/asm";
import type { Vm } from "@tsbpf/vm";

/** Sources of wide loads. */
const MAP_VALUE = 2;
const FUNC = 4;

/** Names for what the instructions of a program refer to. */
export function symbolsOf(
  prog: ProgSpec,
  vm: Vm,
  funcs: readonly { readonly name: string; readonly start: number }[],
): PrintSymbols & KernelPrintOptions {
  const nameAt = (slot: number): string | undefined => funcs.find(({ start }) => start === slot)?.name;
  const mapName = (slot: number): string | undefined => {
    const ref = prog.mapRefs.find((one) => one.slot === slot);
    return ref === undefined ? undefined : prog.maps[ref.mapIdx]?.name;
  };
  return {
    helperName: (id) => vm.registry.helpersById.get(id)?.proto.name ?? protoOf(id)?.name,
    kfuncName: (_insn, slot) => prog.kernelRefs.find((ref) => ref.slot === slot)?.name,
    mapName,
    wideText: ({ src, imm }, _value, slot) => {
      const map = mapName(slot);
      if (map !== undefined)
        return src === MAP_VALUE ? `map[${map}][0]+${prog.insns[slot + 1]?.imm ?? 0}` : `map[${map}]`;
      return src === FUNC ? `func ${nameAt(slot + imm + 1) ?? imm}` : undefined;
    },
    ksymName: (slot) => prog.kernelRefs.find((ref) => ref.slot === slot)?.name,
    labelName: nameAt,
    calleeText: (insn, slot) => {
      const name = nameAt(slot + insn.imm + 1);
      return name === undefined ? undefined : `${insn.imm < 0 ? "" : "+"}${insn.imm} <${name}>`;
    },
  };
}
