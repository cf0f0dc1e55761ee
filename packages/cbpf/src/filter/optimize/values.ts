import { CBPF } from "../../rows.ts";

/** A number that stands for a value nobody knows. */
export const UNKNOWN = 0;

const OPCODE_STEP = 2 ** 32;

/**
 * Numbers values so that equal ones have equal numbers: a value is known by the operation and the numbers that it
 * came from. Constants keep what they are.
 */
export class ValueTable {
  private readonly numbers = new Map<number, Map<number, number>>();
  private readonly constants: (number | undefined)[] = [undefined];

  /** Returns the number of what an operation makes of two values, or of a constant and a value. */
  numberOf(code: number, first: number, second = 0): number {
    const key = code * OPCODE_STEP + first;
    let row = this.numbers.get(key);
    if (row === undefined) {
      row = new Map();
      this.numbers.set(key, row);
    }
    const known = row.get(second);
    if (known !== undefined) return known;
    const made = this.constants.length;
    this.constants.push(code === CBPF.ldImm ? first : undefined);
    row.set(second, made);
    return made;
  }

  /** Returns the number of a constant. */
  constant(value: number): number {
    return this.numberOf(CBPF.ldImm, value);
  }

  /** Returns the constant that a number stands for; undefined for what is none. */
  constantOf(number: number): number | undefined {
    return this.constants[number];
  }
}
