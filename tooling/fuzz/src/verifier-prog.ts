import { assemble } from "@tsbpf/asm";
import { encodeInsns } from "@tsbpf/isa";
import { type Holds, NOTHING, type Reg, SCALAR } from "./prog-text.ts";
import { Random } from "./random.ts";
import { BITS, NUMBERS, place, ScalarText, SIZES, TESTS } from "./scalar-text.ts";

/** A map of a random program, by numbers of uapi. */
interface RandomMap {
  readonly type: number;
  readonly key_size: number;
  readonly value_size: number;
  readonly max_entries: number;
  readonly flags?: number;
}

/** A random program as the cases protocol asks about it, with its text. */
export interface VerifierCase {
  readonly name: string;
  readonly prog_type: string;
  readonly insns: string;
  readonly maps: readonly RandomMap[];
  readonly fixups: readonly { readonly insn: number; readonly map: number }[];
  readonly text: string;
}

const MAPS: Readonly<Record<string, RandomMap>> = {
  arr: { type: 2, key_size: 4, value_size: 48, max_entries: 4 },
  hash: { type: 1, key_size: 8, value_size: 16, max_entries: 4 },
  ro: { type: 2, key_size: 4, value_size: 32, max_entries: 2, flags: 0x80 },
};
const MAP_NAMES = Object.keys(MAPS);
const VALUE_BYTES = (map: string): number => MAPS[map]?.value_size ?? 8;

const TYPES = ["xdp", "sched_cls", "socket_filter", "sched_cls", "tracepoint"];
/**
 * Writes one random program, mostly of things that make sense, so that about half of them are accepted.
 *
 * Loops have few iterations and nothing is attached or kept: programs are harmless to a kernel that is asked.
 */
class Writer extends ScalarText {
  private branch(): void {
    const reg = this.scalar();
    const wide = this.random.chance(65) ? "r" : "w";
    const other = this.random.chance(35)
      ? `${wide}${this.find("scalar") ?? reg}`
      : String(this.pick(NUMBERS));
    const skip = this.label();
    this.say(`if ${wide}${reg} ${this.pick(TESTS)} ${other} goto ${skip}`);
    this.inside(() => {
      this.some(this.random.range(1, 3));
      if (this.random.chance(15)) this.leave();
    });
    this.say(`${skip}:`);
    if (this.random.chance(10)) {
      const end = this.label();
      this.say(`goto ${end}`);
      this.say(`${end}:`);
    }
  }

  private lookup(): void {
    const map = this.pick(MAP_NAMES);
    if (MAPS[map]?.key_size === 4) this.say(`*(u32 *)(r10 - 4) = ${this.pick([0, 1, 9])}`);
    else this.say(`*(u64 *)(r10 - 8) = ${this.pick([0, 1, 9])}`);
    this.say(`r2 = r10`);
    this.say(`r2 += ${MAPS[map]?.key_size === 4 ? -4 : -8}`);
    this.say(`r1 = map[${map}] ll`);
    this.say("call 1");
    this.clobber();
    this.set(0, { holds: "maybe", map });
    const keep = this.random.chance(20) ? 0 : this.saved();
    if (keep !== 0) {
      this.say(`r${keep} = r0`);
      this.set(keep, { holds: "maybe", map });
    }
    if (this.random.chance(90)) this.nullCheck();
  }

  private nullCheck(): void {
    const reg = this.find("maybe");
    if (reg === undefined) return;
    const map = this.regs[reg]?.map;
    const ok = this.label();
    this.say(`if r${reg} != 0 goto ${ok}`);
    this.inside(() => this.leave());
    this.say(`${ok}:`);
    this.regs = this.regs.map((one) =>
      one.holds === "maybe" && one.map === map ? { ...one, holds: "value" } : one,
    );
  }

  private value(): void {
    const reg = this.find("value");
    if (reg === undefined) {
      this.lookup();
      return;
    }
    const bytes = VALUE_BYTES(this.regs[reg]?.map ?? "arr");
    this.access(reg, bytes, this.regs[reg]?.map !== "ro" || this.random.chance(10));
  }

  /** Reads or writes through a pointer whose first `bytes` bytes are allowed, maybe behind an unknown offset. */
  private access(reg: number, bytes: number, isWritable: boolean): void {
    const size = this.pick(SIZES);
    let base = reg;
    let room = bytes;
    if (this.random.chance(35)) {
      const by = this.scalar();
      const mask = this.pick([3, 7, 15, 31]);
      base = this.saved();
      if (base === by || base === reg || by === reg) return;
      if (this.random.chance(50)) this.say(`r${by} &= ${mask}`);
      else {
        const ok = this.label();
        this.say(
          `if ${this.pick(["r", "r", "w"])}${by} ${this.pick(["<=", "<=", "<", "s<="])} ${mask} goto ${ok}`,
        );
        this.inside(() => this.leave());
        this.say(`${ok}:`);
      }
      this.say(`r${base} = r${reg}`);
      this.say(`r${base} ${this.random.chance(93) ? "+=" : "-="} r${by}`);
      this.set(base, NOTHING);
      room -= mask;
    }
    const last = Math.floor((room - size) / size) * size;
    const off =
      this.random.chance(92) && last >= 0
        ? size * this.random.range(0, last / size)
        : this.random.range(-2, bytes + 2);
    const at = `*(${BITS[size]} *)(r${base} ${place(off)})`;
    if (!isWritable || this.random.chance(55)) {
      const to = this.target();
      if (to === base) return;
      this.say(`r${to} = ${at}`);
      this.set(to, SCALAR);
    } else if (size >= 4 && this.regs[reg]?.holds === "value" && this.random.chance(20)) {
      const from = this.scalar();
      if (from !== base) this.say(`lock ${at} ${this.pick(["+=", "|=", "^=", "&="])} r${from}`);
    } else if (this.random.chance(50)) this.say(`${at} = ${this.pick(NUMBERS)}`);
    else this.say(`${at} = r${this.scalar()}`);
  }

  private packet(): void {
    const ready = this.find("packet");
    if (ready !== undefined && this.random.chance(70)) {
      this.access(ready, this.regs[ready]?.bytes ?? 14, true);
      return;
    }
    const ctx = this.find("ctx");
    if (ctx === undefined || (this.whole.type !== "xdp" && this.whole.type !== "sched_cls")) {
      this.alu();
      return;
    }
    const [data, end] = this.whole.type === "xdp" ? [0, 4] : [76, 80];
    const [at, stop, probe] = this.pick([
      [6, 7, 8],
      [7, 8, 9],
      [2, 3, 4],
      [6, 3, 4],
    ] as const);
    if (at === ctx || stop === ctx || probe === ctx) return;
    const bytes = this.pick([8, 14, 34]);
    this.say(`r${at} = *(u32 *)(r${ctx} + ${data})`);
    this.say(`r${stop} = *(u32 *)(r${ctx} + ${end})`);
    this.say(`r${probe} = r${at}`);
    this.say(`r${probe} += ${bytes}`);
    const ok = this.label();
    const test = this.random.chance(90)
      ? this.pick([`r${probe} <= r${stop}`, `r${stop} >= r${probe}`, `r${probe} < r${stop}`])
      : `r${probe} > r${stop}`;
    this.say(`if ${test} goto ${ok}`);
    this.inside(() => this.leave());
    this.say(`${ok}:`);
    this.set(stop, { holds: "end" });
    this.set(probe, NOTHING);
    this.set(at, { holds: "packet", bytes });
    this.access(at, bytes, true);
  }

  private loop(): void {
    if (this.depth > 1) {
      this.alu();
      return;
    }
    const counter = this.saved();
    const top = this.label();
    const count = this.pick([2, 3, 5, 10, 16]);
    this.say(`r${counter} = 0`);
    this.set(counter, { holds: "end" });
    this.say(`${top}:`);
    this.inside(() => this.some(this.random.range(1, 3)));
    this.say(`r${counter} += ${this.pick([1, 1, 1, 2])}`);
    this.say(`if r${counter} ${this.pick(["<", "s<", "!=", "<"])} ${count} goto ${top}`);
    this.set(counter, SCALAR);
  }

  private call(): void {
    const { whole } = this;
    if (this.depth > 2 || whole.funcs.length > 3) {
      this.alu();
      return;
    }
    const passes = this.random.below(3);
    const args: Reg[] = [];
    for (let i = 1; i <= passes; i++) {
      const kinds: readonly Holds[] = this.random.chance(50) ? ["scalar"] : ["value", "ctx", "packet", "fp"];
      const from = this.find(...kinds) ?? this.scalar();
      if (from < i && from > 0) return;
      if (from === 10) {
        this.say("*(u64 *)(r10 - 8) = 0");
        this.say("*(u64 *)(r10 - 16) = 0");
      }
      this.say(`r${i} = r${from}`);
      args.push(this.regs[from] ?? SCALAR);
    }
    const idx = whole.funcs.push("") - 1;
    this.say(`call f${idx}`);
    this.clobber();
    this.set(0, SCALAR);
    const inner = new Writer(this.random, whole, { args, depth: this.depth + 1 });
    whole.funcs[idx] = `.func f${idx}\n${inner.body()}`;
  }

  private helper(): void {
    const kind = this.random.below(6);
    if (kind < 3) {
      this.unknown(this.random.chance(20) ? 0 : this.saved());
      return;
    }
    if (kind === 3) {
      const map = this.pick(["arr", "hash"]);
      this.say("*(u64 *)(r10 - 8) = 0");
      for (let off = 16; off <= 56; off += 8) this.say(`*(u64 *)(r10 - ${off}) = ${this.pick(NUMBERS)}`);
      this.say("r2 = r10");
      this.say("r2 += -8");
      this.say("r3 = r10");
      this.say(`r3 += ${map === "arr" ? -56 : -24}`);
      this.say(`r1 = map[${map}] ll`);
      this.say("r4 = 0");
      this.say("call 2");
    } else {
      const ctx = this.find("ctx");
      if (ctx === undefined || (this.whole.type !== "sched_cls" && this.whole.type !== "socket_filter")) {
        this.alu();
        return;
      }
      const size = this.scalar();
      if (size === ctx) return;
      const max = this.pick([8, 16, 32]);
      this.say(`r4 = r${size}`);
      if (this.random.chance(85)) this.say(`r4 &= ${max - 1}`);
      if (this.random.chance(85)) this.say("r4 += 1");
      if (ctx !== 1) this.say(`r1 = r${ctx}`);
      this.say("r2 = 0");
      this.say("r3 = r10");
      this.say(`r3 += -${max}`);
      this.say("call 26");
    }
    this.clobber();
    this.set(0, SCALAR);
  }

  private pointerAlu(): void {
    // Linux reads in front of a tracepoint's context; nobody else should.
    const kinds: readonly Holds[] =
      this.whole.type === "tracepoint" ? ["value", "fp"] : ["value", "packet", "ctx", "fp"];
    const from = this.find(...kinds);
    if (from === undefined) {
      this.lookup();
      return;
    }
    const to = this.saved();
    if (to === from) return;
    this.say(`r${to} = r${from}`);
    this.say(`r${to} ${this.pick(["+=", "+=", "-="])} ${this.pick([0, 4, 8, -4, 16])}`);
    this.set(to, NOTHING);
    if (this.random.chance(50)) {
      const reg = this.target();
      if (reg !== to)
        this.say(`r${reg} = *(u${this.pick([8, 16, 32])} *)(r${to} ${place(this.pick([0, -8, -4, 4]))})`);
      this.set(reg, SCALAR);
    }
  }

  private leave(): void {
    this.say(`r0 = ${this.pick([0, 1, 2])}`);
    this.say("exit");
  }

  private some(count: number): void {
    for (let i = 0; i < count && this.budget > 0; i++) {
      this.budget -= 1;
      const kind = this.random.below(100);
      if (kind < 24) this.alu();
      else if (kind < 38) this.stack();
      else if (kind < 54) this.branch();
      else if (kind < 66) this.value();
      else if (kind < 76) this.packet();
      else if (kind < 81) this.loop();
      else if (kind < 87) this.call();
      else if (kind < 98) this.helper();
      else this.pointerAlu();
    }
  }

  private body(): string {
    while (this.budget > 0) this.some(4);
    if (this.random.chance(30)) {
      const reg = this.find("scalar");
      if (reg !== undefined && reg !== 0) this.say(`r0 = r${reg}`);
      else this.say("r0 = 0");
      this.say("exit");
    } else this.leave();
    return this.lines.join("\n");
  }

  program(): string {
    const keep = this.pick([6, 7, 8, 9]);
    this.say(`r${keep} = r1`);
    this.set(keep, { holds: "ctx" });
    const main = this.body();
    return [main, ...this.whole.funcs].join("\n");
  }
}

const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * Writes the random program of a seed: the same seed gives the same program.
 *
 * @param seed - any 32-bit number.
 */
export function verifierCase(seed: number): VerifierCase {
  const random = new Random(seed);
  const type = TYPES[random.below(TYPES.length)] ?? "xdp";
  const text = new Writer(
    random,
    { type, funcs: [], labels: 0 },
    { args: [{ holds: "ctx" }], depth: 0 },
  ).program();
  const prog = assemble(text);
  const names = [...new Set(prog.mapRefs.map((ref) => ref.name))];
  return {
    name: `seed ${seed}`,
    prog_type: type,
    insns: toHex(encodeInsns(prog.insns)),
    maps: names.map((name) => MAPS[name] as RandomMap),
    fixups: prog.mapRefs.map((ref) => ({ insn: ref.slot, map: names.indexOf(ref.name) })),
    text,
  };
}
