import type { CbpfInsn } from "../insn.ts";
import { insnOfFields } from "./decimal.ts";
import { shown, textFault } from "./errors.ts";

const COMMENT = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
const DECLARATION = /^[^{}]*=\s*\{([\s\S]*)\}\s*;?$/;
const FIELD = "\\s*(0[xX][0-9a-fA-F]+|\\d+)[uUlL]*\\s*";
const ROW = new RegExp(`\\{${FIELD},${FIELD},${FIELD},${FIELD},?\\s*\\}`, "g");
const REST = /[^\s,;]/;

/** Says whether text is `tcpdump -dd`'s output: rows in braces, alone or as a C array. */
export const isFragmentText = (text: string): boolean => withoutFrame(text).trimStart().startsWith("{");

function withoutFrame(text: string): string {
  const plain = text.replace(COMMENT, " ").trim();
  return DECLARATION.exec(plain)?.[1] ?? plain;
}

/**
 * Parses `tcpdump -dd`'s output: four numbers in braces an instruction.
 *
 * @throws CBPF_OPERAND for what is no such row, CBPF_NUMBER for a field out of range (InputError).
 */
export function parseFragmentText(text: string): CbpfInsn[] {
  const plain = withoutFrame(text);
  const left = plain.replace(ROW, " ");
  if (REST.test(left)) {
    textFault("CBPF_OPERAND", `${shown(left.trim())} found, { code, jt, jf, k } needed`);
  }
  return [...plain.matchAll(ROW)].map((row, i) => insnOfFields(row.slice(1).map(Number), `instruction ${i}`));
}
