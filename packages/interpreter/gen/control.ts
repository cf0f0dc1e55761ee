import { JUMP, LEAVE, NEXT, type OpCase } from "./op-case.ts";

const SAVED = [12, 13, 14, 15, 16, 17, 18, 19];

/** Opens a frame as `pushFrame` of the runtime does; one too many leaves the loop, to trap there. */
const PUSH = [
  "const free = frames[sp + FRAMES_LEFT] as number;",
  `if (free === 0) ${LEAVE}`,
  "sp = (sp + FRAME_WORDS) | 0;",
  ...SAVED.map((reg, idx) => `frames[sp + ${idx}] = r[${reg}] as number;`),
  "frames[sp + RETURN_SLOT] = (p - base) >> 2;",
  "frames[sp + LEAVE] = 0;",
  "frames[sp + LOOPS_LEFT] = LOOPS;",
  "frames[sp + FRAMES_LEFT] = free - 1;",
  "r[20] = (r[20] as number) + FRAME_STRIDE_BYTES;",
];

/** Closes a frame as `popFrame` does; one whose caller is no code, or of another program, leaves the loop. */
const POP = [
  "if (frames[sp + LEAVE] !== 0) {",
  "  why = EXIT;",
  `  ${LEAVE}`,
  "}",
  ...SAVED.map((reg, idx) => `r[${reg}] = frames[sp + ${idx}] as number;`),
  "p = (base + ((frames[sp + RETURN_SLOT] as number) << 2)) | 0;",
  "sp = (sp - FRAME_WORDS) | 0;",
  "r[20] = (r[20] as number) - FRAME_STRIDE_BYTES;",
];

/** The same for functions that change only so many of r6..r9, and loop only as the verifier saw: see `predecode`. */
const shortCases = (keptCount: number): OpCase[] => {
  const kept = SAVED.slice(0, 2 * keptCount);
  const push = PUSH.filter((line) => !/r\[1\d\]|LEAVE\] =|LOOPS_LEFT/.test(line));
  const pop = POP.filter((line) => !/^r\[1\d\]/.test(line));
  return [
    {
      name: `call.subprog.${keptCount}`,
      body: [
        ...push,
        ...kept.map((reg, idx) => `frames[sp + ${idx}] = r[${reg}] as number;`),
        `frames[sp + LEAVE] = ${4 - keptCount} << UNKEPT_SHIFT;`,
        JUMP,
        NEXT,
      ],
      slow: "call",
    },
    {
      name: `exit.${keptCount}`,
      body: [
        "if (((frames[sp + LEAVE] as number) & LEAVES) !== 0) {",
        ...pop.slice(1, 4),
        ...kept.map((reg, idx) => `r[${reg}] = frames[sp + ${idx}] as number;`),
        ...pop.slice(4),
        NEXT,
      ],
      slow: "exit",
    },
  ];
};

const clear = (regs: readonly number[]): string[] => regs.map((reg) => `r[${reg}] = 0;`);
const R1_TO_R5 = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

/** Programs without proofs must not see what a caller or callee left in registers that hold nothing. */
export const CONTROL_CASES: readonly OpCase[] = [
  { name: "call.subprog", body: [...PUSH, JUMP, NEXT], slow: "call" },
  { name: "call.subprog.checked", body: [...PUSH, ...clear([0, 1, ...SAVED]), JUMP, NEXT], slow: "call" },
  { name: "exit", body: [...POP, NEXT], slow: "exit" },
  ...[0, 1, 2].flatMap(shortCases),
  { name: "exit.checked", body: [...POP, ...clear(R1_TO_R5), NEXT], slow: "exit" },
  {
    // A helper of a program with proofs that calls nothing back: no need to leave. Whatever it throws finds the place.
    name: "call.raw",
    body: [
      "stopped.p = (p - 4 - base) | 0;",
      "stopped.left = left;",
      "stopped.sp = sp;",
      "(raws[code[p - 3] as number] as RawHelper)(r, env);",
      NEXT,
    ],
    slow: "call",
  },
  { name: "call", body: [LEAVE], slow: "call" },
  { name: "break", body: [LEAVE], slow: "break" },
  { name: "bad", body: [LEAVE], slow: "bad" },
];
