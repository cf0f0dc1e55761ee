import { type Action, INSN_ROWS, type InsnRow, type SizeBytes } from "@tsbpf/isa";

const SIZE_SUFFIX: Readonly<Record<SizeBytes, string>> = { 1: "b", 2: "h", 4: "w", 8: "dw" };
const suffix32 = (width: 32 | 64): string => (width === 32 ? "32" : "");

type Named = Exclude<Action, { kind: "atomic" | "call" }>;

/** The first name is printed; the others are read too: LLVM has no mnemonics, these are GNU's and rbpf's. */
function namesOfAction(action: Named): readonly string[] {
  switch (action.kind) {
    case "alu": {
      if (action.aluOp.startsWith("movsx")) return [`${action.aluOp}${action.width}`];
      const name = `${action.aluOp}${suffix32(action.width)}`;
      return action.width === 64 ? [name, `${name}64`] : [name];
    }
    case "end":
      return action.order === "swap"
        ? [`swap${action.bits}`, `bswap${action.bits}`]
        : [`${action.order}${action.bits}`];
    case "addr_cast":
      return ["addr_space_cast"];
    case "load":
      return [`ldx${action.isSigned ? "s" : ""}${SIZE_SUFFIX[action.size]}`];
    case "store":
      return [`st${action.source === "x" ? "x" : ""}${SIZE_SUFFIX[action.size]}`];
    case "wide":
      return ["lddw"];
    case "packet":
      return [`ld${action.mode}${SIZE_SUFFIX[action.size]}`];
    case "ja":
      return action.distance === "off" ? ["ja"] : ["ja32", "jal", "gotol"];
    case "branch":
      return [`${action.jmpOp}${suffix32(action.width)}`];
    case "may_goto":
      return ["may_goto"];
    case "gotox":
      return ["gotox"];
    case "exit":
      return ["exit"];
  }
}

const ORDERED_NAMES = { load_acquire: "ldacq", store_release: "strel" } as const;

/** Names of an atomic operation: uBPF's after `lock`, GNU's as one word. */
function namesOfAtomic({ atomicOp, size }: Extract<Action, { kind: "atomic" }>): readonly string[] {
  if (atomicOp === "load_acquire" || atomicOp === "store_release") {
    return [`${ORDERED_NAMES[atomicOp]}${SIZE_SUFFIX[size]}`];
  }
  const suffix = size === 4 ? "32" : "";
  const gnu = { xchg: "axchg", cmpxchg: "acmp" } as const;
  const operation = atomicOp.replace("fetch_", "");
  const gnuName =
    atomicOp === "xchg" || atomicOp === "cmpxchg"
      ? gnu[atomicOp]
      : `a${atomicOp.startsWith("fetch_") ? "f" : ""}${operation}`;
  const old = atomicOp === "add" ? [`xadd${SIZE_SUFFIX[size]}`] : [];
  return [`lock ${atomicOp.replace("_", " ")}${suffix}`, `${gnuName}${suffix}`, ...old];
}

/** Returns every mnemonic of an instruction, the one that is printed first; empty for calls, which share `call`. */
export function mnemonicsOf(row: InsnRow): readonly string[] {
  const { action } = row;
  if (action.kind === "atomic") return namesOfAtomic(action);
  if (action.kind === "call") return [];
  return namesOfAction(action);
}

/** Rows by mnemonic: one, or two that differ in their second operand; all wide loads share one name. */
export const ROWS_OF_MNEMONIC: ReadonlyMap<string, readonly InsnRow[]> = (() => {
  const rows = new Map<string, InsnRow[]>();
  for (const row of INSN_ROWS) {
    for (const name of mnemonicsOf(row)) {
      const list = rows.get(name);
      if (list === undefined) rows.set(name, [row]);
      else list.push(row);
    }
  }
  return rows;
})();
