import { INSN_ROWS, type Insn, insnOfRow, targetSlotOf } from "@tsbpf/isa";
import type { Random } from "../random.ts";
import { type Code, splice } from "./edit.ts";

/** Numbers at which checks change their minds. */
const EDGES: readonly number[] = [
  0, 1, -1, 2, 3, 4, 7, 8, -8, 15, 16, -16, 31, 32, 33, 63, 64, 127, 128, 255, 256, -256, 511, 512, -512,
  -520, 4095, 4096, 65535, 65536, 0x7fff, -0x8000, 0x1fff_ffff, 0x2000_0000, 0x7fff_ffff, -0x8000_0000,
  -0x7fff_ffff,
];
const HELPERS_LAST = 215;

/** Jumps of random code stay near, or nothing but jumps would be judged. */
const isJump = (insn: Insn): boolean => targetSlotOf(insn, 0) !== undefined;

/** Any instruction at all: the fields of most are drawn from an instruction that exists. */
export function randomInsn(random: Random): Insn {
  const number = (): number => (random.chance(80) ? random.pick(EDGES) : random.u32() | 0);
  const any = {
    op: random.below(256),
    dst: random.chance(95) ? random.below(11) : random.below(16),
    src: random.chance(95) ? random.below(11) : random.below(16),
    off: (number() << 16) >> 16,
    imm: random.chance(15) ? random.below(HELPERS_LAST + 1) : number() | 0,
  };
  if (random.chance(25)) return any;
  const of = insnOfRow(random.pick(INSN_ROWS));
  return {
    op: of.op,
    dst: random.chance(85) ? any.dst : of.dst,
    src: random.chance(50) ? any.src : of.src,
    off: isJump(of) ? random.range(-3, 9) : random.chance(40) ? random.range(-12, 12) : of.off,
    imm: random.chance(60) ? any.imm : of.imm,
  };
}

function tweak(random: Random, insn: Insn): Insn {
  switch (random.below(7)) {
    case 0:
      return { ...insn, op: random.chance(50) ? insn.op ^ (1 << random.below(8)) : random.below(256) };
    case 1:
      return { ...insn, op: insnOfRow(random.pick(INSN_ROWS)).op };
    case 2:
      return { ...insn, dst: random.chance(95) ? random.below(11) : random.below(16) };
    case 3:
      return { ...insn, src: random.chance(95) ? random.below(11) : random.below(16) };
    case 4:
      return {
        ...insn,
        off: random.chance(60)
          ? ((insn.off + random.range(-9, 9)) << 16) >> 16
          : (random.pick(EDGES) << 16) >> 16,
      };
    case 5:
      return { ...insn, imm: (insn.imm + random.range(-9, 9)) | 0 };
    default:
      return { ...insn, imm: random.chance(70) ? random.pick(EDGES) : random.u32() | 0 };
  }
}

const NEAR = [1, -1, 2, -2, 4, -4, 8, -8];
const OPERATION_BITS = [0x10, 0x20, 0x40, 0x80];
const SIZE_BITS = [0x08, 0x10];

/** A change after which the code is still well formed more often than not. */
function nudge(random: Random, insn: Insn): Insn {
  const isAccess = (insn.op & 7) < 4;
  switch (random.below(6)) {
    case 0:
      return { ...insn, op: insn.op ^ random.pick(isAccess ? SIZE_BITS : OPERATION_BITS) };
    case 1:
      return { ...insn, dst: random.below(11) };
    case 2:
      return insn.src === 0
        ? { ...insn, imm: (insn.imm + random.pick(NEAR)) | 0 }
        : { ...insn, src: random.below(11) };
    case 3:
      return isAccess || targetSlotOf(insn, 0) !== undefined
        ? { ...insn, off: ((insn.off + random.pick(NEAR)) << 16) >> 16 }
        : { ...insn, imm: (insn.imm + random.pick(NEAR)) | 0 };
    case 4:
      return { ...insn, imm: insn.imm === 0 ? insn.imm : (insn.imm + random.pick(NEAR)) | 0 };
    default:
      return insn.imm === 0 ? insn : { ...insn, imm: random.pick(EDGES) };
  }
}

/** One small change of a program, with what points behind it moved along. */
export function nudgeCode(random: Random, code: Code): Code {
  const { insns } = code;
  if (insns.length === 0) return code;
  const at = random.below(insns.length);
  const kind = random.below(100);
  if (kind < 76) {
    return { ...code, insns: insns.map((insn, slot) => (slot === at ? nudge(random, insn) : insn)) };
  }
  if (kind < 84) return splice(code, at, 1, []);
  if (kind < 92) return splice(code, at, 0, insns.slice(at, at + 1));
  const to = Math.min(at + 1, insns.length - 1);
  return {
    ...code,
    insns: insns.map((insn, slot) => (slot === at ? insns[to] : slot === to ? insns[at] : insn) as Insn),
  };
}

const WHOLE_SHARE = 60;
const RUN_SLOTS = 6;

/** Changes one thing of a program; now and then without moving along what pointed behind it. */
export function mutateCode(random: Random, code: Code, other: readonly Insn[]): Code {
  const { insns } = code;
  if (insns.length === 0) return { ...code, insns: [randomInsn(random)] };
  const at = random.below(insns.length);
  const len = Math.min(random.range(1, RUN_SLOTS), insns.length - at);
  const cut = (from: number, count: number, put: readonly Insn[]): Code => {
    if (random.chance(85)) return splice(code, from, count, put);
    return { ...code, insns: [...insns.slice(0, from), ...put, ...insns.slice(from + count)] };
  };
  const kind = random.below(100);
  if (kind < WHOLE_SHARE) {
    return { ...code, insns: insns.map((insn, slot) => (slot === at ? tweak(random, insn) : insn)) };
  }
  if (kind < 70) return cut(at, random.chance(70) ? 1 : len, []);
  if (kind < 77) return cut(at, 0, insns.slice(at, at + len));
  if (kind < 84) return cut(at, 0, [randomInsn(random)]);
  if (kind < 91) {
    const to = random.chance(60) ? Math.min(at + 1, insns.length - 1) : random.below(insns.length);
    return {
      ...code,
      insns: insns.map((insn, slot) => (slot === at ? insns[to] : slot === to ? insns[at] : insn) as Insn),
    };
  }
  if (kind < 97) {
    const from = random.below(Math.max(1, other.length));
    return cut(at, random.chance(50) ? len : 0, other.slice(from, from + len));
  }
  return { ...code, insns: insns.slice(0, at + 1) };
}
