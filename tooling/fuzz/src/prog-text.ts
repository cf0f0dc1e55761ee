import type { Random } from "./random.ts";

/** What the generator believes a register to hold; it may be wrong where branches meet. */
export type Holds = "nothing" | "scalar" | "ctx" | "fp" | "packet" | "end" | "value" | "maybe";

export interface Reg {
  readonly holds: Holds;
  readonly map?: string;
  /** Bytes of a packet that were checked. */
  readonly bytes?: number;
}

/** What a program's functions share. */
export interface Whole {
  readonly type: string;
  readonly funcs: string[];
  labels: number;
}

export const NOTHING: Reg = { holds: "nothing" };
export const SCALAR: Reg = { holds: "scalar" };

/** The text of one function as it grows, and what its registers hold. */
export class ProgText {
  protected readonly random: Random;
  protected readonly whole: Whole;
  readonly lines: string[] = [];
  protected regs: Reg[];
  protected depth: number;
  protected budget: number;
  protected readonly wildPerMille: number;

  constructor(
    random: Random,
    whole: Whole,
    entry: { readonly args: readonly Reg[]; readonly depth: number },
  ) {
    this.random = random;
    this.whole = whole;
    this.depth = entry.depth;
    this.budget = entry.depth === 0 ? random.range(6, 40) : random.range(2, 10);
    this.wildPerMille = this.pick([0, 0, 0, 4, 15]);
    this.regs = [NOTHING, ...entry.args];
    while (this.regs.length < 10) this.regs.push(NOTHING);
    this.regs.push({ holds: "fp" });
  }

  protected pick<T>(from: readonly T[]): T {
    return from[this.random.below(from.length)] as T;
  }

  protected say(line: string): void {
    this.lines.push(line);
  }

  protected label(): string {
    this.whole.labels += 1;
    return `l${this.whole.labels}`;
  }

  /** A register that holds one of these kinds; now and then any register at all. */
  protected find(...kinds: readonly Holds[]): number | undefined {
    if (this.random.below(1000) < this.wildPerMille) return this.random.below(11);
    const fit = this.regs.flatMap((reg, i) => (kinds.includes(reg.holds) ? [i] : []));
    return fit.length === 0 ? undefined : this.pick(fit);
  }

  protected set(idx: number, reg: Reg): void {
    if (idx < 10) this.regs[idx] = reg;
  }

  /** A register to overwrite, seldom one that is still needed. */
  protected target(): number {
    const free = this.regs.flatMap((reg, i) =>
      i < 10 && (reg.holds === "nothing" || reg.holds === "scalar") ? [i] : [],
    );
    return free.length === 0 || this.random.below(1000) < this.wildPerMille
      ? this.random.below(10)
      : this.pick(free);
  }

  /** A register that calls keep. */
  protected saved(): number {
    const free = [6, 7, 8, 9].filter((i) => ["nothing", "scalar"].includes(this.regs[i]?.holds ?? ""));
    return this.pick(free.length === 0 ? [6, 7, 8, 9] : free);
  }

  protected clobber(): void {
    for (let i = 1; i <= 5; i++) this.set(i, NOTHING);
  }

  /** Writes a part that may be skipped: what it sets counts only where both ways agree. */
  protected inside(write: () => void): void {
    const before = this.regs;
    this.regs = [...before];
    this.depth += 1;
    write();
    this.depth -= 1;
    this.regs = before.map((reg, i) =>
      reg.holds === this.regs[i]?.holds && reg.map === this.regs[i]?.map ? reg : NOTHING,
    );
  }
}
