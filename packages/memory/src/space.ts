import { printHex } from "@tsbpf/base";
import type { LinearMemory } from "./linear-memory.ts";
import { PERM, type Region } from "./region.ts";

/** Why an access is refused; the text names region and offset. */
export interface AccessFault {
  readonly code: "RUN_BOUNDS" | "RUN_READ_ONLY" | "RUN_WRITE_ONLY" | "RUN_NULL" | "RUN_ADDRESS";
  readonly text: string;
  readonly region: Region | undefined;
}

/**
 * Checks one access of a program that runs without proofs; the only place that decides.
 *
 * @param lo - low 32 bits of the address, unsigned.
 * @param hi - high 32 bits; anything but 0 is outside every memory.
 * @param size - bytes.
 * @param perm - one bit of {@link PERM}, or both.
 * @returns undefined when the access is allowed.
 */
export function checkRange(
  memory: LinearMemory,
  address: { readonly lo: number; readonly hi: number },
  size: number,
  perm: number,
): AccessFault | undefined {
  const lo = address.lo >>> 0;
  if (address.hi !== 0) {
    const whole = (BigInt(address.hi >>> 0) << 32n) | BigInt(lo);
    return {
      code: "RUN_ADDRESS",
      text: `address ${printHex(whole)} is no memory address`,
      region: undefined,
    };
  }
  const region = memory.regions.nearest(lo);
  if (region === undefined || lo >= region.end) return explainNowhere(lo, size, region);
  if (lo + size > region.end) {
    return {
      code: "RUN_BOUNDS",
      text: `${size} bytes at offset ${lo - region.start} of ${region.name}, which has ${region.end - region.start}`,
      region,
    };
  }
  if ((region.perm & perm) === perm) return undefined;
  return (perm & PERM.write) !== 0 && (region.perm & PERM.write) === 0
    ? { code: "RUN_READ_ONLY", text: `write of ${size} bytes to ${region.name}, which is read-only`, region }
    : {
        code: "RUN_WRITE_ONLY",
        text: `read of ${size} bytes from ${region.name}, which is write-only`,
        region,
      };
}

function explainNowhere(lo: number, size: number, below: Region | undefined): AccessFault {
  if (lo < 4096) {
    return { code: "RUN_NULL", text: `${size} bytes at ${printHex(lo)}, a null pointer`, region: undefined };
  }
  const near = below === undefined ? "" : `, ${lo - below.end} bytes past the end of ${below.name}`;
  return {
    code: "RUN_BOUNDS",
    text: `${size} bytes at ${printHex(lo)}, which no region holds${near}`,
    region: undefined,
  };
}
