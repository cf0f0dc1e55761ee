import type { MapSpec } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import { alignOf, type Btf, type BtfVar, essentialName, findDatasec, resolveType, sizeOf } from "@tsbpf/btf";
import type { ElfFile } from "../elf/elf.ts";
import type { ElfSymbol } from "../elf/symbols.ts";
import { dataMap } from "../maps/data-maps.ts";
import { encodeKconfig, type KconfigValues, spellVirtual } from "./kconfig.ts";

/** Why a program that uses something cannot be loaded. */
export interface Defect {
  readonly code: string;
  readonly text: string;
}

/** A symbol that the object uses and does not define. */
export type Extern =
  /** A configuration option: a variable of the `.kconfig` map. */
  | { readonly kind: "kconfig"; readonly name: string; readonly offset: number; readonly defect?: Defect }
  /** A kernel variable; typed ones are found by name in the kernel's types. */
  | { readonly kind: "ksym" | "typed_ksym"; readonly name: string; readonly isWeak: boolean }
  /** A kernel function; whether the given kernel's types have it decides what a load of its address is. */
  | { readonly kind: "kfunc"; readonly name: string; readonly isWeak: boolean; readonly isFound: boolean }
  /** Without BTF the use decides: a call names a kernel function, a load a kernel variable. */
  | { readonly kind: "by_name"; readonly name: string; readonly isWeak: boolean }
  | { readonly kind: "unknown"; readonly name: string; readonly defect: Defect };

/** Where the variables of `.kconfig` lie. */
export interface KconfigLayout {
  /** Offset by VAR id. */
  readonly offsets: ReadonlyMap<number, number>;
  readonly sizeBytes: number;
}

/** Far more than the options of any kernel need. */
const KCONFIG_BYTES_LAST = 1 << 20;

interface KconfigVariable {
  readonly symbol: ElfSymbol;
  readonly variable: BtfVar;
  readonly sizeBytes: number;
  readonly align: number;
  readonly offset: number;
}

const isExtern = ({ sectionIndex, binding, name }: ElfSymbol): boolean =>
  sectionIndex === 0 && binding !== "local" && name !== "";

/** Orders by alignment, largest first, then size, then name (L-62), and places one after the other. */
function layOut(
  btf: Btf,
  symbols: readonly ElfSymbol[],
): { variables: KconfigVariable[]; sizeBytes: number } {
  const ids = idsByName(btf, ".kconfig");
  const found = symbols.flatMap((symbol) => {
    const id = ids.get(symbol.name);
    if (id === undefined || btf.kindOf(id) !== "var") return [];
    const variable = btf.typeOfKind(id, "var");
    return [{ symbol, variable, sizeBytes: sizeOf(btf, id), align: alignOf(btf, id) }];
  });
  found.sort(
    (a, b) =>
      b.align - a.align ||
      a.sizeBytes - b.sizeBytes ||
      (a.symbol.name < b.symbol.name ? -1 : a.symbol.name > b.symbol.name ? 1 : 0),
  );
  let sizeBytes = 0;
  const variables = found.map((entry) => {
    const offset = Math.ceil(sizeBytes / entry.align) * entry.align;
    sizeBytes = offset + entry.sizeBytes;
    return { ...entry, offset };
  });
  return { variables, sizeBytes };
}

/** What an object needs from outside. */
export interface Externs {
  readonly bySymbol: ReadonlyMap<number, Extern>;
  readonly kconfig: KconfigLayout | undefined;
  /** Bytes of the `.kconfig` map. */
  readonly kconfigBytes: Uint8Array;
}

function kernelExtern(
  { btf, target }: { readonly btf: Btf | undefined; readonly target: Btf | undefined },
  symbol: ElfSymbol,
  ksyms: ReadonlyMap<string, number>,
): Extern {
  const isWeak = symbol.binding === "weak";
  const name = essentialName(symbol.name);
  if (btf === undefined) return { kind: "by_name", name, isWeak };
  const id = ksyms.get(symbol.name);
  if (id === undefined) {
    const text = `symbol ${symbol.name} is not defined in this object and no kernel symbol; link the object that defines it`;
    return { kind: "unknown", name, defect: { code: "ELF_UNDEFINED", text } };
  }
  const isKnown = (kind: "func" | "var"): boolean => (target?.idsOf(name, kind).length ?? 0) > 0;
  if (btf.kindOf(id) === "func") return { kind: "kfunc", name, isWeak, isFound: isKnown("func") };
  const isTyped = resolveType(btf, btf.typeOfKind(id, "var").type).kind !== "void";
  // What a kernel lacks has address 0, where the object can do without it (L-36).
  const isLacking = isWeak && target !== undefined && !isKnown("var");
  return { kind: isTyped && !isLacking ? "typed_ksym" : "ksym", name, isWeak };
}

/** Ids of the variables and functions that a section of externs lists. */
function idsByName(btf: Btf | undefined, section: string): ReadonlyMap<string, number> {
  const entries = btf === undefined ? [] : (findDatasec(btf, section)?.vars ?? []);
  return new Map(entries.map(({ type }) => [btf?.type(type).name ?? "", type]));
}

/**
 * Collects the symbols that an object leaves undefined.
 *
 * A weak option without value reads 0; a strong one makes a defect of the programs that use it, and only of
 * those (L-22, L-62).
 *
 * @throws ELF_KCONFIG when a value does not fit its variable.
 */
export function collectExterns(
  elf: ElfFile,
  btf: Btf | undefined,
  values: {
    readonly kconfig: KconfigValues;
    readonly virtual: KconfigValues;
    /** Types of the kernel, where they are known. */
    readonly target?: Btf | undefined;
  },
  warnings: string[],
): Externs {
  const symbols = elf.symbols.filter(isExtern);
  const bySymbol = new Map<number, Extern>();
  const { variables, sizeBytes } = btf === undefined ? { variables: [], sizeBytes: 0 } : layOut(btf, symbols);
  if (sizeBytes > KCONFIG_BYTES_LAST) {
    throw new InputError(
      "ELF_KCONFIG",
      `${sizeBytes} bytes in .kconfig, at most ${KCONFIG_BYTES_LAST} allowed`,
    );
  }
  const kconfigBytes = new Uint8Array(sizeBytes);
  for (const { symbol, variable, offset } of variables) {
    const { name, binding } = symbol;
    const value = optionValue(btf, variable, values);
    let defect: Defect | undefined;
    if (value !== undefined && btf !== undefined) {
      kconfigBytes.set(encodeKconfig(btf, { name, typeId: variable.type }, value, warnings), offset);
    } else if (binding !== "weak") {
      defect = {
        code: "ELF_UNRESOLVED",
        text: `extern ${name} (strong) is not resolved: no value in kconfig`,
      };
    }
    bySymbol.set(symbol.index, {
      kind: "kconfig",
      name,
      offset,
      ...(defect === undefined ? {} : { defect }),
    });
  }
  const ksyms = idsByName(btf, ".ksyms");
  for (const symbol of symbols) {
    if (!bySymbol.has(symbol.index))
      bySymbol.set(symbol.index, kernelExtern({ btf, target: values.target }, symbol, ksyms));
  }
  const offsets = new Map(variables.map(({ variable, offset }) => [variable.id, offset]));
  return { bySymbol, kconfigBytes, kconfig: variables.length === 0 ? undefined : { offsets, sizeBytes } };
}

function optionValue(
  btf: Btf | undefined,
  variable: BtfVar,
  values: { readonly kconfig: KconfigValues; readonly virtual: KconfigValues },
): string | undefined {
  const { name, type } = variable;
  if (Object.hasOwn(values.kconfig, name)) return values.kconfig[name];
  if (btf === undefined || !Object.hasOwn(values.virtual, name)) return undefined;
  return spellVirtual(btf, type, values.virtual[name] ?? "0");
}

/** Makes the map of the configuration options (L-60, L-160); undefined when the object uses none. */
export const kconfigMap = (object: string, externs: Externs, btf: Btf | undefined): MapSpec | undefined =>
  externs.kconfig === undefined
    ? undefined
    : dataMap(object, ".kconfig", btf, {
        valueBytes: externs.kconfig.sizeBytes,
        bytes: externs.kconfigBytes,
        isReadOnly: true,
      });
