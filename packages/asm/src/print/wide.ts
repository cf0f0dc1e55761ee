import type { Insn, WideKind } from "@tsbpf/isa";
import { isPrintableName, type PrintSymbols } from "./symbols.ts";

const signed = (value: number): string => (value < 0 ? `${value}` : `+${value}`);

/**
 * Prints the value of a wide load so that its kind shows: `map[id:5]`, `map[id:5][0]+8`, `subprog[+3]`.
 *
 * The forms with numbers are bpftool's; those with names are ours.
 */
export function printWideValue(
  kind: Exclude<WideKind, "imm">,
  insns: readonly Insn[],
  slot: number,
  symbols: PrintSymbols,
): string {
  const imm = insns[slot]?.imm ?? 0;
  const next = insns[slot + 1]?.imm ?? 0;
  const printable = (name: string | undefined): string | undefined =>
    name !== undefined && isPrintableName(name) ? name : undefined;
  switch (kind) {
    case "map_fd": {
      const name = printable(symbols.mapName?.(slot));
      return `map[${name ?? `id:${imm >>> 0}`}]`;
    }
    case "map_value": {
      const name = printable(symbols.mapName?.(slot));
      return name === undefined
        ? `map[id:${imm >>> 0}][0]+${next >>> 0}`
        : `map_value[${name}+${next >>> 0}]`;
    }
    case "map_idx":
      return `map[idx:${imm >>> 0}]`;
    case "map_idx_value":
      return `map[idx:${imm >>> 0}]+${next >>> 0}`;
    case "btf_id": {
      const name = printable(symbols.ksymName?.(slot));
      if (name !== undefined) return `ksym ${name}`;
      return `btf[${imm}${next === 0 ? "" : `, ${next}`}]`;
    }
    case "func": {
      const name = printable(symbols.labelName?.(slot + 1 + imm));
      return name === undefined ? `subprog[${signed(imm)}]` : `func ${name}`;
    }
  }
}
