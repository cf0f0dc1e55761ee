import { text } from "node:stream/consumers";
import { makeProgSpec } from "@tsbpf/abi";
import { parseHexBytes, TsbpfError } from "@tsbpf/base";
import { decodeInsns } from "@tsbpf/isa";
import { LinearMemory } from "@tsbpf/memory";
import { createMachine, type Engine, linkProg } from "@tsbpf/runtime";
import { conformanceHelpers, MEMORY_PROG } from "../conformance/environment.ts";
import { EXIT } from "../exit.ts";

interface PluginOptions {
  readonly memoryHex: string;
  readonly programHex: string | undefined;
  readonly engine: "interpreter" | "jit";
}

/** Reads the words of bpf_conformance: memory as hex, and `--program`, `--interpret`, `--jit`. */
function readWords(words: readonly string[]): PluginOptions {
  let memoryHex = "";
  let programHex: string | undefined;
  let engine: PluginOptions["engine"] = "interpreter";
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "--program") programHex = words[++i] ?? "";
    else if (word === "--jit") engine = "jit";
    else if (word === "--engine") engine = words[++i] === "jit" ? "jit" : "interpreter";
    else if (!word.startsWith("--")) memoryHex = word;
  }
  return { memoryHex, programHex, engine };
}

async function loadEngine(name: PluginOptions["engine"]): Promise<Engine> {
  return name === "jit"
    ? (await import("@tsbpf/jit")).createJit()
    : (await import("@tsbpf/interpreter")).interpreter;
}

const BUDGET = 1_000_000_000;
/** The suite's own programs store 8 bytes at r10 - 4. */
const STACK_SLACK_BYTES = 8;

/**
 * Speaks the bpf_conformance protocol: memory as hex in the arguments, program as hex on standard input, r0 as hex on
 * standard output. r1 holds the address of the memory, r2 its size.
 */
export async function runPlugin(words: readonly string[]): Promise<number> {
  try {
    const options = readWords(words);
    const engine = await loadEngine(options.engine);
    const bytes = parseHexBytes(options.memoryHex);
    const insns = decodeInsns(parseHexBytes(options.programHex ?? (await text(process.stdin))));
    process.stdout.write(`${execute(engine, insns, bytes)}\n`);
    return EXIT.ok;
  } catch (error) {
    process.stderr.write(`${error instanceof TsbpfError ? error.summary() : String(error)}\n`);
    return EXIT.negative;
  }
}

function execute(engine: Engine, insns: ReturnType<typeof decodeInsns>, bytes: Uint8Array): string {
  const memory = new LinearMemory({ initialBytes: 1 << 20 });
  const machine = createMachine({
    memory,
    services: conformanceHelpers.services,
    mapAt: () => undefined,
    isRecording: false,
    stackSlackBytes: STACK_SLACK_BYTES,
  });
  const address = bytes.length === 0 ? 0 : memory.alloc(bytes.length, { kind: "ctx", name: "memory" });
  memory.u8.set(bytes, address);
  const prog = linkProg(makeProgSpec(insns, { name: "program", type: "unspec" }), {
    maps: [],
    helpers: conformanceHelpers.byId,
    progType: MEMORY_PROG,
  });
  const ready = engine.prepare(prog, { isChecked: true });
  machine.budgetLeft = BUDGET;
  machine.current = ready;
  machine.regs[2] = address;
  machine.regs[4] = bytes.length;
  ready.runFunc(machine, 0);
  const half = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
  return `${half(machine.regs[1] ?? 0)}${half(machine.regs[0] ?? 0)}`.replace(/^0+(?=.)/, "");
}
