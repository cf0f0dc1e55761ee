import { NOTHING, ProgText, SCALAR } from "./prog-text.ts";

export const SIZES = [1, 2, 4, 8] as const;
export const BITS: Readonly<Record<number, string>> = { 1: "u8", 2: "u16", 4: "u32", 8: "u64" };
const ALU = ["+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "s>>=", "s/=", "s%="];
export const TESTS = ["==", "!=", ">", ">=", "<", "<=", "s>", "s>=", "s<", "s<=", "&"];
export const NUMBERS = [
  0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 33, 63, 64, 127, 128, 255, 256, 4095, 65535, -1, -2, -8, -64,
  2147483647, -2147483648,
];
const WIDE = [
  "0x100000000",
  "0xffffffff",
  "0x8000000000000000",
  "0x7fffffffffffffff",
  "0xffffffff00000000",
  "0x80000000",
];
const STACK_BYTES = 64;

export const place = (off: number): string => (off < 0 ? `- ${-off}` : `+ ${off}`);

/** Writes what programs do with numbers and their frame. */
export class ScalarText extends ProgText {
  private readonly written = new Set<number>();

  protected scalar(): number {
    const found = this.find("scalar");
    if (found !== undefined && this.random.chance(80)) return found;
    const reg = this.target();
    this.loadScalar(reg);
    return reg;
  }

  protected loadScalar(reg: number): void {
    const kind = this.random.below(10);
    if (kind < 4) this.say(`r${reg} = ${this.pick(NUMBERS)}`);
    else if (kind < 5) this.say(`w${reg} = ${this.pick(NUMBERS)}`);
    else if (kind < 6) this.say(`r${reg} = ${this.pick(WIDE)} ll`);
    else {
      const ctx = this.find("ctx");
      if (ctx === undefined || this.whole.type === "tracepoint") this.say(`r${reg} = ${this.pick(NUMBERS)}`);
      else
        this.say(
          `r${reg} = *(u32 *)(r${ctx} + ${this.whole.type === "xdp" ? 12 : this.pick([0, 4, 8, 16, 40])})`,
        );
    }
    this.set(reg, SCALAR);
  }

  /** A value the verifier knows nothing of. */
  protected unknown(reg: number): void {
    this.say(`call ${this.pick([7, 5, 7, 8])}`);
    this.clobber();
    this.set(0, SCALAR);
    if (reg !== 0) {
      this.say(`r${reg} = r0`);
      this.set(reg, SCALAR);
    }
  }

  protected alu(): void {
    const reg = this.scalar();
    const wide = this.random.chance(65) ? "r" : "w";
    const kind = this.random.below(12);
    if (kind === 0) this.say(`${wide}${reg} = -${wide}${reg}`);
    else if (kind === 1)
      this.say(`r${reg} = ${this.pick(["bswap16", "bswap32", "bswap64", "be16", "le32", "be64"])} r${reg}`);
    else if (kind === 2) {
      const bits = this.pick(wide === "r" ? ["s8", "s16", "s32"] : ["s8", "s16"]);
      this.say(`${wide}${reg} = (${bits})${wide}${this.find("scalar") ?? reg}`);
    } else if (kind < 6) {
      const from = this.find("scalar") ?? reg;
      if (this.random.chance(30)) this.say(`${wide}${reg} = ${wide}${from}`);
      else this.say(`${wide}${reg} ${this.pick(ALU)} ${wide}${from}`);
    } else {
      const op = this.pick(ALU);
      const isShift = op.includes("<<") || op.includes(">>");
      const imm = isShift ? this.random.below(wide === "r" ? 64 : 32) : this.number(op);
      this.say(`${wide}${reg} ${op} ${imm}`);
    }
    this.set(reg, SCALAR);
  }

  protected number(op: string): number {
    const value = this.random.chance(80) ? this.pick(NUMBERS) : this.random.u32() | 0;
    return value === 0 && /[/%]/.test(op) ? 3 : value;
  }

  /** Stores to or loads from the frame, at fixed and unknown places. */
  protected stack(): void {
    const size = this.pick(SIZES);
    const slot = -size * this.random.range(1, STACK_BYTES / size);
    const off = this.random.chance(99) ? slot : slot + 1;
    if (this.random.chance(12)) {
      this.stackUnknown(size);
      return;
    }
    if (this.written.size === 0 || this.random.chance(55)) {
      if (this.random.chance(25)) this.say(`*(${BITS[size]} *)(r10 ${place(off)}) = ${this.pick(NUMBERS)}`);
      else {
        const from =
          size === 8 && this.random.chance(30)
            ? (this.find("ctx", "value", "packet", "maybe", "fp") ?? this.scalar())
            : this.scalar();
        this.say(`*(${BITS[size]} *)(r10 ${place(off)}) = r${from}`);
      }
      if (size === 8) this.written.add(off);
      return;
    }
    const known = this.random.chance(85) ? this.pick([...this.written]) : off;
    const reg = this.target();
    const sign = size < 8 && this.random.chance(20) ? BITS[size]?.replace("u", "s") : BITS[size];
    this.say(`r${reg} = *(${sign} *)(r10 ${place(known)})`);
    this.set(reg, SCALAR);
  }

  protected stackUnknown(size: number): void {
    for (let off = 8; off <= 32; off += 8) this.say(`*(u64 *)(r10 - ${off}) = 0`);
    const by = this.scalar();
    const reg = this.saved();
    if (reg === by) return;
    this.say(`r${by} &= ${this.pick([7, 15, 24])}`);
    this.say(`r${reg} = r10`);
    this.say(`r${reg} += -${this.pick([32, 32, 16])}`);
    this.say(`r${reg} += r${by}`);
    if (this.random.chance(50)) this.say(`*(${BITS[size]} *)(r${reg} + 0) = r${by}`);
    else {
      this.say(`r${by} = *(${BITS[size]} *)(r${reg} + 0)`);
    }
    this.set(reg, this.random.chance(50) ? { holds: "fp" } : NOTHING);
  }
}
