import { type Btf, findDatasec, resolveType, sectionVariables } from "@tsbpf/btf";
import { SLOT_BYTES } from "@tsbpf/isa";
import type { CodeFunction } from "../code/functions.ts";
import type { ElfFile } from "../elf/elf.ts";

const SECTIONS = /^\??\.struct_ops(\.link)?$/;

/**
 * Finds which member of which struct each function becomes, from the variables of `.struct_ops` sections.
 *
 * @returns `STRUCT.MEMBER` by section index and slot, as `SECTION:SLOT`.
 * @source linux tools/lib/bpf/libbpf.c bpf_object__collect_st_ops_relos
 */
export function structOpsTargets(elf: ElfFile, btf: Btf | undefined): ReadonlyMap<string, string> {
  const targets = new Map<string, string>();
  if (btf === undefined) return targets;
  for (const section of elf.sections) {
    if (!SECTIONS.test(section.name)) continue;
    const datasec = findDatasec(btf, section.name);
    if (datasec === undefined) continue;
    const variables = sectionVariables(btf, datasec);
    for (const { offset, symbol, addend } of elf.relocationsOf(section)) {
      if (symbol.section === undefined) continue;
      const at = variables.find((one) => offset >= one.offset && offset < one.offset + one.sizeBytes);
      const struct = at === undefined ? undefined : resolveType(btf, at.variable.type);
      if (at === undefined || struct?.kind !== "struct") continue;
      const member = struct.members.find((one) => one.offsetBits === (offset - at.offset) * 8);
      if (member === undefined) continue;
      const key = `${symbol.section}:${(symbol.value + (addend ?? 0)) / SLOT_BYTES}`;
      // A function may stand in several places of one kind; the first says which.
      if (!targets.has(key)) targets.set(key, `${struct.name}.${member.name}`);
    }
  }
  return targets;
}

/** Key of a function in {@link structOpsTargets}. */
export const structOpsKey = ({ section, slot }: CodeFunction): string => `${section.section.index}:${slot}`;
