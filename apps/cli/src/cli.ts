import { RejectError } from "@tsbpf/base";
import { Command, CommanderError, Help, InvalidArgumentError, Option } from "commander";
import { engineOption, verifyOption } from "./engine-options.ts";
import { EXIT } from "./exit.ts";
import { exitCodeOf, printError } from "./fail.ts";
import { addFilterOptions } from "./filter-options.ts";
import { readOtherWords } from "./other-words.ts";
import { spreadOption } from "./spread-option.ts";
import { addTraceCommands } from "./trace-commands.ts";
import { printVersion } from "./version.ts";

/** Thrown by a verb that has printed everything and only needs an exit status. */
class ExitWith extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

const kernelBtfOption = () =>
  new Option(
    "--kernel-btf <file>",
    "types of the kernel to judge by, e.g. /sys/kernel/btf/vmlinux; auto takes the running kernel's",
  );

const count = (value: string): number => {
  const number = Number(value);
  if (/^\d+$/.test(value) && Number.isSafeInteger(number)) return number;
  throw new InvalidArgumentError("A whole number is needed.");
};
const countFromOne = (value: string): number => {
  const number = count(value);
  if (number > 0) return number;
  throw new InvalidArgumentError("At least 1 is needed.");
};
const leave = (exitCode: number): void => {
  if (exitCode !== EXIT.ok) throw new ExitWith(exitCode);
};
const increase = (_value: string, before: number): number => before + 1;
const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** Says what an option does, and no word of a default where it may be given any number of times. */
function optionDescription(this: Help, option: Option): string {
  const { defaultValue } = option;
  return Array.isArray(defaultValue) && defaultValue.length === 0
    ? option.description
    : Help.prototype.optionDescription.call(this, option);
}

/**
 * Runs the command line.
 *
 * @returns the exit status: 0 ok, 1 a negative answer, 2 usage or unreadable input.
 */
export async function runCli(given: readonly string[]): Promise<number> {
  const other = readOtherWords(given);
  if (other.kind === "hint") {
    process.stderr.write(`error: unknown command ${JSON.stringify(given[0])}; ${other.hint}\n`);
    return EXIT.usage;
  }
  const { words } = other;
  const program = buildProgram();
  const isJson = words.includes("--json") || words.includes("-j");
  try {
    await program.parseAsync([...words], { from: "user" });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof ExitWith) return error.exitCode;
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (isJson)
      process.stdout.write(`${JSON.stringify({ error: printError(error).replace(/^error: /, "") })}\n`);
    else process.stderr.write(`${printError(error)}\n${error instanceof RejectError ? REFUSED_HINT : ""}`);
    return exitCodeOf(error);
  }
}

const REFUSED_HINT = "(tsbpf verify --explain says why; --verify off runs it all the same, with checks)\n";

function buildProgram(): Command {
  const program = new Command("tsbpf")
    .description("Run, verify, replay and inspect eBPF programs without a kernel.")
    .version(printVersion(), "-V, --version")
    .configureHelp({ optionDescription })
    .exitOverride()
    .addHelpText(
      "before",
      examples(
        "tsbpf replay prog.bpf.o traffic.pcap 'tcp port 80'",
        "tsbpf verify prog.bpf.o --explain",
        "tsbpf repl prog.bpf.o --packet traffic.pcap#3",
      ),
    )
    .addHelpText("after", "\ntsbpf help COMMAND says more of one.")
    .showHelpAfterError("(--help shows what there is)")
    .showSuggestionAfterError();
  addReplay(program);
  addTraceCommands(program, { count, countFromOne, collect, examples, leave });
  addRepl(program);
  addRun(program);
  addVerify(program);
  addListings(program);
  addMachineInterfaces(program);
  for (const command of program.commands) command.exitOverride();
  return program;
}

const examples = (...lines: readonly string[]): string =>
  `Examples:\n${lines.map((line) => `  $ ${line}`).join("\n")}\n`;

function addReplay(program: Command): void {
  addFilterOptions(program.command("replay"), { count, increase })
    .description("run a program on every packet of captures, or on those that a filter takes")
    .argument("[object]", "ELF object, assembly text, raw instructions or classic BPF")
    .argument(
      "[captures...]",
      "pcap, pcapng and trace files, gzip or not, - is standard input; then a filter of tcpdump",
    )
    .option("-r, --read <file>", "one more capture", collect, [])
    .option(
      "-w, --write <file>",
      "write the packets as the program leaves them, in the format of the name: .pcap, .pcapng or .tsbpf, of which the last two keep verdicts; .gz behind it compresses",
    )
    .option("--write-verdict <names>", "write packets with these verdicts only, e.g. XDP_PASS,XDP_TX")
    .option("-c, --count <n>", "stop after n packets", countFromOne)
    .option("--packets <range>", "replay these packets only, from 1: 3,10-20,100-")
    .option("--prog <name>", "program of an object with several")
    .option("--plugin <file>", "helpers, map types or program types of your own", collect, [])
    .option("--maps [names]", "print maps afterwards, all or those named")
    .option(
      "-v, --verbose",
      "a line a packet; -vv effects, map changes, failures traced; -vvv calls; -vvvv instructions",
      increase,
      0,
    )
    .option("--show-verdict <names>", "show packets with these verdicts only, e.g. XDP_DROP,trap")
    .option("-q, --quiet", "shorter lines, no table, no progress")
    .option("-n", "numbers, no names: always so")
    .option("-e, --link", "show link headers")
    .option(
      "-t",
      "no times; -tt seconds, -ttt since the last line, -tttt dates, -ttttt since the first",
      increase,
      0,
    )
    .option("-S, --absolute-tcp-sequence-numbers", "TCP's numbers as they are")
    .option("-x, --hex", "dump resulting packets in hex; -xx with the link header", increase, 0)
    .option("-X, --hex-text", "dump resulting packets in hex and text; -XX with the link header", increase, 0)
    .option("--histogram", "show how many packets took how many instructions")
    .option("--profile <file>", "write instruction counts by function stack, folded for flame graphs")
    .option("--coverage <file>", "write how often source lines ran, as lcov reads it")
    .option("--trace [what]", "print what runs: calls, insns or mem")
    .option("--trace-json <file>", "write every instruction as a JSON line, - for standard output")
    .option("-j, --json", "one JSON line a packet, then a summary")
    .option("-p, --pretty", "indent the JSON summary")
    .option(
      "--cpus <n>",
      "virtual CPUs, each a thread; 1, or as many as a trace was recorded with",
      countFromOne,
    )
    .addOption(spreadOption())
    .option("--ifindex <n>", "ingress_ifindex of every packet", count)
    .option("--queue <n>", "rx_queue_index of every packet", count)
    .option("--fuel <n>", "instructions that one run may execute", count)
    .option("--ethernet", "make an Ethernet header for IP packets that were captured without one")
    .option(
      "--against <side>",
      "compare: with an object, engine=, plugin=, verify=, prog=, kernel, or trace: what was recorded; repeatable",
      collect,
      [],
    )
    .option("--expect <file>", "compare with what a file expects, as --write-expect wrote it")
    .option("--write-expect <file>", "write verdicts, changed packets and maps as expectations")
    .option("--diff-write <file>", "write the packets that show differences")
    .option("--examples <n>", "packets shown of each kind of difference", count)
    .option("--live", "ask clocks, random numbers and helpers anew, whatever traces hold")
    .option("--strict", "fail on a truncated capture")
    .addOption(
      new Option("--color <when>", "colour verdicts").choices(["auto", "always", "never"]).default("auto"),
    )
    .addOption(engineOption())
    .addOption(verifyOption())
    .addOption(kernelBtfOption())
    .addHelpText(
      "before",
      examples(
        "tsbpf replay prog.bpf.o traffic.pcap",
        "tsbpf replay prog.bpf.o traffic.pcap 'tcp port 80 and not host 10.0.0.1'",
        "tsbpf replay prog.bpf.o traffic.pcapng --prog xdp_main -w out.pcapng --maps flows",
        "tsbpf replay prog.bpf.o - -vv --packets 1-10 < traffic.pcap.gz",
        "tsbpf replay old.bpf.o run.tsbpf --against new.bpf.o --diff-write differs.pcapng",
        "tsbpf replay prog.bpf.o traffic.pcap --expect traffic.expect.json",
      ),
    )
    .action(async (object: string, captures: string[], options) => {
      const { runReplayVerb } = await import("./verbs/replay.ts");
      const exitCode = await runReplayVerb(object, captures, options);
      if (exitCode !== EXIT.ok) throw new ExitWith(exitCode);
    });
}

function addRepl(program: Command): void {
  program
    .command("repl")
    .description("execute instructions as they are typed; step through programs, forwards and backwards")
    .argument(
      "[object]",
      "FILE or FILE:PROG to load: ELF object, assembly text, raw instructions or classic BPF",
    )
    .option("--filter <expression>", "load a filter of tcpdump as the program")
    .option(
      "--packet <packet>",
      "packet to start with: FILE#N of a capture, hex digits, or layers as in 'tcp dport=80 flags=syn'",
    )
    .option("--plugin <file>", "helpers, map types or program types of your own", collect, [])
    .option("--type <type>", "program type of what is typed", "xdp")
    .option("-e, --execute <lines>", "lines to execute first", collect, [])
    .option("-x, --script <file>", "script to execute first", collect, [])
    .option("--fuel <n>", "instructions that one run may execute; 20,000,000 when omitted", count)
    .option("--batch", "leave after -e and -x")
    .option("--keep-going", "go on after errors where nobody types")
    .option("--shell", "let !COMMAND run commands of the shell also where nobody types")
    .addOption(
      new Option("--color <when>", "colour what is printed and typed")
        .choices(["auto", "always", "never"])
        .default("auto"),
    )
    .addHelpText(
      "before",
      examples(
        "tsbpf repl",
        "tsbpf repl prog.bpf.o --packet traffic.pcap#3",
        "tsbpf repl -e 'r0 = 42' -e 'r0 *= 2'",
        "tsbpf repl prog.bpf.o --batch -x session.txt",
      ),
    )
    .addHelpText(
      "after",
      "\nAt the prompt .help lists the verbs; gdb's words b, r, s, n, c, fin, bt, p, x/16xb, watch, set work too.",
    )
    .action(async (object: string | undefined, options) => {
      const { runReplVerb } = await import("./verbs/repl.ts");
      const exitCode = await runReplVerb(object, options);
      if (exitCode !== EXIT.ok) throw new ExitWith(exitCode);
    });
}

function addRun(program: Command): void {
  program
    .command("run")
    .description("run a program once, as bpftool prog run does")
    .argument("<object>", "ELF object, assembly text or raw instructions")
    .argument("[words...]", "bpftool's words: data_in F data_out F ctx_in F ctx_out F repeat N")
    .option("--prog <name>", "program of an object with several")
    .option("--type <type>", "program type of assembly text or raw instructions", "xdp")
    .option("--data-in <file>", "packet; - is standard input")
    .option("--data-out <file>", "where the packet goes afterwards")
    .option("--ctx-in <file>", "context")
    .option("--ctx-out <file>", "where the context goes afterwards")
    .option("--repeat <n>", "how often", count)
    .option("--plugin <file>", "helpers, map types or program types of your own", collect, [])
    .option("--maps [names]", "print maps afterwards, all or those named")
    .option("--trace [what]", "print what runs: calls, insns or mem")
    .option("--fuel <n>", "instructions that one run may execute", count)
    .option("-v, --verbose", "say what compiling cost")
    .option("--exit-r0", "exit with the low byte of the result")
    .option("-j, --json", "one JSON document")
    .option("-p, --pretty", "indent JSON")
    .addOption(engineOption())
    .addOption(verifyOption())
    .addOption(kernelBtfOption())
    .addHelpText(
      "before",
      examples(
        "tsbpf run prog.bpf.o --data-in packet.bin",
        "tsbpf run code.s --type socket_filter data_in packet.bin repeat 1000",
      ),
    )
    .action(async (object: string, words: string[], options) => {
      const { runRunVerb } = await import("./verbs/run.ts");
      const exitCode = await runRunVerb(object, words, options);
      if (exitCode !== EXIT.ok) throw new ExitWith(exitCode);
    });
}

function addVerify(program: Command): void {
  program
    .command("verify")
    .description("say whether Linux would load a program, and why not")
    .argument("<object>", "ELF object, assembly text or raw instructions")
    .option("--prog <name>", "one program; all when omitted")
    .option("--type <type>", "program type of assembly text or raw instructions", "xdp")
    .option("--log-level <bits>", "kernel log: 1 failing path, 2 everything, 4 statistics", count, 0)
    .option("--explain", "reason, history and suggestion of a refusal")
    .addOption(kernelBtfOption())
    .option("--target <object[:func]>", "object whose function an extension (freplace) replaces")
    .option("--strict-alignment", "judge as a machine without unaligned access does")
    .option("-j, --json", "one JSON document")
    .option("-p, --pretty", "indent JSON")
    .addHelpText("before", examples("tsbpf verify prog.bpf.o --explain", "tsbpf verify code.s --log-level 2"))
    .action(async (object: string, options) => {
      const { runVerifyVerb } = await import("./verbs/verify.ts");
      const exitCode = await runVerifyVerb(object, options);
      if (exitCode !== EXIT.ok) throw new ExitWith(exitCode);
    });
}

function addListings(program: Command): void {
  program
    .command("dis")
    .description("list the instructions of a program")
    .argument("<object>", "ELF object or raw instructions")
    .option("--prog <name>", "one program; all when omitted")
    .option("--opcodes", "show the bytes of each instruction")
    .option("--linum", "show source lines with file and line")
    .addOption(
      new Option("--syntax <name>", "notation").choices(["kernel", "llvm", "mnemonic"]).default("kernel"),
    )
    .option("-j, --json", "one JSON document")
    .option("-p, --pretty", "indent JSON")
    .addHelpText(
      "before",
      examples("tsbpf dis prog.bpf.o --opcodes", "tsbpf dis prog.bpf.o --prog xdp_main --syntax llvm"),
    )
    .action(async (object: string, options) => (await import("./verbs/dis.ts")).runDis(object, options));
  program
    .command("asm")
    .description("assemble text to raw instructions")
    .argument("<text>", "kernel, LLVM or mnemonic notation; - is standard input")
    .option("-o, --output <file>", "where the bytes go; hex on standard output when omitted")
    .option("-j, --json", "one JSON document")
    .addHelpText("before", examples("tsbpf asm code.s -o code.bin", "echo 'r0 = 2; exit' | tsbpf asm -"))
    .action(async (text: string, options) => (await import("./verbs/asm.ts")).runAsm(text, options));
  program
    .command("progs")
    .alias("prog")
    .description("list the programs of an object")
    .argument("<object>", "ELF object")
    .option("-j, --json", "one JSON document")
    .option("-p, --pretty", "indent JSON")
    .addHelpText("before", examples("tsbpf progs prog.bpf.o"))
    .action(async (object: string, options) => (await import("./verbs/list.ts")).listProgs(object, options));
  program
    .command("maps")
    .alias("map")
    .description("list the maps of an object")
    .argument("<object>", "ELF object")
    .option("-j, --json", "one JSON document")
    .option("-p, --pretty", "indent JSON")
    .addHelpText("before", examples("tsbpf maps prog.bpf.o --json"))
    .action(async (object: string, options) => (await import("./verbs/list.ts")).listMaps(object, options));
  program
    .command("helpers")
    .description("list helpers, or show the page of one")
    .argument("[name]", "with or without bpf_")
    .option("--plugin <file>", "helpers of your own", collect, [])
    .option("-j, --json", "one JSON document")
    .addHelpText("before", examples("tsbpf helpers", "tsbpf helpers map_lookup_elem"))
    .action(async (name: string | undefined, options) =>
      (await import("./verbs/helpers.ts")).runHelpers(name, options),
    );
}

function addMachineInterfaces(program: Command): void {
  program
    .command("cases")
    .description("answer the cases protocol on standard input, one JSON object a line")
    .option("--no-verify", "load without the verifier; structural checks decide")
    .option("--no-log", "leave the verifier's log out")
    .addOption(engineOption())
    .addHelpText("before", examples("tsbpf cases --engine jit < cases.jsonl > answers.jsonl"))
    .action(async (options) => (await import("./verbs/cases.ts")).runCases(options));
  program
    .command("plugin")
    .description(
      "speak the bpf_conformance protocol: memory as hex argument, program as hex on standard input",
    )
    .argument("[memory]", "hex bytes")
    .option("--program <hex>", "the program, instead of standard input")
    .option("--interpret", "run it in the interpreter, as when nothing is said")
    .option("--jit", "run it in the jit")
    .addHelpText("before", examples("echo b700000007000000 9500000000000000 | tsbpf plugin --jit"))
    .action(async () => {
      throw new ExitWith(EXIT.usage);
    });
}
