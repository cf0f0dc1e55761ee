import { type CbpfInsn, makeCbpf } from "../insn.ts";
import { shown, textFault } from "./errors.ts";

const FIELDS = 4;
const CODE_MAX = 0xffff;
const SKIP_MAX = 0xff;
const K_MAX = 0xffff_ffff;
const NUMBERS = /^[\d\s,]+$/;

/** Says whether text is `tcpdump -ddd`'s output: numbers, in lines or with commas between. */
export const isDecimalText = (text: string): boolean => NUMBERS.test(text);

/** Makes an instruction of its four fields, each of which has a range. */
export function insnOfFields(fields: readonly number[], what: string): CbpfInsn {
  const [code = -1, jt = -1, jf = -1, k = -1] = fields;
  const inRange = (value: number, max: number): boolean =>
    Number.isInteger(value) && value >= 0 && value <= max;
  const isSound =
    inRange(code, CODE_MAX) && inRange(jt, SKIP_MAX) && inRange(jf, SKIP_MAX) && inRange(k, K_MAX);
  if (isSound) return makeCbpf(code, k, jt, jf);
  return textFault(
    "CBPF_NUMBER",
    `${fields.join(" ")} found for ${what}, code 0..${CODE_MAX}, jt and jf 0..${SKIP_MAX}, k 0..${K_MAX} needed`,
  );
}

/**
 * Parses `tcpdump -ddd`'s output: a count, then four numbers an instruction.
 *
 * @throws CBPF_COUNT when there are more or fewer, CBPF_NUMBER for a field out of range (InputError).
 */
export function parseDecimalText(text: string): CbpfInsn[] {
  const [count, ...fields] = text
    .split(/[\s,]+/)
    .filter((word) => word !== "")
    .map(Number);
  if (count === undefined || fields.length !== FIELDS * count) {
    const found = `count ${count ?? shown(text)} and ${fields.length} numbers found`;
    textFault("CBPF_COUNT", `${found}, ${FIELDS} numbers for each instruction needed`);
  }
  return Array.from({ length: count }, (_, i) =>
    insnOfFields(fields.slice(FIELDS * i, FIELDS * (i + 1)), `instruction ${i}`),
  );
}
