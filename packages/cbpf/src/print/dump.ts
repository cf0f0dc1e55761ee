import type { CbpfInsn } from "../insn.ts";

const K_DIGITS = 8;

/** Prints a program as `tcpdump -dd` does: the initialiser of an array of C. */
export const printCbpfFragment = (insns: readonly CbpfInsn[]): string =>
  insns
    .map(
      ({ code, jt, jf, k }) =>
        `{ 0x${code.toString(16)}, ${jt}, ${jf}, 0x${k.toString(16).padStart(K_DIGITS, "0")} },\n`,
    )
    .join("");

/** Prints a program as `tcpdump -ddd` does: how many instructions, then their fields in decimal. */
export const printCbpfDecimal = (insns: readonly CbpfInsn[]): string =>
  `${insns.length}\n${insns.map(({ code, jt, jf, k }) => `${code} ${jt} ${jf} ${k}\n`).join("")}`;
