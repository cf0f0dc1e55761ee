import type { FuncSpec, LineSpec } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import type { Btf, BtfExt, BtfExtSection, FuncInfo, LineInfo } from "@tsbpf/btf";
import { SLOT_BYTES } from "@tsbpf/isa";
import { LOADER_LIMITS } from "../elf/constants.ts";
import type { PlacedFunction } from "./assemble.ts";

/** The records of an object, rebased to its programs (C-223, L-42). */
export interface RecordTable {
  /** @returns undefined when the records do not cover all functions of the program. */
  funcsOf(layout: readonly PlacedFunction[]): readonly FuncSpec[] | undefined;
  linesOf(layout: readonly PlacedFunction[]): readonly LineSpec[];
}

/** Merges the parts of each section and sorts by place in the code; checks that places are slots. */
function bySection<T extends { readonly insnOffset: number }>(
  parts: readonly BtfExtSection<T>[],
): ReadonlyMap<string, readonly T[]> {
  const merged = new Map<string, T[]>();
  for (const { section, records } of parts) {
    const list = merged.get(section) ?? [];
    for (const record of records) {
      if (record.insnOffset % SLOT_BYTES !== 0) {
        throw new InputError(
          "BTF_EXT_OFFSET",
          `record for byte ${record.insnOffset} of ${section}, a multiple of ${SLOT_BYTES} needed, in .BTF.ext`,
          { details: { section, insnOffset: record.insnOffset } },
        );
      }
      list.push(record);
    }
    merged.set(section, list);
  }
  for (const list of merged.values()) list.sort((a, b) => a.insnOffset - b.insnOffset);
  return merged;
}

/** Returns the index of the first record at or after a byte of the section. */
function lowerBound(records: readonly { readonly insnOffset: number }[], offset: number): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((records[middle]?.insnOffset ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

const startOf = ({ func }: PlacedFunction): number => func.slot * SLOT_BYTES;
const sectionOf = ({ func }: PlacedFunction): string => func.section.section.name;

function funcsOf(
  btf: Btf,
  records: ReadonlyMap<string, readonly FuncInfo[]>,
  layout: readonly PlacedFunction[],
): FuncSpec[] | undefined {
  const funcs: FuncSpec[] = [];
  for (const placed of layout) {
    const list = records.get(sectionOf(placed)) ?? [];
    const record = list[lowerBound(list, startOf(placed))];
    if (record === undefined || record.insnOffset !== startOf(placed)) return undefined;
    const { name, linkage } = btf.typeOfKind(record.typeId, "func");
    funcs.push({ name, slot: placed.slot, linkage, btfTypeId: record.typeId });
  }
  return funcs;
}

/**
 * Builds the table of function and line records.
 *
 * @param btf - the completed types, and the table of the file, whose strings the records name.
 */
export function buildRecords(btf: { readonly types: Btf; readonly strings: Btf }, ext: BtfExt): RecordTable {
  const funcs = bySection(ext.funcInfo);
  const lines = bySection(ext.lineInfo);
  let left: number = LOADER_LIMITS.totalSlots;
  return {
    funcsOf: (layout) => funcsOf(btf.types, funcs, layout),
    linesOf(layout) {
      const found: LineSpec[] = [];
      for (const placed of layout) {
        const list = lines.get(sectionOf(placed)) ?? [];
        const start = startOf(placed);
        const end = start + placed.func.slotCount * SLOT_BYTES;
        for (let i = lowerBound(list, start); i < list.length; i++) {
          const record = list[i];
          if (record === undefined || record.insnOffset >= end) break;
          if (--left < 0) {
            throw new InputError(
              "LIMIT_LINES",
              `more than ${LOADER_LIMITS.totalSlots} line records, in .BTF.ext`,
            );
          }
          found.push(lineSpec(btf.strings, record, placed.slot + (record.insnOffset - start) / SLOT_BYTES));
        }
      }
      return found;
    },
  };
}

const lineSpec = (btf: Btf, record: LineInfo, slot: number): LineSpec => ({
  slot,
  fileName: btf.stringAt(record.fileOffset),
  text: btf.stringAt(record.textOffset),
  line: record.line,
  column: record.column,
});
