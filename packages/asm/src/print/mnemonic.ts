import { type Action, targetSlotOf, wideImm } from "@tsbpf/isa";
import { mnemonicsOf } from "../parse/mnemonic-names.ts";
import { type Printing, printCall, signed } from "./pseudo-c.ts";
import { isPrintableName } from "./symbols.ts";
import { printWideValue } from "./wide.ts";

const memory = (reg: number, off: number): string => `[%r${reg}${signed(off)}]`;

/** Prints where a jump leads: a name, or a signed distance. */
function target(printing: Printing, distance: number): string {
  const slot = targetSlotOf(printing.insn, printing.slot);
  const name = slot === undefined ? undefined : printing.symbols.labelName?.(slot);
  return name !== undefined && isPrintableName(name) ? name : signed(distance);
}

function wideValue({ insns, slot, symbols }: Printing, action: Extract<Action, { kind: "wide" }>): string {
  if (action.wideKind === "imm") return `0x${wideImm(insns, slot).toString(16)}`;
  return printWideValue(action.wideKind, insns, slot, symbols);
}

/** Prints a call; where LLVM would print a bare number, so does this notation. */
function callText(printing: Printing, action: Extract<Action, { kind: "call" }>): string {
  const text = printCall({ ...printing, style: { isLlvm: true, numbers: "dec" } }, action);
  return text.replace(/^call pc/, "call local ").replace(/ (r\d+)$/, " %$1");
}

/** Prints the operands of an instruction after its mnemonic. */
function operands(printing: Printing): string {
  const { dst, src, off, imm } = printing.insn;
  const { action } = printing.row;
  switch (action.kind) {
    case "alu":
      if (action.aluOp === "neg") return `%r${dst}`;
      return `%r${dst}, ${action.source === "x" ? `%r${src}` : imm}`;
    case "end":
    case "gotox":
      return `%r${dst}`;
    case "addr_cast":
      return `%r${dst}, %r${src}, ${imm >>> 16}, ${imm & 0xffff}`;
    case "load":
      return `%r${dst}, ${memory(src, off)}`;
    case "store":
      return `${memory(dst, off)}, ${action.source === "x" ? `%r${src}` : imm}`;
    case "atomic":
      return action.atomicOp === "load_acquire"
        ? `%r${dst}, ${memory(src, off)}`
        : `${memory(dst, off)}, %r${src}`;
    case "wide":
      return `%r${dst}, ${wideValue(printing, action)}`;
    case "packet":
      return action.mode === "abs" ? `${imm}` : `%r${src}, ${imm}`;
    case "ja":
      return target(printing, action.distance === "off" ? off : imm);
    case "may_goto":
      return target(printing, off);
    case "branch":
      return `%r${dst}, ${action.source === "x" ? `%r${src}` : imm}, ${target(printing, off)}`;
    case "call":
    case "exit":
      return "";
  }
}

/** Prints an instruction whose fields its row allows, in the mnemonic notation of uBPF and bpf_conformance. */
export function printMnemonic(printing: Printing): string {
  const { action } = printing.row;
  if (action.kind === "call") return callText(printing, action);
  const name = mnemonicsOf(printing.row)[0] ?? printing.row.id;
  const rest = operands(printing);
  return rest === "" ? name : `${name} ${rest}`;
}
