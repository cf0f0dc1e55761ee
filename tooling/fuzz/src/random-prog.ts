import type { ProgSpec, ProgTypeName } from "@tsbpf/abi";
import { INSN_ROWS, type InsnRow, insnOfRow } from "@tsbpf/isa";
import { type Draft, helper, place, plain, row, wideDraft } from "./draft.ts";
import { Random } from "./random.ts";
import { type CallScope, draftCall, draftPacketAccess, FRAME_BYTES } from "./random-calls.ts";

export interface RandomProgOptions {
  readonly seed: number;
  /** Functions of the program, at most. Default 4. */
  readonly funcsMax?: number;
  /** Instructions of a function, at most. Default 24. */
  readonly insnsMax?: number;
  /** Maps that the program may use: the first an array with keys of 4 bytes, the second a hash, the third a prog_array. */
  readonly maps?: readonly ProgSpec["maps"][number][];
  readonly progType?: ProgTypeName;
  /**
   * Whether the program keeps the rules that the verifier would prove, but for its end: accesses in its own frame,
   * no register read before it is written. Default false.
   */
  readonly isSafe?: boolean;
  /**
   * Whether the program may call any helper of its type, look into the packet, and jump and call through registers.
   * Default false: the few helpers that generated code knows.
   */
  readonly isWide?: boolean;
}

/** Rows by the weight of their family, so that jumps and calls do not drown the rest. */
const FAMILIES = [
  [30, INSN_ROWS.filter(({ action }) => action.kind === "alu")],
  [5, INSN_ROWS.filter(({ action }) => action.kind === "end")],
  [14, INSN_ROWS.filter(({ action }) => action.kind === "load")],
  [14, INSN_ROWS.filter(({ action }) => action.kind === "store")],
  [8, INSN_ROWS.filter(({ action }) => action.kind === "atomic")],
  [14, INSN_ROWS.filter(({ action }) => action.kind === "branch")],
] as const;

const SMALL_IMMS = [0, 1, -1, 2, 3, 7, 8, 31, 32, 63, 64, 255, -256, 0x7fff_ffff, -0x8000_0000];
const HELPERS = {
  lookup: 1,
  update: 2,
  delete: 3,
  ktime: 5,
  random: 7,
  cpu: 8,
  tailCall: 12,
  loop: 181,
} as const;
/** Map types with elements that programs look up. */
const LOOKUP = /^(lru_)?(percpu_)?hash$|^(percpu_)?array$|^lpm_trie$/;
const FP = 10;
/** Words of its frame that a safe function uses. */
const FRAME_WORDS = FRAME_BYTES / 8;

/**
 * Makes a program that links: every instruction is valid, jumps stay in their function, functions end in an exit.
 *
 * It need not end by itself nor keep its accesses in bounds; run it with a budget and with checks.
 */
export function randomProg(options: RandomProgOptions): ProgSpec {
  return new Maker(options).make();
}

class Maker {
  private readonly random: Random;
  private readonly options: RandomProgOptions;
  private readonly funcCount: number;
  /** Instructions of the function that is being made where a jump may lead. */
  private starts: number[] = [];

  constructor(options: RandomProgOptions) {
    this.options = options;
    this.random = new Random(options.seed);
    this.funcCount = this.random.range(1, options.funcsMax ?? 4);
  }

  make(): ProgSpec {
    const funcs = Array.from({ length: this.funcCount }, (_, idx) => this.func(idx));
    const { insns, mapRefs } = place(funcs);
    return {
      name: `random_${this.options.seed}`,
      type: this.options.progType ?? "xdp",
      attachType: 0,
      flags: 0,
      license: "GPL",
      insns,
      maps: this.options.maps ?? [],
      mapRefs,
      kernelRefs: [],
      funcs: [],
      lines: [],
      autoload: true,
    };
  }

  private func(idx: number): Draft[] {
    const { random } = this;
    const drafts: Draft[] = [];
    const count = random.range(1, this.options.insnsMax ?? 24);
    if (this.isSafe) this.initialize(drafts, idx);
    else if (idx === 0 && random.chance(80)) this.preamble(drafts);
    const first = drafts.length;
    this.starts = [];
    while (drafts.length < count + first) {
      // A safe program may not land inside a sequence that sets up a call.
      this.starts.push(drafts.length);
      this.next(drafts, idx);
    }
    const last = drafts.length;
    if (this.isSafe || random.chance(50)) drafts.push(plain("mov64.x", { dst: 0, src: random.below(10) }));
    drafts.push(plain("exit"));
    this.starts.push(last);
    if (!this.isSafe) this.starts = drafts.map((_, i) => i);
    return drafts.map((one) => this.aim(one));
  }

  private get isSafe(): boolean {
    return this.options.isSafe === true;
  }

  /** Gives every register a value that the function may not rely on otherwise, and every slot of the frame. */
  private initialize(drafts: Draft[], idx: number): void {
    drafts.push(plain("mov64.k", { dst: 0, imm: this.imm() }));
    if (idx === 0) drafts.push(plain("mov64.x", { dst: 6, src: 1 }));
    for (let reg = idx === 0 ? 7 : 6; reg <= 9; reg++)
      drafts.push(plain("mov64.k", { dst: reg, imm: this.imm() }));
    if (idx === 0) this.refill(drafts);
    // As a callback it is given two arguments only.
    else if (idx === this.funcCount - 1) {
      for (let reg = 3; reg <= 5; reg++) drafts.push(plain("mov64.k", { dst: reg, imm: this.imm() }));
    }
    for (let i = 1; i <= FRAME_WORDS; i++)
      drafts.push(plain("st64", { dst: FP, off: -8 * i, imm: this.imm() }));
  }

  /** Gives r1..r5 values, as they hold none after a call. */
  private refill(drafts: Draft[]): void {
    for (let reg = 1; reg <= 5; reg++) drafts.push(plain("mov64.k", { dst: reg, imm: this.imm() }));
  }

  /** Keeps the context in r6 and loads packet pointers, as compiled programs do. */
  private preamble(drafts: Draft[]): void {
    drafts.push(plain("mov64.x", { dst: 6, src: 1 }), plain("ldx32", { dst: 7, src: 1, off: 0 }));
    if (this.random.chance(50)) drafts.push(plain("ldx32", { dst: 8, src: 1, off: 4 }));
  }

  private next(drafts: Draft[], idx: number): void {
    const { random } = this;
    if (this.options.isWide === true && random.chance(8)) {
      this.wideInsn(drafts, idx);
      return;
    }
    const roll = random.below(100);
    if (roll < 6) {
      this.call(drafts, idx);
      if (this.isSafe) this.refill(drafts);
    } else if (roll < 10) this.wide(drafts);
    else if (roll < 12) drafts.push({ insn: insnOfRow(row("may_goto")), target: 0 });
    else if (roll < 14) drafts.push({ insn: insnOfRow(row(random.pick(["ja", "gotol"]))), target: 0 });
    else if (roll < 15) drafts.push(plain("exit"));
    else if (roll < 17 && this.options.progType === "socket_filter") this.packetLoad(drafts);
    else this.plainInsn(drafts);
  }

  /** What only wide programs do. */
  private wideInsn(drafts: Draft[], idx: number): void {
    const { random } = this;
    const scope = this.scope(idx);
    const roll = random.below(100);
    if (roll < 40) drafts.push(...draftCall(scope));
    else if (roll < 65 && scope.progType !== "socket_filter" && this.hasContext(idx)) {
      drafts.push(...draftPacketAccess(scope, drafts.length, this.dataReg()));
    } else if (roll < 75) {
      const reg = random.range(1, 5);
      const func = this.later(idx);
      if (this.mayCall(func)) drafts.push({ ...wideDraft(reg, 4, 0, 0), func }, plain("callx", { dst: reg }));
    } else if (roll < 80 && !this.isSafe) {
      drafts.push({ ...wideDraft(1, 4, 0, 0), func: idx }, plain("gotox", { dst: 1 }));
    } else this.mapCall(drafts, random.pick(this.lookupMaps()));
    if (this.isSafe) this.refill(drafts);
  }

  /** Whether r6 holds the context, which programs that keep the rules must be sure of. */
  private hasContext(idx: number): boolean {
    return idx === 0 || !this.isSafe;
  }

  private scope(idx: number): CallScope {
    const { progType = "xdp", maps = [] } = this.options;
    const { random, isSafe, funcCount } = this;
    return { random, isSafe, funcCount, progType, maps, hasContext: this.hasContext(idx) };
  }

  /** Maps whose keys of up to 8 bytes and values fit in the frame. */
  private lookupMaps(): readonly number[] {
    return (this.options.maps ?? []).flatMap(({ type }, idx) => (LOOKUP.test(type) ? [idx] : []));
  }

  private plainInsn(drafts: Draft[]): void {
    const { random } = this;
    let roll = random.below(85);
    for (const [weight, rows] of FAMILIES) {
      roll -= weight;
      if (roll >= 0) continue;
      drafts.push(this.fill(random.pick(rows)));
      return;
    }
  }

  private fill(of: InsnRow): Draft {
    const { random } = this;
    const { action } = of;
    const isMemory = action.kind === "load" || action.kind === "store" || action.kind === "atomic";
    const isBaseSrc =
      action.kind === "load" || (action.kind === "atomic" && action.atomicOp === "load_acquire");
    const base = isMemory ? this.base() : 0;
    const data = this.dataReg();
    const dst = isMemory && !isBaseSrc ? base : data;
    const src = isMemory && isBaseSrc ? base : random.below(11);
    const insn = insnOfRow(of, {
      ...(of.dst === "reg" ? { dst } : {}),
      ...(of.src === "reg" ? { src: action.kind === "atomic" && !isBaseSrc ? this.dataReg() : src } : {}),
      ...(isMemory ? { off: this.offset(base) } : {}),
      ...(of.imm === "any" ? { imm: this.imm() } : {}),
    });
    return action.kind === "branch" ? { insn, target: 0 } : { insn };
  }

  /** A register that an instruction may change; a safe program keeps the context in r6. */
  private dataReg(): number {
    const reg = this.random.below(10);
    return this.isSafe && reg === 6 ? 7 : reg;
  }

  /** Mostly the frame, often the registers that hold context and packet. */
  private base(): number {
    const { random } = this;
    if (this.isSafe) return FP;
    const roll = random.below(100);
    return roll < 60 ? FP : roll < 80 ? random.range(6, 8) : roll < 97 ? FP : random.below(10);
  }

  private offset(base: number): number {
    const { random } = this;
    if (this.isSafe) return -8 * random.range(1, FRAME_WORDS);
    if (base !== FP) return random.chance(90) ? random.below(40) : random.range(-64, 600);
    if (random.chance(97)) return -8 * random.range(1, 64);
    return random.range(-520, 8);
  }

  private imm(): number {
    return this.random.chance(60) ? this.random.pick(SMALL_IMMS) : this.random.u32() | 0;
  }

  private wide(drafts: Draft[]): void {
    const { random } = this;
    const dst = this.dataReg();
    if (random.chance(30)) {
      drafts.push({ ...wideDraft(dst, 4, 0, 0), func: random.below(this.funcCount) });
      return;
    }
    drafts.push(wideDraft(dst, 0, random.u32() | 0, random.chance(50) ? 0 : random.u32() | 0));
  }

  private packetLoad(drafts: Draft[]): void {
    const { random } = this;
    const id = `ld${random.pick(["abs", "ind"])}${random.pick([8, 16, 32])}`;
    const imm = random.chance(80) ? random.below(70) : random.pick([-0x10_0000, -0x20_0000, -0x1000, -1]);
    drafts.push(plain(id, row(id).src === "reg" ? { src: random.below(10), imm } : { imm }));
  }

  private call(drafts: Draft[], idx: number): void {
    const { random } = this;
    const roll = random.below(100);
    if (roll < 40 && this.funcCount > 1) {
      // Mostly forwards, so that most programs do not recurse.
      const func = random.chance(92) ? this.later(idx) : idx;
      if (this.mayCall(func)) drafts.push({ insn: insnOfRow(row("call.subprog")), func });
    } else if (roll < 70 && (this.options.maps?.length ?? 0) > 1) this.mapCall(drafts);
    else if (roll < 78) this.loopCall(drafts);
    else if (roll < 84 && (this.options.maps?.length ?? 0) > 2) this.tailCall(drafts, idx);
    else if (roll < 87 && !this.isSafe) drafts.push(plain("callx", { dst: random.below(10) }));
    else drafts.push(helper(random.pick([HELPERS.ktime, HELPERS.random, HELPERS.cpu])));
  }

  /** Whether a function may be called: the main function of a safe program needs the context. */
  private mayCall(func: number): boolean {
    return func > 0 || !this.isSafe;
  }

  /** A function behind this one, or the last. */
  private later(idx: number): number {
    return this.random.range(Math.min(idx + 1, this.funcCount - 1), this.funcCount - 1);
  }

  private mapCall(drafts: Draft[], wideMap?: number): void {
    const { random } = this;
    const id = random.pick([HELPERS.lookup, HELPERS.lookup, HELPERS.update, HELPERS.delete]);
    drafts.push(
      plain("st32", { dst: FP, off: -8, imm: random.below(6) }),
      ...(wideMap === undefined ? [] : [plain("st32", { dst: FP, off: -4, imm: random.below(3) })]),
      { ...wideDraft(1, 1, 0, 0), map: wideMap ?? random.below(2) },
      plain("mov64.x", { dst: 2, src: FP }),
      plain("add64.k", { dst: 2, imm: this.isSafe || random.chance(97) ? -8 : -2 }),
    );
    if (id === HELPERS.update) {
      drafts.push(
        plain("mov64.x", { dst: 3, src: FP }),
        plain("add64.k", {
          dst: 3,
          imm: wideMap === undefined ? -8 * random.range(1, FRAME_WORDS) : -FRAME_BYTES,
        }),
        plain("mov64.k", { dst: 4, imm: random.chance(80) ? random.below(3) : random.below(9) }),
      );
    }
    drafts.push(helper(id));
    if (id !== HELPERS.lookup) return;
    const size = random.pick([8, 16, 32, 64]);
    const off = this.isSafe || random.chance(95) ? 0 : 8;
    drafts.push(
      { insn: insnOfRow(row("jeq64.k"), { dst: 0, imm: 0 }), target: drafts.length + 2 },
      plain(`ldx${size}`, { dst: this.dataReg(), src: 0, off }),
    );
  }

  private loopCall(drafts: Draft[]): void {
    const { random } = this;
    if (!this.mayCall(this.funcCount - 1)) return;
    drafts.push(
      plain("mov64.k", { dst: 1, imm: random.below(6) }),
      { ...wideDraft(2, 4, 0, 0), func: this.funcCount - 1 },
      plain("mov64.x", { dst: 3, src: random.pick([FP, 6]) }),
      plain("mov64.k", { dst: 4, imm: this.isSafe || random.chance(95) ? 0 : 1 }),
      helper(HELPERS.loop),
    );
  }

  private tailCall(drafts: Draft[], idx: number): void {
    const { random } = this;
    if (!this.hasContext(idx)) return;
    drafts.push(
      plain("mov64.x", { dst: 1, src: this.isSafe || random.chance(95) ? 6 : random.below(10) }),
      { ...wideDraft(2, 1, 0, 0), map: 2 },
      plain("mov64.k", { dst: 3, imm: random.below(4) }),
      helper(HELPERS.tailCall),
    );
    // One that fails leaves nothing in r0.
    if (this.isSafe) drafts.push(plain("mov64.k", { dst: 0, imm: this.imm() }));
  }

  /** Gives jumps their targets now that the function's length is known. */
  private aim(draft: Draft): Draft {
    if (draft.target === undefined || draft.target > 0) return draft;
    return { ...draft, target: this.random.pick(this.starts) };
  }
}
