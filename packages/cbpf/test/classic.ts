import { type CbpfInsn, parseCbpf } from "../src/index.ts";

/** Assembles classic text; tests write programs so. */
export const classic = (text: string): CbpfInsn[] => parseCbpf(text);

/** A random classic program that Linux takes: loads near the packet's start, jumps forward, scratch set before use. */
export function randomClassic(below: (end: number) => number, length: number): string {
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T;
  const k = (): string => String(pick([0, 1, 2, 4, 7, 12, 14, 20, 31, 255, 1500, 0x7fff_ffff, 0xffff_ffff]));
  const lines = ["ld #0", "st M[0]", "stx M[1]"];
  for (let at = lines.length; at < length; at++) {
    const left = length - at;
    const target = (): string => `L${at + 1 + below(Math.min(left, 20))}`;
    const small = (): number => below(40);
    const line = pick([
      () => `${pick(["ld", "ldh", "ldb"])} [${small()}]`,
      () => `${pick(["ld", "ldh", "ldb"])} [x + ${small()}]`,
      () => `ldxb 4*([${small()}]&0xf)`,
      () => `${pick(["ld", "ldx"])} #${k()}`,
      () => `${pick(["ld", "ldx"])} M[${below(2)}]`,
      () => `${pick(["st", "stx"])} M[${below(2)}]`,
      () => `${pick(["ld", "ldx"])} #len`,
      () => `${pick(["add", "sub", "mul", "or", "and", "xor"])} ${pick([`#${k()}`, "x"])}`,
      () => `${pick(["div", "mod"])} ${pick([`#${1 + below(300)}`, "x"])}`,
      () => `${pick(["lsh", "rsh"])} #${below(32)}`,
      () => `${pick(["lsh", "rsh"])} x`,
      () => pick(["neg", "tax", "txa"]),
      () => `and #0x3f`,
      () =>
        `${pick(["jeq", "jgt", "jge", "jset", "jne", "jlt", "jle"])} ${pick([`#${k()}`, "x"])}, ${target()}, ${target()}`,
      () => `ja ${target()}`,
      () => pick(["ret a", `ret #${k()}`]),
    ])();
    lines.push(line);
  }
  return `${lines.map((line, at) => `L${at}: ${line}`).join("\n")}\nL${length}: ret a\n`;
}
