import type { SizeBytes } from "@tsbpf/isa";
import { DST, HI, IMM, LEAVE, LO, NEXT, type OpCase, SET_HI, SET_LO, SRC } from "./op-case.ts";

/** Which of the three rights an access needs; the words of its bounds lie at this place of an entry. */
export type AccessClass = "READ" | "WRITE" | "READ_WRITE";

/** How an access is held within the memory. */
export type Guard =
  /** By the bounds that the instruction remembers. */
  | "bounds"
  /** By the memory alone: programs with proofs. */
  | "open";

/**
 * Computes the address `at`, from the first page on, and leaves the loop unless the access may be made.
 *
 * Of the bounds that the instruction's last word names, the first is the start, the second the length of the region,
 * the third that of one element, the fourth the distance of elements, 0 when the region is one piece.
 */
export function addressLines(
  base: "d" | "s",
  size: SizeBytes,
  access: AccessClass,
  guard: Guard,
): readonly string[] {
  const sum = `(r[${base}] as number) + (code[p - 2] as number)`;
  if (guard === "open") return [`const at = (${sum}) >>> 0;`, `if (at > last) ${LEAVE}`];
  return [
    `const at = (${sum}) | 0;`,
    `const e = ((code[p - 1] as number) + ${access}) | 0;`,
    "const from = (at - (bounds[e] as number)) | 0;",
    `if (${HI(base)} !== 0 || from < 0) ${LEAVE}`,
    "const stride = bounds[e + 3] as number;",
    "if (stride === 0) {",
    `  if (from > (bounds[e + 2] as number) - ${size}) ${LEAVE}`,
    `} else if (from >= (bounds[e + 1] as number) || from % stride > (bounds[e + 2] as number) - ${size}) ${LEAVE}`,
  ];
}

const AT = "at >>> 0";
const AT_HIGH = "(at + 4) >>> 0";

/** How a value of each size is read, zero-extended. */
const READ: Readonly<Record<SizeBytes, string>> = {
  1: `u8[${AT}] as number`,
  2: `view.getUint16(${AT}, true)`,
  4: `view.getInt32(${AT}, true)`,
  8: `view.getInt32(${AT}, true)`,
};

/** How a value of each smaller size is read, sign-extended. */
const READ_SIGNED: Readonly<Record<1 | 2 | 4, string>> = {
  1: `view.getInt8(${AT})`,
  2: `view.getInt16(${AT}, true)`,
  4: `view.getInt32(${AT}, true)`,
};

const WRITE: Readonly<Record<SizeBytes, (lo: string, hi: string) => readonly string[]>> = {
  1: (lo) => [`u8[${AT}] = ${lo};`],
  2: (lo) => [`view.setInt16(${AT}, ${lo}, true);`],
  4: (lo) => [`view.setInt32(${AT}, ${lo}, true);`],
  8: (lo, hi) => [`view.setInt32(${AT}, ${lo}, true);`, `view.setInt32(${AT_HIGH}, ${hi}, true);`],
};

const SIZES: readonly SizeBytes[] = [1, 2, 4, 8];

const GUARDS: readonly Guard[] = ["bounds", "open"];
const suffix = (guard: Guard): string => (guard === "open" ? ".open" : "");

function loadCase(size: SizeBytes, guard: Guard): OpCase {
  const high = size === 8 ? `view.getInt32(${AT_HIGH}, true)` : "0";
  return {
    name: `ldx${size * 8}${suffix(guard)}`,
    body: [
      DST,
      SRC,
      ...addressLines("s", size, "READ", guard),
      SET_LO("d", READ[size]),
      SET_HI("d", high),
      NEXT,
    ],
    slow: "memory",
  };
}

function signedLoadCase(size: 1 | 2 | 4, guard: Guard): OpCase {
  return {
    name: `ldxs${size * 8}${suffix(guard)}`,
    body: [
      DST,
      SRC,
      ...addressLines("s", size, "READ", guard),
      `const value = ${READ_SIGNED[size]};`,
      SET_LO("d", "value"),
      SET_HI("d", "value >> 31"),
      NEXT,
    ],
    slow: "memory",
  };
}

function storeCases(size: SizeBytes, guard: Guard): OpCase[] {
  const address = addressLines("d", size, "WRITE", guard);
  return [
    {
      name: `st${size * 8}${suffix(guard)}`,
      body: [DST, IMM, ...address, ...WRITE[size]("k", "k >> 31"), NEXT],
      slow: "memory",
    },
    {
      name: `stx${size * 8}${suffix(guard)}`,
      body: [DST, SRC, ...address, ...WRITE[size](LO("s"), HI("s")), NEXT],
      slow: "memory",
    },
  ];
}

export const MEMORY_CASES: readonly OpCase[] = [
  ...GUARDS.flatMap((guard) => [
    ...SIZES.map((size) => loadCase(size, guard)),
    ...([1, 2, 4] as const).map((size) => signedLoadCase(size, guard)),
    ...SIZES.flatMap((size) => storeCases(size, guard)),
  ]),
  {
    // Both halves lie in the first slot's words; the second slot is stepped over.
    name: "wide",
    body: [
      DST,
      SET_LO("d", "code[p - 3] as number"),
      SET_HI("d", "code[p - 2] as number"),
      "p = (p + 4) | 0;",
      NEXT,
    ],
  },
  { name: "packet", body: [LEAVE], slow: "packet" },
];
