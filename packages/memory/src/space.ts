import { printHex } from "@tsbpf/base";
import type { LinearMemory } from "./linear-memory.ts";
import { cellsAllow, locateInCells, PERM, type Region } from "./region.ts";

/** Why an access is refused; the text names region and offset. */
export interface AccessFault {
  readonly code: "RUN_BOUNDS" | "RUN_READ_ONLY" | "RUN_WRITE_ONLY" | "RUN_NULL" | "RUN_ADDRESS";
  readonly text: string;
  readonly region: Region | undefined;
}

/** Addresses below this count as null pointers with an offset. */
const NULL_PAGE_BYTES = 4096;

/**
 * Says whether a program that runs without proofs may make an access; the only place that decides. Allocates nothing.
 *
 * @param lo - low 32 bits of the address, of any sign; the caller has seen that the high 32 are 0.
 * @param size - bytes; 0 is always allowed, it touches nothing.
 * @param perm - one bit of {@link PERM}, or both.
 */
export function canAccess(memory: LinearMemory, lo: number, size: number, perm: number): boolean {
  if (size === 0) return true;
  const address = lo >>> 0;
  const region = memory.regions.at(address);
  if (region === undefined || size < 0 || address + size > region.end) return false;
  const { cells } = region;
  return cells === undefined
    ? (region.perm & perm) === perm
    : cellsAllow(cells, address - region.start, size, perm);
}

/**
 * Checks an access as {@link canAccess} does and says why it is refused.
 *
 * @param address - `lo` and `hi` are the halves of the address; anything but 0 in `hi` is outside every memory.
 * @returns undefined when the access is allowed.
 */
export function checkRange(
  memory: LinearMemory,
  address: { readonly lo: number; readonly hi: number },
  size: number,
  perm: number,
): AccessFault | undefined {
  if (size === 0) return undefined;
  const lo = address.lo >>> 0;
  if (address.hi !== 0) {
    const whole = (BigInt(address.hi >>> 0) << 32n) | BigInt(lo);
    return {
      code: "RUN_ADDRESS",
      text: `address ${printHex(whole)} is no memory address`,
      region: undefined,
    };
  }
  return canAccess(memory, lo, size, perm) ? undefined : explain(memory, lo, size, perm);
}

function explain(memory: LinearMemory, lo: number, size: number, perm: number): AccessFault {
  const region = memory.regions.nearest(lo);
  if (region === undefined || lo >= region.end) return explainNowhere(lo, size, region);
  const cell = region.cells === undefined ? undefined : locateInCells(region.cells, lo - region.start);
  if (cell === undefined) {
    const span = { name: region.name, offset: lo - region.start, bytes: region.end - region.start };
    return explainSpan({ ...span, perm: region.perm, region }, size, perm);
  }
  if (cell.window === undefined) {
    return {
      code: "RUN_BOUNDS",
      text: `${size} bytes at offset ${cell.offset} of element ${cell.index} of ${region.name}, which programs may not touch`,
      region,
    };
  }
  const { window } = cell;
  const name = `${window.name} ${cell.index} of ${region.name}`;
  return explainSpan(
    { name, offset: cell.offset, bytes: window.bytes, perm: window.perm, region },
    size,
    perm,
  );
}

interface Span {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  readonly perm: number;
  readonly region: Region;
}

function explainSpan(span: Span, size: number, perm: number): AccessFault {
  const { name, offset, bytes, region } = span;
  if (size < 0 || offset + size > bytes) {
    return {
      code: "RUN_BOUNDS",
      text: `${size} bytes at offset ${offset} of ${name}, which has ${bytes}`,
      region,
    };
  }
  return (perm & PERM.write) !== 0 && (span.perm & PERM.write) === 0
    ? { code: "RUN_READ_ONLY", text: `write of ${size} bytes to ${name}, which is not writable`, region }
    : { code: "RUN_WRITE_ONLY", text: `read of ${size} bytes from ${name}, which is not readable`, region };
}

function explainNowhere(lo: number, size: number, below: Region | undefined): AccessFault {
  if (lo < NULL_PAGE_BYTES) {
    return { code: "RUN_NULL", text: `${size} bytes at ${printHex(lo)}, a null pointer`, region: undefined };
  }
  const near = below === undefined ? "" : `, ${lo - below.end} bytes past the end of ${below.name}`;
  return {
    code: "RUN_BOUNDS",
    text: `${size} bytes at ${printHex(lo)}, which no region holds${near}`,
    region: undefined,
  };
}
