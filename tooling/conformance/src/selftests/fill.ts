/** One instruction slot as struct bpf_insn has it. */
export interface RawInsn {
  readonly code: number;
  readonly dst: number;
  readonly src: number;
  readonly off: number;
  readonly imm: number;
}

/** A program that the harness computes instead of spelling it out. */
export interface Filled {
  readonly insns: readonly RawInsn[];
  /** Slot that the second function record moves to. */
  readonly callbackSlot?: number;
}

const OP = { movReg64: 0xbf, movImm64: 0xb7, movImm32: 0xb4, call: 0x85, exit: 0x95, ja: 0x05 } as const;
const JNE32_K = 0x56;
const JNE_K = 0x55;
const JEQ_K = 0x15;
const LD_ABS_B = 0x30;
const STX_DW = 0x7b;
const ST_B = 0x72;
const XOR_X = 0xaf;
const RSH_K = 0x77;
const LD_IMM64 = 0x18;
const PSEUDO_CALL = 1;
const PSEUDO_FUNC = 4;
const FP = 10;
const FUNC = { prandom: 7, vlanPush: 18, vlanPop: 19, loop: 181 } as const;

const insn = (code: number, dst = 0, src = 0, off = 0, imm = 0): RawInsn => ({ code, dst, src, off, imm });
const EXIT = insn(OP.exit);
const call = (func: number): RawInsn => insn(OP.call, 0, 0, 0, func);
const jump = (off: number): RawInsn => insn(OP.ja, 0, 0, off);

const SLOTS_MAX = 1_000_000;
const JUMPS = 8192;
const PAGE_BYTES = 4096;
const SEED = 0x12345678;

/** Numbers for programs that only need some: the harness's are random too. */
function makeRandom(): () => number {
  let state = SEED;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state;
  };
}

/** Jumps over a long run of packet loads with vlan calls in between. */
function vlanPushPop(): Filled {
  const pushes = 51;
  const len = (1 << 15) - pushes * 2 * 5 * 6;
  const insns: RawInsn[] = [insn(OP.movReg64, 6, 1)];
  const toError = (): number => len - insns.length - 3;
  for (let round = 0; round < 5; round++) {
    for (let j = 0; j < pushes; j++) {
      insns.push(insn(LD_ABS_B));
      insns.push(insn(JNE32_K, 0, 0, toError(), 0x34));
      insns.push(insn(OP.movReg64, 1, 6), insn(OP.movImm64, 2, 0, 0, 1), insn(OP.movImm64, 3, 0, 0, 2));
      insns.push(call(FUNC.vlanPush));
      insns.push(insn(JNE_K, 0, 0, toError(), 0));
    }
    for (let j = 0; j < pushes; j++) {
      insns.push(insn(LD_ABS_B));
      insns.push(insn(JNE32_K, 0, 0, toError(), 0x34));
      insns.push(insn(OP.movReg64, 1, 6), call(FUNC.vlanPop));
      insns.push(insn(JNE_K, 0, 0, toError(), 0));
    }
  }
  while (insns.length < len - 3) insns.push(insn(OP.movImm64, 0, 0, 0, 0xbef));
  insns.push(jump(1), insn(OP.movImm32, 0), EXIT);
  return { insns };
}

function jumpAroundLdAbs(): Filled {
  const len = Math.floor((1 << 15) / 7);
  const insns: RawInsn[] = [insn(OP.movReg64, 6, 1), insn(LD_ABS_B)];
  insns.push(insn(JEQ_K, 0, 0, len - 2 - 2, 10));
  while (insns.length < len - 1) insns.push(insn(LD_ABS_B, 0, 0, 0, 1));
  insns.push(EXIT);
  return { insns };
}

function randLdDw(count: number): Filled {
  const random = makeRandom();
  const insns: RawInsn[] = [insn(OP.movImm32, 0)];
  while (insns.length < count) {
    insns.push(insn(LD_IMM64, 1, 0, 0, random() | 0), insn(0, 0, 0, 0, random() | 0), insn(XOR_X, 0, 1));
  }
  insns.push(insn(OP.movReg64, 1, 0), insn(RSH_K, 1, 0, 0, 32), insn(XOR_X, 0, 1), EXIT);
  return { insns };
}

/** 8192 jumps, the first of them `depth` functions deep. */
function scale(depth: number): Filled {
  const random = makeRandom();
  const insns: RawInsn[] = [];
  for (let k = 0; k < depth; k++) insns.push(insn(OP.call, 0, PSEUDO_CALL, 0, 1), EXIT);
  insns.push(insn(OP.movReg64, 6, 1));
  const slots = 64 - 4 * depth;
  for (let k = 1; k <= JUMPS; k++) {
    insns.push(call(FUNC.prandom), insn(JEQ_K, 0, 0, 2, random() | 0), insn(OP.movReg64, 1, FP));
    insns.push(insn(STX_DW, 1, 6, -8 * ((k % slots) + 1)));
  }
  while (insns.length < SLOTS_MAX - JUMPS * 4) insns.push(insn(OP.movImm64, 0, 0, 0, 42));
  insns.push(EXIT);
  return { insns };
}

function torturousJumps1(): RawInsn[] {
  const half = 128;
  const ladder = (k: number): RawInsn => insn(JEQ_K, 0, 0, half, k);
  const ks = Array.from({ length: half }, (_, i) => i + 1);
  const head = [call(FUNC.prandom), ...ks.map(ladder), ...ks.map((k) => jump(half - k))];
  return [...head, insn(OP.movImm64, 0, 0, 0, 1), EXIT];
}

function torturousJumps2(): RawInsn[] {
  const len = 4100;
  const jumps = 2048;
  const insns: RawInsn[] = [call(FUNC.prandom)];
  for (let i = 1; i <= jumps; i++) insns.push(insn(JEQ_K, 0, 0, jumps, i));
  insns.push(jump(jumps));
  while (insns.length <= jumps * 2 + 1) for (let j = 0; j < 16; j++) insns.push(jump(16 - j - 1));
  insns[len - 2] = insn(OP.movImm64, 0, 0, 0, 2);
  insns[len - 1] = EXIT;
  return insns.slice(0, len);
}

function torturousJumps(variant: number): Filled | undefined {
  if (variant === 1) return { insns: torturousJumps1() };
  if (variant === 2) return { insns: torturousJumps2() };
  if (variant !== 3) return undefined;
  const main = [
    insn(OP.call, 0, PSEUDO_CALL, 0, 4),
    insn(OP.call, 0, PSEUDO_CALL, 0, 262),
    insn(ST_B, FP, 0, -32),
  ];
  return {
    insns: [...main, insn(OP.movImm64, 0, 0, 0, 3), EXIT, ...torturousJumps1(), ...torturousJumps2()],
  };
}

function bigProgLoop(): Filled {
  const len = PAGE_BYTES - 25;
  const insns: RawInsn[] = [insn(OP.movImm64, 1, 0, 0, 1)];
  const callback = len - 2;
  insns.push(insn(LD_IMM64, 2, PSEUDO_FUNC, 0, callback - 1 - 1), insn(0));
  insns.push(insn(OP.movImm64, 3), insn(OP.movImm64, 4), call(FUNC.loop));
  while (insns.length < len - 3) insns.push(insn(OP.movImm64, 0));
  insns.push(EXIT, insn(OP.movImm64, 0), EXIT);
  return { insns, callbackSlot: callback };
}

/** Computes the program of a fill helper by its name; undefined when the helper is not known. */
export function fillProgram(helper: string, retval: number): Filled | undefined {
  switch (helper) {
    case "bpf_fill_ld_abs_vlan_push_pop":
      return vlanPushPop();
    case "bpf_fill_jump_around_ld_abs":
      return jumpAroundLdAbs();
    case "bpf_fill_rand_ld_dw":
      return randLdDw(retval);
    case "bpf_fill_scale":
      return retval === 1 ? scale(0) : retval === 2 ? scale(7) : undefined;
    case "bpf_fill_torturous_jumps":
      return torturousJumps(retval);
    case "bpf_fill_big_prog_with_loop_1":
      return bigProgLoop();
    default:
      return undefined;
  }
}
