import type { LineSpec, ProgSpec, ProgTypeName } from "@tsbpf/abi";
import { printKernelInsn } from "@tsbpf/asm";
import { kernelHelpers } from "@tsbpf/helpers";
import { kernelMapTypes } from "@tsbpf/maps";
import type { Effect, RunInput } from "@tsbpf/plugin";
import { kernelProgTypes } from "@tsbpf/progs";
import { funcAt, type LinkedProg } from "@tsbpf/runtime";
import { type Verdict, verifyProg } from "@tsbpf/verifier";
import { createVm, type LiveObject, type Prog, prepareProg, type Vm } from "@tsbpf/vm";
import { Debuggee, type Stop } from "./debuggee.ts";
import type { Values } from "./expr.ts";
import type { ReplHost, ReplPlugins } from "./host.ts";
import type { LineContext } from "./lines.ts";
import type { Mark } from "./marks.ts";
import { DEFAULT_PACKET } from "./packet-fields.ts";
import { reportStop } from "./stop-text.ts";
import { symbolsOf } from "./symbols.ts";
import { printValue, readMemory } from "./values.ts";
import { placeOf, valueAddress } from "./variables.ts";

export interface SessionOptions {
  readonly host: ReplHost;
  /** Type of what is typed at the prompt; default `xdp`. */
  readonly progType?: ProgTypeName;
  /** Plugins that are there from the start. */
  readonly plugins?: ReplPlugins;
  /** Instructions that one line may execute; default 1,000,000. */
  readonly lineLimit?: number;
  /** Instructions that a run may execute; default 20,000,000. */
  readonly fuel?: number;
}

const LINE_LIMIT = 1_000_000;
/** Log level of the verifier that shows every instruction with its state. */
const LOG_EVERYTHING = 2;

/** All that a REPL remembers. Verbs read and change it; {@link Repl} drives it. */
export class Session {
  readonly host: ReplHost;
  vm: Vm;
  /** Names of the maps that were made at the prompt; they outlive what is loaded. */
  readonly ownMaps = new Set<string>();
  readonly debuggee: Debuggee;
  readonly lineLimit: number;
  progType: ProgTypeName;
  /** What is loaded, and its program that is being looked into. */
  object: LiveObject | undefined;
  prog: Prog;
  isScratch = true;
  /** What the verifier said of the program, when it was asked last. */
  verdict: Verdict | undefined;
  input: RunInput = { packet: DEFAULT_PACKET };
  /** Where the loaded program's view of a packet begins, when it is not where its type says. */
  private startsAt: RunInput["startsAt"];
  /** What `_` stands for: the last result. */
  last = 0n;
  /** Functions defined at the prompt. */
  readonly funcs = new Map<string, string>();
  /** Lines that were executed, for `.list`, `.run`, `.verify` and `.export` while nothing is loaded. */
  lines: string[] = [];
  /** All inputs that did something, for `.save`. */
  script: string[] = [];
  /** Labels of the program that was typed. */
  labels: ReadonlyMap<string, number> = new Map();
  readonly marks = new Map<string, Mark>();
  readonly displays: string[] = [];
  isTracing = false;
  private readonly plugins: ReplPlugins[] = [];
  private readonly written: string[] = [];
  private effectsSaid = 0;
  /** Programs that took the place of those of the object, by name. */
  private readonly changed = new Map<string, Prog>();
  private judged:
    | { readonly spec: ProgSpec; readonly steps: number | undefined; readonly verdict: Verdict }
    | undefined;

  constructor(options: SessionOptions) {
    this.host = options.host;
    this.progType = options.progType ?? "xdp";
    this.lineLimit = options.lineLimit ?? LINE_LIMIT;
    const { plugins } = options;
    this.vm = createVm({ helpers: kernelHelpers, mapTypes: kernelMapTypes, progTypes: kernelProgTypes });
    if (plugins !== undefined) this.addPlugins(plugins);
    this.debuggee = new Debuggee(this.host);
    if (options.fuel !== undefined) this.debuggee.fuel = options.fuel;
    this.prog = this.makeScratch();
    this.debuggee.start(this.prog, this.input);
  }

  /** Prints a line as part of the answer to the present input. */
  say(text: string): void {
    this.written.push(text);
  }
  /** Takes what was printed since the last call. */
  takeOutput(): string {
    const text = this.written.join("\n");
    this.written.length = 0;
    return text === "" ? "" : `${text}\n`;
  }

  get lineContext(): LineContext {
    return { vm: this.vm, progType: this.progType, funcs: this.funcs, last: this.last };
  }

  /** The program that runs at the moment, which a tail call may have changed. */
  get linked(): LinkedProg {
    return this.debuggee.stepper.prog;
  }

  /** Adds plugins for everything that is prepared from now on. */
  addPlugins(plugins: ReplPlugins): void {
    this.plugins.push(plugins);
    this.vm.registry.add(plugins);
  }

  /** Makes a VM with the plugins there are now and copies of the maps that were made at the prompt. */
  freshVm(): Vm {
    const vm = createVm({ helpers: kernelHelpers, mapTypes: kernelMapTypes, progTypes: kernelProgTypes });
    for (const { helpers: _, ...others } of this.plugins) vm.registry.add(others);
    vm.registry.add({ helpers: [...this.vm.registry.helpersById.values()] });
    for (const name of this.ownMaps) {
      const map = this.vm.maps.get(name);
      if (map === undefined) continue;
      const copy = vm.createMap(name, map.spec);
      for (const [key, value] of map.entries()) copy.set(key, value);
    }
    return vm;
  }

  /** Goes on in another VM, with nothing loaded; what belonged to the one before is gone. */
  moveTo(vm: Vm): void {
    const { points } = this.debuggee;
    if (points.all.length > 0) this.say(`${points.all.length} break- and watchpoints removed`);
    points.clear();
    this.vm = vm;
    this.object = undefined;
    this.changed.clear();
    this.marks.clear();
    this.labels = new Map();
    this.forgetVerdicts();
    this.isScratch = true;
    this.startsAt = undefined;
    this.prog = this.makeScratch();
    this.restart();
  }

  /** Forgets what is loaded; lines then run on nothing but the input. */
  unload(): void {
    this.moveTo(this.freshVm());
  }

  /** Prepares the programs of the object anew, because plugins changed, the one that runs excepted. */
  relinkOthers(): void {
    for (const spec of this.object?.spec.progs ?? []) {
      if (spec.name === this.prog.name || spec.defect !== undefined) continue;
      this.adopt(this.prepare(this.changed.get(spec.name)?.linked.spec ?? spec));
    }
  }

  private makeScratch(): Prog {
    const spec = {
      ...this.vm.readSource("r0 = 0\nexit", { progType: this.progType, name: "scratch" }).progs[0],
    } as ProgSpec;
    return prepareProg(this.vm, spec, { verify: "off" });
  }

  /** Takes a program of an object, or one that was typed, and stands before its first instruction. */
  openProg(prog: Prog, object: LiveObject | undefined, startsAt?: RunInput["startsAt"]): void {
    this.object = object;
    this.startsAt = startsAt;
    this.prog = prog;
    this.isScratch = false;
    this.progType = prog.linked.spec.type;
    this.restart();
  }

  /** Stands before the first instruction with the input in place. */
  restart(): void {
    this.effectsSaid = 0;
    this.debuggee.start(this.prog, this.runInput);
  }

  /** The input as runs get it. */
  get runInput(): RunInput {
    return this.startsAt === undefined ? this.input : { startsAt: this.startsAt, ...this.input };
  }

  /**
   * Prepares a program with the plugins there are now. It runs with checks even where the verifier accepts it:
   * registers and memory may be changed under it, so its proofs need not hold.
   */
  prepare(spec: ProgSpec): Prog {
    return prepareProg(this.vm, spec, { verify: "off" });
  }

  /** Asks the verifier about a program and remembers the answer. */
  judge(spec: ProgSpec): Verdict {
    this.verdict = verifyProg(spec, this.vm.verifyOptions());
    return this.verdict;
  }

  /**
   * What the verifier says of a program, with its log.
   *
   * @param steps - instructions that it may walk; all that Linux allows when omitted.
   */
  verdictOf(spec: ProgSpec, steps?: number): Verdict {
    if (this.judged?.spec !== spec || this.judged.steps !== steps) {
      const verdict = verifyProg(spec, {
        ...this.vm.verifyOptions(),
        logLevel: LOG_EVERYTHING,
        ...(steps === undefined ? {} : { insnLimit: steps }),
      });
      this.judged = { spec, steps, verdict };
    }
    return this.judged.verdict;
  }

  /** Forgets verdicts, because prototypes changed. */
  forgetVerdicts(): void {
    this.judged = undefined;
  }

  /** Values for expressions, at the present state. */
  values(): Values {
    const { stepper, machine } = this.debuggee;
    return {
      reg: (n) => stepper.reg(n),
      read: (address, sizeBytes) => readMemory(machine.env.memory, address, sizeBytes),
      name: (name) => this.valueOf(name),
      place: (name, field) => placeOf(this, name, field),
      entry: (map, key) => valueAddress(this, map, key),
    };
  }

  /** Value of a name in an expression. */
  valueOf(name: string): bigint | undefined {
    const { stepper } = this.debuggee;
    const { context } = this;
    switch (name) {
      case "_":
        return this.last;
      case "insns":
        return BigInt(stepper.insnCount);
      case "depth":
        return BigInt(stepper.machine.depth);
      case "pc":
        return BigInt(stepper.slot);
      case "ctx":
        return BigInt(context.address);
      case "pkt":
        return context.packet === undefined ? undefined : BigInt(this.packetSpan().start);
      case "pkt_end":
        return context.packet === undefined ? undefined : BigInt(this.packetSpan().end);
    }
    const func = this.funcSlot(name);
    if (func !== undefined) return BigInt(func);
    const map = this.vm.maps.get(name);
    return map === undefined ? undefined : BigInt(map.address);
  }

  get context() {
    return this.prog.context();
  }

  packetSpan(): { readonly start: number; readonly end: number } {
    const { regions } = this.vm.memory;
    const region = regions.all.find(({ kind, end, start }) => kind === "packet" && end > start);
    return { start: region?.start ?? 0, end: region?.end ?? 0 };
  }

  /** First slot of a function of the program that runs. */
  funcSlot(name: string): number | undefined {
    return this.linked.funcs.find((func) => func.name === name)?.start;
  }

  /** The source line that a slot was compiled from. */
  sourceOf(prog: LinkedProg, slot: number): LineSpec | undefined {
    const { lines } = prog.spec;
    let low = 0;
    let high = lines.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((lines[middle]?.slot ?? 0) <= slot) low = middle + 1;
      else high = middle;
    }
    const found = lines[low - 1];
    return found !== undefined && found.slot >= (funcAt(prog, slot)?.start ?? 0) ? found : undefined;
  }

  /** Prints one instruction as the verifier's log does, calls by name. */
  insnText(prog: LinkedProg, slot: number): string {
    return printKernelInsn(prog.spec.insns, slot, symbolsOf(prog.spec, this.vm, prog.funcs));
  }

  /** Prints where the program stands: function, source line, instruction. */
  whereText(): string {
    const { stepper } = this.debuggee;
    const { prog, slot } = stepper;
    const func = funcAt(prog, slot);
    const source = this.sourceOf(prog, slot);
    const place = func === undefined ? prog.spec.name : `${func.name}+${slot - func.start}`;
    const at =
      source === undefined
        ? ""
        : `  ; ${source.text.trim()} @ ${source.fileName.split("/").at(-1)}:${source.line}`;
    return `${place}${at}\n=> ${String(slot).padStart(4)}: ${this.insnText(prog, slot)}`;
  }

  /** Prints registers kernel-style, e.g. `R0=42 R6=ctx()`. */
  regsText(which: readonly number[]): string {
    const { stepper, machine } = this.debuggee;
    return which.map((n) => `R${n}=${printValue(stepper.reg(n), machine)}`).join(" ");
  }

  /**
   * Says what the program did beyond registers, memory and maps since it was asked last.
   *
   * @param all - those of a run away from the debugger; all of them are told.
   */
  sayEffects(all?: readonly Effect[]): void {
    const effects = all ?? this.debuggee.machine.effects;
    for (const effect of effects.slice(all === undefined ? this.effectsSaid : 0)) {
      const text = effect.kind === "count" ? undefined : this.host.describeEffect?.(effect);
      if (text !== undefined) this.say(`  ${text}`);
    }
    this.effectsSaid = effects.length;
  }

  /** Says why a command stopped and where. */
  reportStop(stop: Stop): void {
    reportStop(this, stop);
  }

  /** Removes a break- or watchpoint; says whether there was one. */
  removePoint(id: number): boolean {
    const { debuggee } = this;
    const isRemoved = debuggee.points.delete(id);
    debuggee.points.install(debuggee.stepper, debuggee.engineProg);
    return isRemoved;
  }

  /** Set by the display verb; evaluated at each stop. */
  showDisplays: () => void = () => {};

  /** A program of the object by name, prepared; undefined when there is none. */
  otherProg(name: string): Prog | undefined {
    if (this.object?.spec.progs.some((one) => one.name === name) !== true) return undefined;
    return this.changed.get(name) ?? this.object.prog(name);
  }

  /** Lets tail calls lead to a program that took the place of one of the object. */
  adopt(prog: Prog): void {
    this.changed.set(prog.name, prog);
    for (const spec of this.object?.spec.maps ?? []) {
      for (const { key, value } of spec.contents ?? []) {
        if (value instanceof Uint8Array || !("prog" in value) || value.prog !== prog.name) continue;
        const index = new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(0, true);
        this.vm.maps.get(spec.name)?.progSlots?.setProg(index, prog.engineProg);
      }
    }
  }
}
