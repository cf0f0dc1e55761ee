import { type ProgSpec, protoOf } from "@tsbpf/abi";
import { disassemble, listProg, type PrintSymbols, printListing } from "@tsbpf/asm";
import { chooseProg, createVm } from "@tsbpf/vm";
import { printJson, readSource } from "./input.ts";

interface DisWords {
  readonly prog?: string;
  readonly opcodes?: boolean;
  readonly linum?: boolean;
  readonly syntax: "kernel" | "llvm" | "mnemonic";
  readonly json?: boolean;
  readonly pretty?: boolean;
}

/** Names for what a program's instructions refer to. */
export function symbolsOf(prog: ProgSpec): PrintSymbols {
  const maps = new Map(prog.mapRefs.map((ref) => [ref.slot, prog.maps[ref.mapIdx]?.name]));
  const kernel = new Map(prog.kernelRefs.map((ref) => [ref.slot, ref.name]));
  const funcs = new Map(prog.funcs.map((func) => [func.slot, func.name]));
  return {
    helperName: (id) => protoOf(id)?.name,
    kfuncName: (_insn, slot) => kernel.get(slot),
    mapName: (slot) => maps.get(slot),
    ksymName: (slot) => kernel.get(slot),
    labelName: (slot) => funcs.get(slot),
  };
}

/** Lists the instructions of programs, as `bpftool prog dump xlated` does unless another notation is asked for. */
export async function runDis(path: string, options: DisWords): Promise<void> {
  const spec = createVm().readSource(await readSource(path), { name: path.split("/").at(-1) ?? path });
  const progs = options.prog === undefined ? spec.progs : [chooseProg(spec.progs, options.prog)];
  const listing = (prog: ProgSpec) => ({
    symbols: symbolsOf(prog),
    sources: prog.lines,
    opcodes: options.opcodes ?? false,
    linum: options.linum ?? false,
  });
  if (options.json === true) {
    const entries = progs.map((prog) => ({ name: prog.name, insns: listProg(prog.insns, listing(prog)) }));
    return printJson(progs.length === 1 ? entries[0]?.insns : entries, options.pretty);
  }
  for (const prog of progs) {
    if (progs.length > 1) process.stdout.write(`${prog.name}: ${prog.type}, ${prog.insns.length} slots\n`);
    const text =
      options.syntax === "kernel"
        ? printListing(prog.insns, listing(prog))
        : disassemble(prog.insns, { syntax: options.syntax, symbols: symbolsOf(prog) });
    process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  }
}
