import { BLOCK_LINES_MAX, Block } from "./block.ts";
import { type Completions, complete } from "./complete.ts";
import { fault, printFault } from "./fault.ts";
import { failWithHint, valueOfExpr } from "./hints.ts";
import { compileLine, endsFunction, labelOf } from "./lines.ts";
import { runLine } from "./run-line.ts";
import { Session, type SessionOptions } from "./session.ts";
import { didYouMean } from "./suggest.ts";
import type { Verb } from "./verb.ts";
import { findVerb, findWord, VERB_NAMES } from "./verbs/table.ts";

/** The answer to one input. */
export interface Reply {
  /** What to print, newline included; may be empty. */
  readonly output: string;
  /** Text of an error, without newline; the input changed nothing. */
  readonly error?: string;
  readonly isQuit: boolean;
}

const LINE_CHARS_MAX = 65_536;
const SOURCE_DEPTH_MAX = 8;

/** Reads inputs one after the other: assembly, verbs, gdb's words. Errors are values; nothing is thrown. */
export class Repl {
  readonly session: Session;
  /** Whether somebody types: then an empty line repeats the last step. */
  readonly isInteractive: boolean;
  private block: Block | undefined;
  private repeated: string | undefined;
  private wantsQuit = false;
  private sourceDepth = 0;

  constructor(options: SessionOptions & { readonly isInteractive?: boolean }) {
    this.session = new Session(options);
    this.isInteractive = options.isInteractive ?? false;
  }

  /** Whether the next line continues the last one. */
  get isPending(): boolean {
    return this.block !== undefined;
  }

  /** Forgets lines that wait for more. */
  cancel(): void {
    this.block = undefined;
  }

  quit(): void {
    this.wantsQuit = true;
  }

  /**
   * Executes one line of input.
   *
   * @param isTyped - whether somebody typed it: then an empty line repeats the last step.
   */
  async execute(line: string, isTyped = this.isInteractive): Promise<Reply> {
    return this.answer(() => this.take(line, isTyped));
  }

  /** Executes what still waits for more lines, at the end of the input. */
  async end(): Promise<Reply> {
    return this.answer(async () => {
      const { block } = this;
      this.block = undefined;
      if (block === undefined) return;
      if (block.kind === "braces") throw fault("REPL_LINE", "the input ends before }");
      if (block.kind === "brackets") throw fault("REPL_LINE", "the input ends before a closing bracket");
      await this.runCode(block.text, true);
    });
  }

  /** Lists what the text before the cursor may be completed with. */
  complete(text: string): Completions {
    return complete(text, this.session);
  }

  /** Executes the lines of a script; stops at the first error. */
  async runScript(text: string, name: string): Promise<void> {
    if (this.sourceDepth >= SOURCE_DEPTH_MAX)
      throw fault("REPL_LINE", `${name} is the ${SOURCE_DEPTH_MAX + 1}th script inside another`);
    this.sourceDepth++;
    try {
      let number = 0;
      for (const line of text.split("\n")) {
        number++;
        try {
          await this.take(line, false);
        } catch (error) {
          this.session.say(`${name}:${number}: ${line.trim().slice(0, 100)}`);
          throw error;
        }
        if (this.wantsQuit) return;
      }
    } finally {
      this.sourceDepth--;
    }
  }

  private async answer(work: () => Promise<void>): Promise<Reply> {
    let error: string | undefined;
    try {
      await work();
    } catch (thrown) {
      error = printFault(thrown);
    }
    const output = this.session.takeOutput();
    return { output, isQuit: this.wantsQuit, ...(error === undefined ? {} : { error }) };
  }

  private async take(raw: string, isTyped: boolean): Promise<void> {
    const line = raw.replace(/\r$/, "");
    if (line.length > LINE_CHARS_MAX)
      throw fault("REPL_LINE", `line of ${line.length} characters, ${LINE_CHARS_MAX} allowed`);
    if (this.block !== undefined && (await this.continueBlock(this.block, line))) return;
    const text = line.trim();
    if (text === "") return isTyped ? this.repeat() : undefined;
    if (/^(?:#|\/\/)/.test(text)) return;
    this.repeated = undefined;
    if (text.startsWith("!")) return this.runShell(text.slice(1).trim());
    const [verb, args] = this.findCommand(text);
    if (verb !== undefined) return this.runVerb(verb, args, text);
    if (text === "{") {
      this.block = new Block("braces", undefined);
      return;
    }
    const inner = /^\{(.*)\}$/s.exec(text)?.[1];
    if (inner !== undefined) return this.runCode(inner, true);
    if (labelOf(text) !== undefined && !endsFunction(text)) {
      this.block = new Block("label", text);
      return;
    }
    await this.runCode(text, false);
  }

  /** Takes a line of a block; says whether it was part of it. */
  private async continueBlock(block: Block, line: string): Promise<boolean> {
    const text = line.trim();
    if (block.lines.length > BLOCK_LINES_MAX) {
      this.block = undefined;
      throw fault("REPL_LINE", `more than ${BLOCK_LINES_MAX} lines without an end; they were dropped`);
    }
    if (block.kind === "braces" || block.kind === "brackets") this.checkInside(block, text);
    if (block.kind === "braces") {
      if (text !== "}") return void block.add(line) === undefined;
      this.block = undefined;
      await this.runCode(block.text, true);
      return true;
    }
    if (block.kind === "brackets") {
      if (!block.add(line)) return true;
      this.block = undefined;
      const [verb, args] = this.findCommand(block.text.trim());
      if (verb !== undefined) await this.runVerb(verb, args, block.text);
      return true;
    }
    const endsHere = text === "" || this.findCommand(text)[0] !== undefined;
    if (!endsHere && !block.add(line)) {
      if (block.kind === "open") this.checkAlone(line);
      return true;
    }
    this.block = undefined;
    await this.runCode(block.text, endsHere || block.kind === "label");
    return text === "" || !endsHere;
  }

  /** Drops a block in which a verb stands: its end was forgotten, and it would swallow all that follows. */
  private checkInside(block: Block, text: string): void {
    const name = /^\.([a-z]+)(?:\s|$)/.exec(text)?.[1];
    if (name === undefined || findVerb(name) === undefined) return;
    this.block = undefined;
    const end = block.kind === "braces" ? "}" : "a closing bracket";
    throw fault("REPL_LINE", `.${name} found before ${end}; the ${block.lines.length} lines were dropped`);
  }

  /** Refuses a line of a block at once when no later line can make it right. */
  private checkAlone(line: string): void {
    const result = compileLine(line, this.session.lineContext);
    if (result.kind !== "error") return;
    this.block = undefined;
    throw result.error;
  }

  /** Runs a command of the shell; what it prints goes to the terminal directly. */
  private async runShell(command: string): Promise<void> {
    const { host } = this.session;
    const isScript = this.sourceDepth > 0 && host.allowsShellInScripts !== true;
    if (host.shell === undefined || isScript) {
      throw fault(
        "REPL_UNSUPPORTED",
        "commands of the shell run where they are typed at a terminal; --shell allows them elsewhere",
      );
    }
    if (command === "") throw fault("REPL_USAGE", "a command needed: !COMMAND");
    const status = await host.shell(command);
    if (status !== 0) this.session.say(`exit status ${status}`);
  }

  private async repeat(): Promise<void> {
    if (this.repeated === undefined) return;
    const again = this.repeated;
    const [verb, args] = this.findCommand(again);
    if (verb !== undefined) await this.runVerb(verb, args, again);
  }

  /** Finds the verb that a line names, if it names one. */
  private findCommand(text: string): readonly [Verb | undefined, string] {
    if (text.startsWith("?")) return [findVerb("help"), text.slice(1).trim()];
    const examine = /^(x\/\w*)\s*(.*)$/s.exec(text);
    const formatted = /^(p|print|display)(\/[a-z]+\s.*)$/s.exec(text);
    if (formatted !== null) return [findWord(formatted[1] ?? ""), formatted[2] ?? ""];
    if (examine !== null) return [findVerb("mem"), `${examine[1]?.slice(1)} ${examine[2]}`];
    if (/^(?:[rRwW](?:10|\d)|fp|_)$/.test(text)) return [findVerb("print"), text];
    const dotted = /^\.([A-Za-z][\w-]*)(?:\s+(.*))?$/s.exec(text);
    if (dotted !== null) {
      const verb = findVerb(dotted[1] ?? "");
      if (verb !== undefined) return [verb, (dotted[2] ?? "").trim()];
      const name = dotted[1] ?? "";
      if (labelOf(text) !== undefined || DIRECTIVES.has(name)) return [undefined, ""];
      throw fault("REPL_VERB", `no verb .${name}${didYouMean(name, VERB_NAMES)}; .help lists them`);
    }
    const word = /^([A-Za-z][A-Za-z-]*)(?:\s+(.*))?$/s.exec(text);
    const isAssignment = /^=(?!=)/.test(word?.[2] ?? "");
    const verb = word === null || isAssignment ? undefined : findWord(word[1] ?? "");
    return [verb, (word?.[2] ?? "").trim()];
  }

  private async runVerb(verb: Verb, args: string, text: string): Promise<void> {
    if (verb.isOpen?.(args) === true) {
      this.block = new Block("brackets", text);
      return;
    }
    await verb.run(this.session, args, this);
    if (verb.isSaved === true && this.sourceDepth === 0) this.session.script.push(text);
    if (verb.isRepeated === true) this.repeated = text;
  }

  /** Executes code, or defines a function when it starts with a label and ends with `exit`. */
  private async runCode(text: string, isWhole: boolean): Promise<void> {
    const { session } = this;
    const name = labelOf(text);
    const isFunction = name !== undefined && endsFunction(text);
    const context = session.lineContext;
    const others = new Map([...context.funcs].filter(([one]) => !isFunction || one !== name));
    const result = compileLine(text, { ...context, funcs: others });
    if (isFunction) {
      if (result.kind === "error" || (result.kind === "open" && isWhole)) throw result.error;
      session.funcs.set(name, text);
      session.say(`function ${name}`);
      session.script.push(`{\n${text}\n}`);
      return;
    }
    if (result.kind === "open" && !isWhole) {
      this.block = new Block("open", text);
      return;
    }
    if (result.kind !== "ok") {
      if (CLASSIC_LINE.test(text))
        throw fault("REPL_LINE", "classic BPF found, .filter { and its lines until } take it");
      if (!text.includes("\n")) {
        const value = valueOfExpr(text, session);
        if (value !== undefined) return session.say(value);
        failWithHint(text, result.error, session);
      }
      throw result.error;
    }
    if (result.line.endSlot === 0) return;
    await runLine(result.line, session);
    if (text === "exit" && this.isInteractive) session.say("(exit is an instruction; .quit leaves)");
    session.lines.push(text);
    if (this.sourceDepth === 0) session.script.push(text.includes("\n") ? `{\n${text}\n}` : text);
  }
}

/** A line of classic BPF: operands in brackets or behind `#`, and no register of eBPF. */
const CLASSIC_LINE =
  /^(?:\w+:\s*)?(?:(?:ld[bhi]?|ldx[bi]?|stx?|ret|j\w+|add|and|or|lsh|rsh)\b[^%]*[[#]|tax$|txa$|ret\s+a$)/i;

/** Names with a dot that the assembler knows and no verb has. */
const DIRECTIVES: ReadonlySet<string> = new Set([
  "globl",
  "global",
  "local",
  "static",
  "text",
  "func",
  "insn",
  "size",
  "p2align",
  "align",
]);
