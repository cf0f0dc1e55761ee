import type { FuncSpec, LineSpec, RawRecords } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import type { Btf, BtfExt, BtfExtSection, FuncInfo, LineInfo } from "@tsbpf/btf";
import { SLOT_BYTES } from "@tsbpf/isa";
import { LOADER_LIMITS } from "../elf/constants.ts";
import type { PlacedFunction } from "./assemble.ts";

/*
 * Computes: the records of each program, from those of the sections that its functions come from (C-223, L-42).
 * Assumes: types whose string offsets are those of the file.
 * Guarantees: what is wrong with a record, its type, order or strings, reaches whoever judges the program as it is.
 * Cost: one pass over a section's records where they are in no order, a search where they are.
 */

/** Records of one kind: raw as bpf(2) takes them, and as far as they mean something. */
export interface ProgRecords<T> {
  readonly raw: RawRecords;
  readonly specs: readonly T[];
}

/** The records of an object, rebased to its programs (C-223, L-42). */
export interface RecordTable {
  /** @returns undefined when some function has none; `specs` is empty when a record names no function. */
  funcsOf(layout: readonly PlacedFunction[]): ProgRecords<FuncSpec> | undefined;
  /** @returns undefined when no line is known; without `raw` when some function has none. */
  linesOf(
    layout: readonly PlacedFunction[],
  ): { readonly raw?: RawRecords; readonly specs: readonly LineSpec[] } | undefined;
}

interface Records<T> {
  readonly list: readonly T[];
  readonly isSorted: boolean;
}

/** Takes the first part of each section, as libbpf does; checks that places are slots. */
function bySection<T extends { readonly insnOffset: number }>(
  parts: readonly BtfExtSection<T>[],
): ReadonlyMap<string, Records<T>> {
  const found = new Map<string, Records<T>>();
  for (const { section, records } of parts) {
    if (found.has(section)) continue;
    let before = 0;
    let isSorted = true;
    for (const { insnOffset } of records) {
      if (insnOffset % SLOT_BYTES !== 0) {
        throw new InputError(
          "BTF_EXT_OFFSET",
          `record for byte ${insnOffset} of ${section}, a multiple of ${SLOT_BYTES} needed, in .BTF.ext`,
          { details: { section, insnOffset } },
        );
      }
      isSorted &&= insnOffset >= before;
      before = insnOffset;
    }
    found.set(section, { list: records, isSorted });
  }
  return found;
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

/** How many records all programs together may still take. */
class Allowance {
  private left: number = LOADER_LIMITS.totalSlots;

  take(count: number): void {
    this.left -= count;
    if (this.left >= 0) return;
    throw new InputError("LIMIT_LINES", `more than ${LOADER_LIMITS.totalSlots} records, in .BTF.ext`);
  }
}

/** Returns the records from the first within a function to the last before one behind it. */
function within<T extends { readonly insnOffset: number }>(
  records: Records<T> | undefined,
  { func }: PlacedFunction,
  allowance: Allowance,
): readonly T[] {
  if (records === undefined) return [];
  const { list, isSorted } = records;
  const start = func.slot * SLOT_BYTES;
  const end = start + func.slotCount * SLOT_BYTES;
  if (isSorted) {
    const found = list.slice(lowerBound(list, start), lowerBound(list, end));
    allowance.take(found.length);
    return found;
  }
  allowance.take(list.length);
  let first = -1;
  let last = -1;
  for (let i = 0; i < list.length; i++) {
    const at = list[i]?.insnOffset ?? 0;
    if (at >= end) break;
    if (at < start) continue;
    if (first < 0) first = i;
    last = i;
  }
  return first < 0 ? [] : list.slice(first, last + 1);
}

const sectionOf = ({ func }: PlacedFunction): string => func.section.section.name;

/** Slot within the program of a record of a function's section. */
const slotOf = ({ func, slot }: PlacedFunction, { insnOffset }: { readonly insnOffset: number }): number =>
  slot + insnOffset / SLOT_BYTES - func.slot;

function toRaw(words: readonly number[], recordBytes: number): RawRecords {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  return { bytes, recordBytes };
}

const FUNC_BYTES = 8;
const LINE_BYTES = 16;
const LINE_SHIFT = 10;

function funcSpec(btf: Btf, { typeId }: FuncInfo, slot: number): FuncSpec | undefined {
  if (btf.kindOf(typeId) !== "func") return undefined;
  const { name, linkage } = btf.typeOfKind(typeId, "func");
  return { name, slot, linkage, btfTypeId: typeId };
}

function lineSpec(btf: Btf, record: LineInfo, slot: number): LineSpec | undefined {
  const { fileOffset, textOffset, line, column } = record;
  if (fileOffset >= btf.stringBytes || textOffset >= btf.stringBytes) return undefined;
  return { slot, fileName: btf.stringAt(fileOffset), text: btf.stringAt(textOffset), line, column };
}

/**
 * Builds the table of function and line records.
 *
 * @param btf - the completed types, with the strings where the file has them.
 */
export function buildRecords(btf: Btf, ext: BtfExt): RecordTable {
  const funcs = bySection(ext.funcInfo);
  const lines = bySection(ext.lineInfo);
  const allowance = new Allowance();
  return {
    funcsOf(layout) {
      const words: number[] = [];
      const specs: FuncSpec[] = [];
      for (const placed of layout) {
        const found = within(funcs.get(sectionOf(placed)), placed, allowance);
        if (found.length === 0) return undefined;
        for (const record of found) {
          const slot = slotOf(placed, record);
          words.push(slot, record.typeId);
          const spec = funcSpec(btf, record, slot);
          if (spec !== undefined) specs.push(spec);
        }
      }
      const isWhole = specs.length * 2 === words.length;
      return { raw: toRaw(words, FUNC_BYTES), specs: isWhole ? specs : [] };
    },
    linesOf(layout) {
      const words: number[] = [];
      const specs: LineSpec[] = [];
      let isWhole = true;
      for (const placed of layout) {
        const found = within(lines.get(sectionOf(placed)), placed, allowance);
        isWhole &&= found.length > 0;
        for (const record of found) {
          const slot = slotOf(placed, record);
          const place = ((record.line << LINE_SHIFT) | record.column) >>> 0;
          words.push(slot, record.fileOffset, record.textOffset, place);
          const spec = lineSpec(btf, record, slot);
          if (spec !== undefined) specs.push(spec);
        }
      }
      if (words.length === 0) return undefined;
      return isWhole ? { raw: toRaw(words, LINE_BYTES), specs } : { specs };
    },
  };
}
