import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { REG, type Reg } from "../state/reg.ts";

const MAX_VAR_OFF = 2 ** 29;

/** One access: a base register with the instruction's offset added to its own. */
export interface Access {
  readonly reg: Reg;
  readonly regno: number;
  /** reg.off plus the instruction's offset. */
  readonly off: number;
  readonly size: number;
  readonly isWrite: boolean;
  readonly allowZero: boolean;
}

export const NEGATIVE_TEXT = "min value is negative, either use unsigned index or do a if (index >=0) check.";

function describe(access: Access, off: number, bytes: number): string {
  const { reg, size } = access;
  if (reg.type === REG.mapKey) return `invalid access to map key, key_size=${bytes} off=${off} size=${size}`;
  if (reg.type === REG.mapValue) {
    return `invalid access to map value, value_size=${bytes} off=${off} size=${size}`;
  }
  return `invalid access to memory, mem_size=${bytes} off=${off} size=${size}`;
}

const isInside = (off: number, access: Access, bytes: number): boolean =>
  off >= 0 && (access.size > 0 || access.allowZero) && off + access.size <= bytes;

/** Checks an access to a region of known size at every offset it may have. */
export function checkRegion(env: Env, access: Access, bytes: number): void {
  const { reg, regno, off } = access;
  const val = reg.val;
  // Rounding of numbers beyond 2^53 changes none of the comparisons.
  const lowest = val.sminNumber + off;
  if (val.sminNumber < 0 && lowest < 0) {
    reject(env, "MEM_NEGATIVE", "EACCES", `R${regno} ${NEGATIVE_TEXT}`);
  }
  if (!isInside(lowest, access, bytes)) {
    env.log.write(`${describe(access, lowest, bytes)}\n`);
    reject(env, "MEM_BOUNDS", "EACCES", `R${regno} min value is outside of the allowed memory range`);
  }
  if (val.umaxNumber >= MAX_VAR_OFF) {
    reject(
      env,
      "MEM_UNBOUNDED",
      "EACCES",
      `R${regno} unbounded memory access, make sure to bounds check any such access`,
    );
  }
  const highest = val.umaxNumber + off;
  if (!isInside(highest, access, bytes)) {
    env.log.write(`${describe(access, highest, bytes)}\n`);
    reject(env, "MEM_BOUNDS", "EACCES", `R${regno} max value is outside of the allowed memory range`);
  }
}
