import type { AtomicOp } from "@tsbpf/isa";
import { addressLines } from "./memory.ts";
import { DST, HI, LEAVE, LO, NEXT, type OpCase, SET_HI, SET_LO, SRC } from "./op-case.ts";

/**
 * Read-modify-write on memory that no other thread sees. Shared memory never has bounds for reading and writing at
 * once, so there every atomic leaves the loop; so does an address that is no multiple of the size.
 */
function rmwCase(atomicOp: AtomicOp, size: 4 | 8): OpCase {
  return {
    name: `atomic${size * 8}.${atomicOp}`,
    body: [
      DST,
      SRC,
      ...addressLines("d", size, "READ_WRITE", "bounds"),
      `if ((at & ${size - 1}) !== 0) ${LEAVE}`,
      ...(size === 4 ? rmw32(atomicOp) : rmw64(atomicOp)),
      NEXT,
    ],
    slow: "atomic",
  };
}

const AT = "at >>> 0";
const AT_HIGH = "(at + 4) >>> 0";
const OLD = `const old = view.getInt32(${AT}, true);`;
const OLD_HIGH = `const oldHigh = view.getInt32(${AT_HIGH}, true);`;
const PUT = (value: string): string => `view.setInt32(${AT}, ${value}, true);`;
const PUT_HIGH = (value: string): string => `view.setInt32(${AT_HIGH}, ${value}, true);`;

const BITWISE = { or: "|", and: "&", xor: "^" } as const;

function rmw32(atomicOp: AtomicOp): readonly string[] {
  const fetch = [SET_LO("s", "old"), SET_HI("s", "0")];
  switch (atomicOp) {
    case "add":
      return [OLD, PUT(`old + ${LO("s")}`)];
    case "or":
    case "and":
    case "xor":
      return [OLD, PUT(`old ${BITWISE[atomicOp]} ${LO("s")}`)];
    case "fetch_add":
      return [OLD, PUT(`old + ${LO("s")}`), ...fetch];
    case "fetch_or":
      return [OLD, PUT(`old | ${LO("s")}`), ...fetch];
    case "fetch_and":
      return [OLD, PUT(`old & ${LO("s")}`), ...fetch];
    case "fetch_xor":
      return [OLD, PUT(`old ^ ${LO("s")}`), ...fetch];
    case "xchg":
      return [OLD, PUT(LO("s")), ...fetch];
    case "cmpxchg":
      return [OLD, `if (old === ${LO("0")}) ${PUT(LO("s"))}`, "r[0] = old;", "r[1] = 0;"];
    case "load_acquire":
    case "store_release":
      return [];
  }
}

const ADD_HIGH = [
  `const sum = (old + ${LO("s")}) | 0;`,
  `const sumHigh = oldHigh + ${HI("s")} + (sum >>> 0 < old >>> 0 ? 1 : 0);`,
  PUT("sum"),
  PUT_HIGH("sumHigh"),
];

const bitwise64 = (op: string): readonly string[] => [
  PUT(`old ${op} ${LO("s")}`),
  PUT_HIGH(`oldHigh ${op} ${HI("s")}`),
];

function rmw64(atomicOp: AtomicOp): readonly string[] {
  const old = [OLD, OLD_HIGH];
  const fetch = [SET_LO("s", "old"), SET_HI("s", "oldHigh")];
  switch (atomicOp) {
    case "add":
      return [...old, ...ADD_HIGH];
    case "or":
    case "and":
    case "xor":
      return [...old, ...bitwise64(BITWISE[atomicOp])];
    case "fetch_add":
      return [...old, ...ADD_HIGH, ...fetch];
    case "fetch_or":
      return [...old, ...bitwise64("|"), ...fetch];
    case "fetch_and":
      return [...old, ...bitwise64("&"), ...fetch];
    case "fetch_xor":
      return [...old, ...bitwise64("^"), ...fetch];
    case "xchg":
      return [...old, PUT(LO("s")), PUT_HIGH(HI("s")), ...fetch];
    case "cmpxchg":
      return [
        ...old,
        `if (old === ${LO("0")} && oldHigh === (r[1] as number)) {`,
        `  ${PUT(LO("s"))}`,
        `  ${PUT_HIGH(HI("s"))}`,
        "}",
        "r[0] = old;",
        "r[1] = oldHigh;",
      ];
    case "load_acquire":
    case "store_release":
      return [];
  }
}

const RMW = [
  "add",
  "or",
  "and",
  "xor",
  "fetch_add",
  "fetch_or",
  "fetch_and",
  "fetch_xor",
  "xchg",
  "cmpxchg",
] as const satisfies readonly AtomicOp[];

export const ATOMIC_CASES: readonly OpCase[] = [
  ...RMW.flatMap((atomicOp) => [rmwCase(atomicOp, 4), rmwCase(atomicOp, 8)]),
  // Acquire loads and release stores of every size; they are rare and always leave the loop.
  { name: "atomic.ordered", body: [LEAVE], slow: "atomic" },
];
